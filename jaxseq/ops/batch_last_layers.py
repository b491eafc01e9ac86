"""Layers over maps [d, h, w, n], see `jaxseq.ops.batch_last`, with their gradients written out.

Each is a step of a stack: forward it makes y of x, backward the gradient of x and of its weights. What two layers do
is one step where that saves work: a convolution and the pooling behind it, whose map is then never written whole; an
upsampling and the convolution behind it, whose kernel is applied to the small map.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jax import lax

from jaxseq.ops import batch_last as maps
from jaxseq.ops.batch_last import Look, Pair
from jaxseq.ops.batch_last_blocks import Activation, Blocks, active, at_number, interleaved
from jaxseq.ops.loops import apart
from jaxseq.ops.picture_layers import Edges, MaxPool
from jaxseq.ops.shapes import Array

_ROWS = 32
"""Rows of blocks that one loop may take one after the other."""


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
    """A convolution with zeros around x."""

    edges: Edges
    activation: Activation

    def forward(self, weights: Weights, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        kernel, bias = weights
        full = maps.padded(x, (self.edges[0],) * 2, (self.edges[1],) * 2)
        (y,) = maps.correlate(full, [Look(kernel)], bias, size=_convolved(x, kernel, self.edges))
        return (y if self.activation == "linear" else apart(partial(active, self.activation), y)), None

    def backward(self, weights: Weights, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Weights]:
        d = _through(self.activation, y, d_y)
        wide = maps.padded(d, *_around(weights.kernel, self.edges))
        return (
            _input_gradient(weights.kernel, wide, x),
            Weights(_kernel_gradient(weights.kernel, wide, x, self.edges), maps.sums(d)),
        )


class ConvolveAndPool(NamedTuple):
    """A convolution with zeros around x, and a max-pooling. Only what the pooling leaves is written."""

    edges: Edges
    activation: Activation
    pool: MaxPool

    def forward(self, weights: Weights, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        kernel, bias = weights
        blocks = self._blocks(x, kernel)
        looks = [Look(kernel, place) for place in blocks.places()]
        full = self._in_blocks(x, kernel)
        places = maps.correlate(full, looks, bias, size=blocks.counts, stride=blocks.window)
        return (
            apart(lambda *places: active(self.activation, blocks.largest(places)), *places),
            apart(lambda *places: blocks.first(places, self.activation), *places),
        )

    def backward(self, weights: Weights, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Weights]:
        kernel, blocks = weights.kernel, self._blocks(x, weights.kernel)
        assert which is not None
        d = _through(self.activation, y, d_y)
        before, behind = _around(kernel, self.edges)
        wide = apart(partial(blocks.spread, before=before, behind=behind), d, which)
        if len(x) == 1 and blocks.counts[0] <= _ROWS:
            d_kernel = self._of_one_map(kernel, x, which, d)
        else:
            d_kernel = _kernel_gradient(kernel, wide, x, self.edges)
        return _input_gradient(kernel, wide, x), Weights(d_kernel, maps.sums(d))

    def _of_one_map(self, kernel: Array, x: Array, which: Array, d: Array) -> Array:
        """The kernel's gradient for x of one map: for each place of the kernel the sum of d times what of x the maximum
        had there. As a product of matrices, with `wide`, it takes 2.5 times as long."""
        blocks, full = self._blocks(x, kernel), self._in_blocks(x, kernel)

        def at(place: Pair) -> Callable[..., Array]:
            def loop(x: Array, which: Array, d: Array) -> Array:
                total = None
                for row in range(blocks.counts[0]):
                    here, own = (lax.slice_in_dim(array, row, row + 1, axis=1) for array in (which, d))
                    parts = [
                        maps.seen(
                            x,
                            (blocks.window * row + first[0] + place[0], first[1] + place[1]),
                            (1, blocks.counts[1]),
                            blocks.window,
                        )
                        for first in blocks.places()
                    ]
                    parts = [lax.broadcast_in_dim(part[0], own.shape, (1, 2, 3)) for part in parts]
                    term = at_number(parts, here) * own
                    total = term if total is None else total + term
                assert total is not None
                return total

            return loop

        sides = product(range(len(kernel)), repeat=2)
        return jnp.stack([maps.sums(apart(at(place), full, which, d)) for place in sides]).reshape(kernel.shape)

    def _blocks(self, x: Array, kernel: Array) -> "Blocks":
        return Blocks.of(_convolved(x, kernel, self.edges), self.pool)

    def _in_blocks(self, x: Array, kernel: Array) -> Array:
        """x as the convolution of whole blocks sees it."""
        blocks = self._blocks(x, kernel)
        before = tuple(self.edges[0] + outside for outside in blocks.before)
        sizes = zip(blocks.counts, x.shape[1:3], before, strict=True)
        behind = tuple(blocks.window * count + len(kernel) - 1 - n - first for count, n, first in sizes)
        return maps.padded(x, before, behind)


def _convolved(x: Array, kernel: Array, edges: Edges) -> Pair:
    """Size of a convolution's output."""
    return tuple(n + sum(edges) - len(kernel) + 1 for n in x.shape[1:3])


def _around(kernel: Array, edges: Edges) -> tuple[Pair, Pair]:
    """Zeros before and behind the gradient of a convolution's output, as `_input_gradient` wants them."""
    before, behind = ((len(kernel) - 1 - edge,) * 2 for edge in edges)
    return before, behind


def _input_gradient(kernel: Array, wide: Array, x: Array) -> Array:
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    return maps.correlate(wide, [Look(turned)], size=x.shape[1:3])[0]


def _kernel_gradient(kernel: Array, wide: Array, x: Array, edges: Edges) -> Array:
    # What is shifted is copied once for every place of the kernel: let it be the one with fewer maps.
    shifts, (before, _) = (len(kernel),) * 2, _around(kernel, edges)
    if len(x) > len(wide):
        return maps.kernel_gradient(wide, x, shifts)[::-1, ::-1].swapaxes(2, 3)
    own = maps.seen(wide, before, _convolved(x, kernel, edges), 1)
    return maps.kernel_gradient(maps.padded(x, (edges[0],) * 2, (edges[1],) * 2), own, shifts)


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
        looks = [Look(parts[:, p, :, q]) for p, q in product(range(f), repeat=2)]
        phases = maps.correlate(full, looks, bias, size=count)
        skipped = -self._first - f * first

        def together(*phases: Array) -> Array:
            wide = interleaved(phases, f)
            cut = lax.slice(
                wide, (0, skipped, skipped, 0), (len(wide), skipped + size[0], skipped + size[1], wide.shape[-1])
            )
            return active(self.activation, cut)

        return apart(together, *phases), None

    def backward(self, weights: Weights, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, Weights]:
        f, kernel = self.factor, weights.kernel
        reach, (depth, *small, _), features = len(kernel), x.shape, len(y)
        d = _through(self.activation, y, d_y)
        # Row f * i + m of it is what row i of x was added to with row m of the kernel.
        needed = [f * (n - 1) + reach for n in small]
        behind = tuple(total - n + self._first for total, n in zip(needed, d.shape[1:3], strict=True))
        wide = maps.padded(d, (-self._first,) * 2, behind)
        (d_x,) = maps.correlate(wide, [Look(kernel.swapaxes(2, 3))], size=tuple(small), stride=f)
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
        blocks = Blocks.of(x.shape[1:3], self.pool)
        return (
            apart(lambda x: blocks.largest(blocks.cut(x)), x),
            apart(lambda x: blocks.first(blocks.cut(x), "linear"), x),
        )

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        blocks = Blocks.of(x.shape[1:3], self.pool)
        assert which is not None
        return apart(blocks.spread, d_y, which), None


class Unpool(NamedTuple):
    """Puts values back where a pooling found its maxima."""

    pool: MaxPool
    size: Pair
    """Of what was pooled."""

    def forward(self, weights: None, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        assert which is not None
        return apart(Blocks.of(self.size, self.pool).spread, x, which), None

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        assert which is not None
        return apart(Blocks.of(self.size, self.pool).gathered, d_y, which), None


class Repeat(NamedTuple):
    """An upsampling by itself: each value in a block, or with zeros behind it."""

    factor: int
    nails: bool

    def forward(self, weights: None, x: Array, which: Array | None) -> tuple[Array, Array | None]:
        rest = jnp.zeros_like(x) if self.nails else x
        phases = [x, *[rest] * (self.factor**2 - 1)]
        return apart(lambda *phases: interleaved(phases, self.factor), *phases), None

    def backward(self, weights: None, x: Array, y: Array, which: Array | None, d_y: Array) -> tuple[Array, None]:
        steps = 1 if self.nails else self.factor
        parts = maps.shifted(d_y, (steps, steps), size=x.shape[1:3], stride=self.factor)
        return apart(lambda *parts: sum(parts[1:], parts[0]), *parts), None


def _through(activation: Activation, y: Array, d_y: Array) -> Array:
    """The gradient before the activation, of that behind it."""
    match activation:
        case "relu":
            return apart(lambda y, d_y: lax.select(lax.gt(y, lax.full_like(y, 0)), d_y, lax.full_like(d_y, 0)), y, d_y)
        case "sigmoid":
            return apart(lambda y, d_y: d_y * y * (1 - y), y, d_y)
        case _:
            return d_y
