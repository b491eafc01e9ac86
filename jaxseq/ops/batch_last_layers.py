"""Layers over maps [d, h, w, n], see `jaxseq.ops.batch_last`, with their gradients written out.

Each is a step of a stack: forward it makes y of x, backward the gradient of x and of its weights. What two layers do
is one step where that saves work: a convolution and the pooling behind it, whose map is then never written whole; an
upsampling and the convolution behind it, whose kernel is applied to the small map.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any, Literal, NamedTuple, Protocol

import jax.numpy as jnp
from jax import lax

from jaxseq.ops import batch_last as maps
from jaxseq.ops.batch_last import Pair, apart
from jaxseq.ops.picture_layers import Edges, MaxPool, pool_edges
from jaxseq.ops.shapes import Array

Activation = Literal["linear", "relu", "sigmoid"]


class Weights(NamedTuple):
    """Of a step with a convolution."""

    kernel: Array
    """[k, k, d, f]"""
    bias: Array
    """[f]"""


class Step(Protocol):
    """One or two layers; what it is told is known when compiling."""

    def forward(self, weights: Any, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        """y, and of a pooling which place of its window each maximum had; `which` is that of the pooling undone."""
        ...

    def backward(self, weights: Any, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Any]:
        """Gradients of x and of the weights; `which` is that of the pooling done or undone."""
        ...


class Convolve(NamedTuple):
    """A convolution with zeros around x, and perhaps a pooling."""

    edges: Edges
    activation: Activation
    pool: MaxPool | None = None

    def forward(self, weights: Weights, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        kernel, bias = weights
        size, before = self._size(x, kernel), self.edges[0]
        if self.pool is None:
            full = maps.padded(x, (before,) * 2, (self.edges[1],) * 2)
            (y,) = maps.correlate(full, kernel, bias, size=size)
            return (y if self.activation == "linear" else apart(partial(_active, self.activation), y)), None
        blocks = _Blocks.of(size, self.pool)
        first = tuple(before + cut for cut in blocks.before)
        needed = [self.pool.window * count + len(kernel) - 1 for count in blocks.counts]
        behind = tuple(total - n - cut for total, n, cut in zip(needed, x.shape[1:3], first, strict=True))
        places = maps.correlate(
            maps.padded(x, first, behind),
            kernel,
            bias,
            size=blocks.counts,
            stride=self.pool.window,
            starts=list(blocks.places()),
        )
        return (
            apart(lambda *places: _active(self.activation, blocks.largest(places)), *places),
            apart(lambda *places: blocks.first(places, self.activation), *places),
        )

    def backward(self, weights: Weights, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Weights]:
        kernel = weights.kernel
        size, around = self._size(x, kernel), len(kernel) - 1
        d = _through(self.activation, y, d_y)
        before, behind = ((around - edge,) * 2 for edge in self.edges)
        if which is None or self.pool is None:
            wide = maps.padded(d, before, behind)
        else:
            spread = _Blocks.of(size, self.pool).spread
            wide = apart(partial(spread, before=before, behind=behind), d, which)
        turned = kernel[::-1, ::-1].swapaxes(2, 3)
        (d_x,) = maps.correlate(wide, turned, size=x.shape[1:3])
        # What is shifted is copied once for every place of the kernel: let it be the one with fewer channels.
        shifts = (len(kernel),) * 2
        if len(x) <= len(d):
            full = maps.padded(x, (self.edges[0],) * 2, (self.edges[1],) * 2)
            own = wide[:, before[0] : before[0] + size[0], before[1] : before[1] + size[1]]
            d_kernel = maps.kernel_gradient(full, own, shifts)
        else:
            d_kernel = maps.kernel_gradient(wide, x, shifts)[::-1, ::-1].swapaxes(2, 3)
        return d_x, Weights(d_kernel, maps.sums(d))

    def _size(self, x: Array, kernel: Array) -> Pair:
        """Of the convolution's output."""
        return tuple(n + sum(self.edges) - len(kernel) + 1 for n in x.shape[1:3])


class Spread(NamedTuple):
    """An upsampling by `factor` and a convolution behind it: every place of the small map x, times the kernel that
    `spread_kernel` gives, is added to a window of the output, `factor` further for each.

    Output y is at place y - first of these windows laid side by side; there are `size` outputs.
    """

    factor: int
    edges: Edges
    """Of the convolution, around the map that is never made."""
    side: int
    """Of the convolution's kernel."""
    activation: Activation

    def forward(self, weights: Weights, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        f, (kernel, bias) = self.factor, weights
        size, near, (first, count) = self._size(x), len(kernel) // f, self._grid(x)
        # Place f * i + p of the windows is reached by the `near` places of x up to i, each by another kernel.
        parts = kernel.reshape(near, f, near, f, *kernel.shape[2:])[::-1, :, ::-1]
        full = self._around(x, near)
        phases = [maps.correlate(full, parts[:, p, :, q], bias, size=count)[0] for p, q in product(range(f), repeat=2)]
        skipped = -self._first - f * first

        def together(*phases: Array) -> Array:
            wide = _interleaved(phases, f)
            cut = lax.slice(
                wide, (0, skipped, skipped, 0), (len(wide), skipped + size[0], skipped + size[1], wide.shape[-1])
            )
            return _active(self.activation, cut)

        return apart(together, *phases), None

    def backward(self, weights: Weights, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Weights]:
        f, kernel = self.factor, weights.kernel
        reach, (depth, *small, _), features = len(kernel), x.shape, len(y)
        d = _through(self.activation, y, d_y)
        # Row f * i + m of it is what row i of x was added to with row m of the kernel.
        needed = [f * (n - 1) + reach for n in small]
        behind = tuple(total - n + self._first for total, n in zip(needed, d.shape[1:3], strict=True))
        wide = maps.padded(d, (-self._first,) * 2, behind)
        (d_x,) = maps.correlate(wide, kernel.swapaxes(2, 3), size=tuple(small), stride=f)
        near, (first, count) = reach // f, self._grid(x)
        if near**2 * depth + f**2 * features < reach**2 * features:  # maps to copy
            seen = maps.shifted(self._around(x, near), (near, near), size=count)
            ends = tuple(f * (first + blocks) - n for blocks, n in zip(count, wide.shape[1:3], strict=True))
            wide = maps.padded(wide, (-f * first,) * 2, ends)
            apart_by = maps.shifted(wide, (f, f), size=count, stride=f)
            both = maps.products(seen, apart_by).reshape(near, near, depth, f, f, features)[::-1, ::-1]
            d_kernel = both.transpose(0, 3, 1, 4, 2, 5).reshape(kernel.shape)
        else:
            d_kernel = maps.kernel_gradient(wide, x, (reach, reach), stride=f).swapaxes(2, 3)
        return d_x, Weights(d_kernel, maps.sums(d))

    @property
    def _first(self) -> int:
        """The output that the first place of the first window is, which there may not be: it may be below 0."""
        return self.edges[0] - (self.side - 1)

    def _size(self, x: Array) -> Pair:
        return tuple(self.factor * n + sum(self.edges) - self.side + 1 for n in x.shape[1:3])

    def _grid(self, x: Array) -> tuple[int, Pair]:
        """Outputs lie in blocks of `factor` from the first window on: the number of the first block that is needed, and
        how many rows and columns of them."""
        first = -self._first // self.factor
        return first, tuple((n - 1 - self._first) // self.factor + 1 - first for n in self._size(x))

    def _around(self, x: Array, near: int) -> Array:
        """x as far as the blocks' `near` places reach."""
        first, count = self._grid(x)
        before = near - 1 - first
        behind = tuple(first + blocks - n for blocks, n in zip(count, x.shape[1:3], strict=True))
        return maps.padded(x, (before, before), behind)


def spread_kernel(kernel: Array, factor: int, *, nails: bool) -> Array:
    """[reach, reach, d, f] of `Spread`, for a convolution's kernel [k, k, d, f] behind an upsampling: turned by 180
    degrees, and where each value of x stands in a block, added up over that block. Its sides are multiples of
    `factor`."""
    turned = kernel[::-1, ::-1]
    if not nails:
        for axis in (0, 1):
            moved = [
                jnp.pad(turned, [(i, factor - 1 - i) if a == axis else (0, 0) for a in range(4)]) for i in range(factor)
            ]
            turned = sum(moved[1:], moved[0])
    over = -len(turned) % factor
    return jnp.pad(turned, ((0, over), (0, over), (0, 0), (0, 0)))


class Pool(NamedTuple):
    """A max-pooling."""

    pool: MaxPool

    def forward(self, weights: None, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        blocks = _Blocks.of(x.shape[1:3], self.pool)
        return (
            apart(lambda x: blocks.largest(blocks.cut(x)), x),
            apart(lambda x: blocks.first(blocks.cut(x), "linear"), x),
        )

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        blocks = _Blocks.of(x.shape[1:3], self.pool)
        assert which is not None
        return apart(blocks.spread, d_y, which), None


class Unpool(NamedTuple):
    """Puts values back where a pooling found its maxima."""

    pool: MaxPool
    size: Pair
    """Of what was pooled."""

    def forward(self, weights: None, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        assert which is not None
        return apart(_Blocks.of(self.size, self.pool).spread, x, which), None

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        assert which is not None
        return apart(_Blocks.of(self.size, self.pool).gathered, d_y, which), None


class Repeat(NamedTuple):
    """An upsampling by itself: each value in a block, or with zeros behind it."""

    factor: int
    nails: bool

    def forward(self, weights: None, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        rest = jnp.zeros_like(x) if self.nails else x
        phases = [x, *[rest] * (self.factor**2 - 1)]
        return apart(lambda *phases: _interleaved(phases, self.factor), *phases), None

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        steps = 1 if self.nails else self.factor
        parts = maps.shifted(d_y, (steps, steps), size=x.shape[1:3], stride=self.factor)
        return apart(lambda *parts: sum(parts[1:], parts[0]), *parts), None


class _Blocks(NamedTuple):
    """A map of `size` in blocks of window x window, as a pooling sees it."""

    size: Pair
    window: int
    before: Pair
    """Rows and columns of the first blocks that lie outside."""
    counts: Pair
    """Rows and columns of blocks."""

    @classmethod
    def of(cls, size: Pair, pool: MaxPool) -> "_Blocks":
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
        inside = [self._inside(_active(activation, x), at) for x, at in zip(places, self.places(), strict=True)]
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
        whole = _interleaved(parts, self.window)
        first = tuple(more - cut for more, cut in zip(before, self.before, strict=True))
        sizes = zip(behind, self.size, self.before, self.counts, strict=True)
        last = tuple(more + n + cut - self.window * count for more, n, cut, count in sizes)
        return maps.with_zeros(whole, first, last)

    def gathered(self, x: Array, which: Array) -> Array:
        """Of each block the value in that place."""
        parts = self.cut(x)
        found = parts[0]
        for number, part in enumerate(parts[1:], 1):
            found = lax.select(lax.eq(which, lax.full_like(which, number)), part, found)
        return found


def _interleaved(phases: Sequence[Array], factor: int) -> Array:
    """[d, factor * h, factor * w, n] of maps [d, h, w, n], one for each place of blocks of factor x factor."""
    d, h, w, n = phases[0].shape
    columns = [phase.reshape(d, h, 1, w, 1, n) for phase in phases]
    rows = [lax.concatenate(columns[at : at + factor], 4) for at in range(0, factor**2, factor)]
    return lax.concatenate(rows, 2).reshape(d, factor * h, factor * w, n)


def _active(activation: Activation, x: Array) -> Array:
    match activation:
        case "relu":
            return lax.max(x, lax.full_like(x, 0))
        case "sigmoid":
            return lax.logistic(x)
        case _:
            return x


def _through(activation: Activation, y: Array, d_y: Array) -> Array:
    """The gradient before the activation, of that behind it."""
    match activation:
        case "relu":
            return apart(lambda y, d_y: lax.select(lax.gt(y, lax.full_like(y, 0)), d_y, lax.full_like(d_y, 0)), y, d_y)
        case "sigmoid":
            return apart(lambda y, d_y: d_y * y * (1 - y), y, d_y)
        case _:
            return d_y
