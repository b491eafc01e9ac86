"""Pooling over windows, and ways to go back up: x is [b, t, d] or [b, h, w, d].

Windows and padding are those of `jaxseq.ops.spatial`, without dilation; `stride` is by default that of the window, so
that windows lie side by side. Padding is no part of x: it is never a maximum and does not count in a mean. Keras has it
so too; in PyTorch `max_pool2d` does, and `avg_pool2d` with `count_include_pad=False`, which is not its default.

What is not finite stays where it belongs: a maximum is NaN where its window holds one, whatever else it holds; a mean,
and what `bilinear` works out between places, is not finite where one of its places is not. Gradients are finite there,
for none of them depends on a value.
"""

from functools import reduce
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Int, Int32

from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import Padding, PerAxis, Windows, per_axis, windows


def max_pool(
    x: Float[Array, "b *n d"], window: PerAxis, stride: PerAxis | None = None, padding: Padding = "valid"
) -> Float[Array, "b *m d"]:
    """The greatest value of each window. Of equals the first one, row by row, has the gradient.

    Raises:
        ValueError: as `spatial.windows` has it; or a window lies in padding alone.
    """
    return _maxima(x, None, window, stride, padding)[0]


def max_pool_places(
    x: Float[Array, "b *n d"], window: PerAxis, stride: PerAxis | None = None, padding: Padding = "valid"
) -> tuple[Float[Array, "b *m d"], Int32[Array, "b *m d"]]:
    """What `max_pool` gives, and where each maximum stands: its place in t, or row * w + column. Of equals, and of
    several NaN, the first one, row by row.

    Raises:
        ValueError: as `max_pool` has it.
    """
    size = x.shape[1:-1]
    flat = jnp.arange(int(np.prod(size)), dtype=jnp.int32).reshape(1, *size, 1)
    values, places = _maxima(x, jnp.broadcast_to(flat, x.shape), window, stride, padding)
    assert places is not None
    return values, places


def mean_pool(
    x: Float[Array, "b *n d"], window: PerAxis, stride: PerAxis | None = None, padding: Padding = "valid"
) -> Float[Array, "b *m d"]:
    """The mean of those places of each window that are no padding, worked out in float32 or wider.

    Raises:
        ValueError: as `max_pool` has it.
    """
    geometry = _pooled(x, window, stride, padding)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    sums = lax.reduce_window(
        wide,
        np.zeros((), wide.dtype),
        lax.add,
        (1, *geometry.kernel, 1),
        (1, *geometry.stride, 1),
        ((0, 0), *geometry.padding, (0, 0)),
    )
    counts = reduce(np.multiply.outer, [_real(geometry, axis).sum(0) for axis in range(len(geometry.size))])
    return (sums / counts[..., None].astype(wide.dtype)).astype(x.dtype)


def max_unpool(values: Float[Array, "b *m d"], places: Int[Array, "b *m d"], size: PerAxis) -> Float[Array, "b *n d"]:
    """[b, *size, d] with each value in its place, as `max_pool_places` gave it, and zeros elsewhere.

    A place that several windows have, for they overlap, gets the mean of their values. `size` is that of what was
    pooled: several sizes become one, and a place means nothing in a picture of another width. A place outside is
    nowhere, and its value is left out.

    Raises:
        ValueError: `size` has not a number for each axis, or one is below 1.
    """
    axes = values.ndim - 2
    sizes = per_axis(size, axes, "size")
    batch, depth, count = values.shape[0], values.shape[-1], int(np.prod(sizes))
    flat = places.reshape(batch, -1, depth).astype(jnp.int32)
    # Below zero would count from the end.
    index = (
        jnp.arange(batch, dtype=jnp.int32)[:, None, None],
        jnp.where(flat < 0, count, flat),
        jnp.arange(depth, dtype=jnp.int32),
    )
    zeros = jnp.zeros((batch, count, depth), jnp.promote_types(values.dtype, jnp.float32))
    total = zeros.at[index].add(values.reshape(flat.shape).astype(zeros.dtype), mode="drop")
    times = zeros.at[index].add(1.0, mode="drop")
    return (total / jnp.maximum(times, 1)).astype(values.dtype).reshape(batch, *sizes, depth)


def bed_of_nails(x: Float[Array, "b *n d"], factor: PerAxis, size: PerAxis | None = None) -> Float[Array, "b *m d"]:
    """x with its value i at place i * factor, and zeros elsewhere.

    Args:
        size: Of the result, by default n * factor; where n is what a size was divided down to, that size.

    Raises:
        ValueError: `size` divided by `factor` is n neither rounded down nor rounded up.
    """
    sizes, factors = _enlarged(x, factor)
    asked = tuple(n * f for n, f in zip(sizes, factors, strict=True))
    asked = asked if size is None else per_axis(size, len(sizes), "size")
    config = [(0, 0, 0)]
    for axis, (n, f, m) in enumerate(zip(sizes, factors, asked, strict=True)):
        least, most = (n - 1) * f + 1, (n + 1) * f - 1
        if not least <= m <= most:
            raise ValueError(
                f"{n} nails {f} apart do not make {m} along axis {axis}: give a size from {least} to {most}"
            )
        config.append((0, m - least, f - 1))
    return lax.pad(x, jnp.zeros((), x.dtype), [*config, (0, 0, 0)])


def nearest(x: Float[Array, "b *n d"], factor: PerAxis) -> Float[Array, "b *m d"]:
    """x with each value in `factor` places, of two axes in a block of them.

    Raises:
        ValueError: `factor` has not a number for each axis, or one is below 1.
    """
    sizes, factors = _enlarged(x, factor)
    for axis, f in enumerate(factors, 1):
        x = jnp.broadcast_to(jnp.expand_dims(x, axis + 1), (*x.shape[: axis + 1], f, *x.shape[axis + 1 :])).reshape(
            *x.shape[:axis], sizes[axis - 1] * f, *x.shape[axis + 1 :]
        )
    return x


def bilinear(x: Float[Array, "b *n d"], size: PerAxis) -> Float[Array, "b *m d"]:
    """x brought to `size`, up or down, along straight lines between the two places that are nearest along each axis.

    A place is in the middle of its share of the whole length, and before the first middle and behind the last there is
    no slope: PyTorch's `align_corners=False` and Keras's `UpSampling2D`. Going down, what lies between is passed over.

    Raises:
        ValueError: `size` has not a number for each axis, or one is below 1.
    """
    for axis, (n, m) in enumerate(zip(_size(x), per_axis(size, x.ndim - 2, "size"), strict=True), 1):
        place = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
        low = np.floor(place).astype(np.int32)
        share = _along((place - low).astype(np.float32), axis, x.ndim)
        below, above = (jnp.take(x, np.minimum(at, n - 1), axis=axis) for at in (low, low + 1))
        x = (below * (1 - share) + above * share).astype(x.dtype)
    return x


class _Line(NamedTuple):
    """Maxima of as many places in a row as were looked at, for each place that such a row begins with."""

    values: Array
    places: Array | None
    """Where in the whole picture they are, if somebody asks for it."""
    known: np.ndarray
    """[n] bool along the axis that is looked at: whether there was anything but padding."""

    def part(self, axis: int, begin: int, end: int, stride: int = 1) -> "_Line":
        values, places = (
            None if x is None else lax.slice_in_dim(x, begin, end, stride, axis) for x in (self.values, self.places)
        )
        assert values is not None
        return _Line(values, places, self.known[begin:end:stride])

    def or_later(self, later: "_Line", axis: int) -> "_Line":
        """Of each pair the greater one, this one of equals."""
        better = (later.values > self.values) | (jnp.isnan(later.values) & ~jnp.isnan(self.values))
        if not self.known.all():
            better = better | ~_along(self.known, axis, better.ndim)
        if not later.known.all():
            better = better & _along(later.known, axis, better.ndim)
        # By choice, so that the gradient goes to one place and is multiplied by nothing.
        values = jnp.where(better, later.values, self.values)
        places = None
        if self.places is not None and later.places is not None:
            places = jnp.where(better, later.places, self.places)
        return _Line(values, places, self.known | later.known)


def _maxima(
    x: Array, places: Array | None, window: PerAxis, stride: PerAxis | None, padding: Padding
) -> tuple[Array, Array | None]:
    """The greatest values and what `places` has where they are: along the last axis first, then along the one before,
    which leaves of equals the first one row by row."""
    geometry = _pooled(x, window, stride, padding)
    for axis in range(x.ndim - 2, 0, -1):
        pads = [(0, 0)] * x.ndim
        pads[axis] = geometry.padding[axis - 1]
        known = np.pad(np.ones(x.shape[axis], bool), pads[axis])
        padded = None if places is None else jnp.pad(places, pads)
        x, places = _maxima_along(_Line(jnp.pad(x, pads), padded, known), geometry, axis)
    return x, places


def _maxima_along(line: _Line, geometry: Windows, axis: int) -> tuple[Array, Array | None]:
    """Those of the windows along one axis: of 2, 4, 8 places in a row from those of half as many, and of a window from
    two that overlap."""
    window, stride, count = geometry.kernel[axis - 1], geometry.stride[axis - 1], geometry.output[axis - 1]
    length = 1
    while 2 * length < window:
        size = len(line.known) - length
        line = line.part(axis, 0, size).or_later(line.part(axis, length, length + size), axis)
        length *= 2
    reach = (count - 1) * stride + 1
    best = line.part(axis, 0, reach, stride)
    if window > 1:
        best = best.or_later(line.part(axis, window - length, window - length + reach, stride), axis)
    return best.values, best.places


def _pooled(x: Array, window: PerAxis, stride: PerAxis | None, padding: Padding) -> Windows:
    geometry = windows(_size(x), window, window if stride is None else stride, 1, padding)
    for axis in range(len(geometry.size)):
        empty = np.flatnonzero(~_real(geometry, axis).any(0))
        if len(empty):
            raise ValueError(
                f"window {empty[0]} along axis {axis} lies in padding alone, with window {geometry.kernel[axis]}, "
                f"stride {geometry.stride[axis]} and padding {geometry.padding[axis]}: give less padding"
            )
    return geometry


def _real(geometry: Windows, axis: int) -> np.ndarray:
    """[k, n] bool: whether place k of window n is no padding."""
    begin = np.arange(geometry.output[axis]) * geometry.stride[axis] - geometry.padding[axis][0]
    place = np.arange(geometry.kernel[axis])[:, None] + begin
    return (place >= 0) & (place < geometry.size[axis])


def _along(numbers: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    """`numbers`, one for each place of this axis of x, in a shape that goes with x."""
    return numbers.reshape(*(1,) * axis, -1, *(1,) * (ndim - axis - 1))


def _enlarged(x: Array, factor: PerAxis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The size of x and the factors."""
    sizes = _size(x)
    return sizes, per_axis(factor, len(sizes), "factor")


def _size(x: Array) -> tuple[int, ...]:
    return per_axis(x.shape[1:-1], x.ndim - 2, "the size of x")
