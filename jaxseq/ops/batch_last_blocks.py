"""Maps [d, h, w, n] in blocks, as a pooling sees them; see `jaxseq.ops.batch_last`.

What these functions do is meant to be a part of one of the loops there: nothing here is kept apart.
"""

from collections.abc import Sequence
from itertools import product
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxseq.ops import batch_last as maps
from jaxseq.ops.batch_last import Pair
from jaxseq.ops.picture_layers import MaxPool, pool_edges
from jaxseq.ops.shapes import Array

Activation = Literal["linear", "relu", "sigmoid"]


class Blocks(NamedTuple):
    """A map of `size` in blocks of window x window, as a pooling sees it."""

    size: Pair
    window: int
    before: Pair
    """Rows and columns of the first blocks that lie outside."""
    counts: Pair
    """Rows and columns of blocks."""

    @classmethod
    def of(cls, size: Pair, pool: MaxPool) -> "Blocks":
        edges = [pool_edges(n, pool) for n in size]
        counts = tuple((n + sum(edge)) // pool.window for n, edge in zip(size, edges, strict=True))
        return cls(size, pool.window, tuple(before for before, _ in edges), counts)

    def places(self) -> product:
        """(row, column) in a block, in order."""
        return product(range(self.window), repeat=2)

    def cut(self, x: Array) -> list[Array]:
        """Of a map, each place of all blocks [d, *counts, n]; anything where that lies outside."""
        sizes = zip(self.counts, self.size, self.before, strict=True)
        behind = tuple(self.window * count - n - cut for count, n, cut in sizes)
        full = maps.with_zeros(x, self.before, behind)
        return [maps.seen(full, place, self.counts, self.window) for place in self.places()]

    def largest(self, places: Sequence[Array]) -> Array:
        """The greatest of each block, of `cut`."""
        inside = [self._inside(x, at) for x, at in zip(places, self.places(), strict=True)]
        greatest = inside[0]
        for x in inside[1:]:
            greatest = lax.max(greatest, x)
        return greatest

    def first(self, places: Sequence[Array], activation: Activation) -> Array:
        """The number of the place where the greatest of each block stands after the activation, of equals the first."""
        dtype = jnp.int8 if self.window**2 < 128 else jnp.int32
        inside = [self._inside(active(activation, x), at) for x, at in zip(places, self.places(), strict=True)]
        greatest, which = inside[0], lax.full(inside[0].shape, 0, dtype)
        for number, x in enumerate(inside[1:], 1):
            which = lax.select(lax.gt(x, greatest), lax.full(x.shape, number, dtype), which)
            greatest = lax.max(greatest, x)
        return which

    def _inside(self, x: Array, at: Pair) -> Array:
        """Places outside are no maximum."""
        for axis in (0, 1):
            least, size = at[axis] - self.before[axis], self.size[axis]
            if least < 0 or self.window * (self.counts[axis] - 1) + least >= size:
                row = self.window * lax.broadcasted_iota(jnp.int32, x.shape, axis + 1) + least
                inside = lax.ge(row, lax.full_like(row, 0)) & lax.lt(row, lax.full_like(row, size))
                x = lax.select(inside, x, lax.full_like(x, -jnp.inf))
        return x

    def spread(self, x: Array, which: Array, before: Pair = (0, 0), behind: Pair = (0, 0)) -> Array:
        """Each value in its place of its block, zeros elsewhere and in so many rows and columns around."""
        parts = []
        for number in range(self.window**2):
            here = lax.eq(which, lax.full_like(which, number))
            parts.append(lax.select(here, x, lax.full_like(x, 0)))
        whole = interleaved(parts, self.window)
        first = tuple(more - cut for more, cut in zip(before, self.before, strict=True))
        sizes = zip(behind, self.size, self.before, self.counts, strict=True)
        last = tuple(more + n + cut - self.window * count for more, n, cut, count in sizes)
        return maps.with_zeros(whole, first, last)

    def gathered(self, x: Array, which: Array) -> Array:
        """Of each block the value in that place."""
        return at_number(self.cut(x), which)


def at_number(parts: Sequence[Array], which: Array) -> Array:
    """The one of `parts` that `which` numbers, everywhere."""
    found = parts[0]
    for number, part in enumerate(parts[1:], 1):
        found = lax.select(lax.eq(which, lax.full_like(which, number)), part, found)
    return found


def interleaved(phases: Sequence[Array], factor: int) -> Array:
    """[d, factor * h, factor * w, n] of maps [d, h, w, n], one for each place of blocks of factor x factor."""
    d, h, w, n = phases[0].shape
    columns = [phase.reshape(d, h, 1, w, 1, n) for phase in phases]
    rows = [lax.concatenate(columns[at : at + factor], 4) for at in range(0, factor**2, factor)]
    return lax.concatenate(rows, 2).reshape(d, factor * h, factor * w, n)


def active(activation: Activation, x: Array) -> Array:
    match activation:
        case "relu":
            return lax.max(x, lax.full_like(x, 0))
        case "sigmoid":
            return lax.logistic(x)
        case _:
            return x
