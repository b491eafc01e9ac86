"""Arithmetic on maps [d, h, w, n] of n pictures at once, where the picture is the last axis: for CPUs.

A processor's vector registers hold the same place of several pictures, so that all arithmetic is on whole vectors, and
a convolution with few channels is a loop of multiplications and additions that reads its input where it lies; nothing
is laid out anew for a matrix product. Each such loop is kept `apart`.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from jaxseq.ops.loops import apart
from jaxseq.ops.shapes import Array

Pair = tuple[int, ...]
"""A number for rows and one for columns."""

_TERMS = 16
"""Products that a loop adds up before it writes a sum, at the most; with 36 it takes 1.8 times as long, with 72 three
times."""


def padded(x: Float[Array, "d h w n"], before: Pair, behind: Pair) -> Float[Array, "d rows columns n"]:
    """x with so many rows and columns of zeros around it; less than none are cut off."""
    if not any((*before, *behind)):
        return x
    return apart(lambda x: with_zeros(x, before, behind), x)


def with_zeros(x: Array, before: Pair, behind: Pair) -> Array:
    """As `padded`, as a part of another loop."""
    rows, columns = ((first, last, 0) for first, last in zip(before, behind, strict=True))
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), rows, columns, (0, 0, 0)))


def per_channel(values: Array, like: Array) -> Array:
    """[d] as a map."""
    return lax.broadcast_in_dim(values, like.shape, (0,))


class Look(NamedTuple):
    """How a convolution looks at maps."""

    kernel: Float[Array, "k l d f"]
    start: Pair = (0, 0)
    """Row and column where its first window begins."""


def correlate(
    x: Float[Array, "d h w n"],
    looks: Sequence[Look],
    bias: Float[Array, " f"] | None = None,
    *,
    size: Pair,
    stride: int = 1,
) -> list[Array]:
    """[f, *size, n] for each of `looks`, whose kernels have one shape: bias plus the sum over (a, b) of kernel[a, b]
    times x at (row * stride + a, column * stride + b) from the start on."""
    rows, columns, depth, f = looks[0].kernel.shape
    shape = (f, *size, x.shape[-1])
    bias = jnp.zeros(f, x.dtype) if bias is None else bias

    def more(start: Pair, total: Array, x: Array, kernel: Array) -> Array:
        for i, a, b in product(range(len(x)), range(rows), range(columns)):
            part = seen(x[i : i + 1], (start[0] + a, start[1] + b), size, stride)[0]
            total = total + lax.broadcast_in_dim(part, shape, (1, 2, 3)) * per_channel(kernel[i, a, b], total)
        return total

    def whole(start: Pair, bias: Array, x: Array, kernel: Array) -> Array:
        return more(start, lax.broadcast_in_dim(bias, shape, (0,)), x, kernel)

    kernels = [look.kernel.transpose(2, 0, 1, 3) for look in looks]
    most = max(1, _TERMS // (rows * columns))
    group = max(count for count in range(1, depth + 1) if depth % count == 0 and count <= most)
    if group == depth:
        given = zip(looks, kernels, strict=True)
        return [apart(partial(whole, look.start), bias, x, kernel) for look, kernel in given]
    # A group of one has no axis of its own in what is looped over: XLA would copy all of it.
    chunks = [array.reshape(-1, group, *array.shape[1:]) if group > 1 else array for array in (x, *kernels)]

    def step(totals: Sequence[Array], chunk: Sequence[Array]) -> tuple[list[Array], None]:
        x, *kernels = chunk if group > 1 else [array[None] for array in chunk]
        given = zip(looks, totals, kernels, strict=True)
        return [apart(partial(more, look.start), total, x, kernel) for look, total, kernel in given], None

    return lax.scan(step, [lax.broadcast_in_dim(bias, shape, (0,)) for _ in looks], chunks)[0]


def seen(x: Array, start: Pair, size: Pair, stride: int) -> Array:
    """Every stride-th row and column of x from `start` on, so many of them."""
    last = [first + stride * (count - 1) + 1 for first, count in zip(start, size, strict=True)]
    return lax.slice(x, (0, *start, 0), (len(x), *last, x.shape[-1]), (1, stride, stride, 1))


def shifted(
    x: Float[Array, "d h w n"], shifts: Pair, *, size: Pair, stride: int = 1
) -> Float[Array, "all_shifts d rows columns n"]:
    """[shifts[0] * shifts[1], d, *size, n]: x at (row * stride + a, column * stride + b) for every shift (a, b)."""
    starts = list(product(*map(range, shifts)))
    return apart(lambda x: lax.concatenate([seen(x, start, size, stride)[None] for start in starts], 0), x)


def products(x: Float[Array, "*d h w n"], y: Float[Array, "*f h w n"]) -> Array:
    """[*d, *f]: the sum over places and pictures of every map of x times every map of y."""
    of_x, of_y = (range(array.ndim - 3, array.ndim) for array in (x, y))
    return lax.dot_general(x, y, ((of_x, of_y), ((), ())))


def sums(x: Float[Array, "d h w n"]) -> Float[Array, " d"]:
    """Of every map: a product, for as a sum XLA adds up one number after the other."""
    return products(x, jnp.ones(x.shape[1:], x.dtype))


def kernel_gradient(
    x: Float[Array, "d h w n"], y: Float[Array, "f rows columns n"], shifts: Pair, *, stride: int = 1
) -> Float[Array, "k l d f"]:
    """[*shifts, d, f]: the sum of x at (row * stride + a, column * stride + b) times y at (row, column)."""
    windows = shifted(x, shifts, size=y.shape[1:3], stride=stride)
    return products(windows, y).reshape(*shifts, len(x), len(y))
