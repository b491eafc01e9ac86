"""Arithmetic on maps [d, h, w, n] of n pictures at once, where the picture is the last axis: for CPUs.

A processor's vector registers hold the same place of several pictures, so that all arithmetic is on whole vectors, and
a convolution with few channels is a loop of multiplications and additions that reads its input where it lies; nothing
is laid out anew for a matrix product. What XLA makes of such a loop depends on what it is fused with: one that reads a
map being padded, or sliced out of a larger one by a number known at run time, takes 5 to 20 times as long. So each
loop here is kept `apart`.

Inside such a loop only `lax` is called: `jax.numpy` has functions that would be loops of their own.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Float

from jaxseq.ops.shapes import Array

Pair = tuple[int, ...]
"""A number for rows and one for columns."""

_TERMS = 16
"""Products that a loop adds up before it writes a sum, at the most; with 32 it takes 1.5 times as long, with 72 three
times."""


def apart(function: Callable[..., Any], *arrays: Array) -> Any:
    """What `function` makes of the arrays, in a loop that is fused with nothing before or behind it."""
    with set_xla_metadata(inlineable="false"):
        return jax.jit(function)(*arrays)


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


def correlate(
    x: Float[Array, "d h w n"],
    kernel: Float[Array, "k l d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    size: Pair,
    stride: int = 1,
    starts: Sequence[Pair] = ((0, 0),),
) -> list[Array]:
    """[f, *size, n] for each of `starts`: bias plus the sum over the kernel's places (a, b) of kernel[a, b] times x at
    (row * stride + a, column * stride + b), counted from that start."""
    rows, columns, depth, f = kernel.shape
    most = max(1, _TERMS // (rows * columns))
    group = max(g for g in range(1, depth + 1) if depth % g == 0 and g <= most)
    chunks = (x.reshape(-1, group, *x.shape[1:]), kernel.transpose(2, 0, 1, 3).reshape(-1, group, rows, columns, f))

    def more(start: Pair) -> Callable[..., Array]:
        def loop(total: Array, x: Array, kernel: Array) -> Array:
            for i, a, b in product(range(group), range(rows), range(columns)):
                part = seen(x[i : i + 1], (start[0] + a, start[1] + b), size, stride)[0]
                term = lax.broadcast_in_dim(part, total.shape, (1, 2, 3)) * per_channel(kernel[i, a, b], total)
                total = total + term
            return total

        return loop

    loops = [more(start) for start in starts]
    begin = jnp.zeros(f, x.dtype) if bias is None else bias
    shape = (f, *size, x.shape[-1])
    if len(chunks[0]) == 1:
        with_bias = [
            lambda x, kernel, bias, loop=loop: loop(lax.broadcast_in_dim(bias, shape, (0,)), x, kernel)
            for loop in loops
        ]
        return [apart(loop, chunks[0][0], chunks[1][0], begin) for loop in with_bias]
    totals = tuple(lax.broadcast_in_dim(begin, shape, (0,)) for _ in loops)

    def step(totals: tuple[Array, ...], chunk: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        return tuple(apart(loop, total, *chunk) for loop, total in zip(loops, totals, strict=True)), None

    return list(lax.scan(step, totals, chunks)[0])


def seen(x: Array, start: Pair, size: Pair, stride: int) -> Array:
    """Every stride-th row and column of x from `start` on, so many of them."""
    last = [first + stride * (count - 1) + 1 for first, count in zip(start, size, strict=True)]
    return lax.slice(x, (0, *start, 0), (len(x), *last, x.shape[-1]), (1, stride, stride, 1))


def shifted(
    x: Float[Array, "d h w n"], shifts: Pair, *, size: Pair, stride: int = 1
) -> Float[Array, "all_shifts d rows columns n"]:
    """[shifts[0] * shifts[1], d, *size, n]: x at (row * stride + a, column * stride + b) for every shift (a, b)."""
    return jnp.stack([seen(x, start, size, stride) for start in product(*map(range, shifts))])


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
