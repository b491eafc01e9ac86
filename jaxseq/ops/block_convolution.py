"""Convolutions whose windows neither overlap nor leave gaps, in chunks of rows: a reshape and a matrix product each.

On a CPU the windows of a whole batch laid out one after the other are several times the cache, and go to memory and
back; those of a few rows stay where the product finds them. On the way back they are laid out anew.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Float, UInt8

from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import Windows

_AT_ONCE = 2**19
"""Numbers in the windows of a chunk, at the most."""


def is_of_blocks(geometry: Windows) -> bool:
    """Whether windows of several places lie one beside the other from the first place on."""
    return (
        geometry.stride == geometry.kernel
        and math.prod(geometry.kernel) > 1
        and min(geometry.output) > 0
        and not any(before or behind for before, behind in geometry.padding)
        and all(dilation == 1 for dilation in geometry.dilation)
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_blocks(
    x: Float[Array, "b h w d"] | UInt8[Array, "b h w d"], kernel: Float[Array, "k l d f"], dtype: DTypeLike
) -> Float[Array, "b rows columns f"]:
    """The convolution of x with kernel whose stride is the size of the kernel, without padding; what is left of x
    behind the last whole window is not seen. Products and result are of `dtype`.

    Only reverse-mode differentiation is defined; the gradient of the kernel adds up in float32. Pixels of 8 bits, which
    become numbers of `dtype` chunk by chunk, have none.
    """
    k, _, _, f = kernel.shape
    flat = kernel.reshape(-1, f).astype(dtype)

    def products(_: None, chunk: Array) -> tuple[None, Array]:
        return None, _windows(chunk, dtype) @ flat

    chunks = _chunks(x, kernel)
    y = products(None, chunks[0])[1] if len(chunks) == 1 else lax.scan(products, None, chunks)[1]
    return y.reshape(len(x), x.shape[1] // k, -1, f)


def _forward(x: Array, kernel: Array, dtype: DTypeLike) -> tuple[Any, tuple[Array, Array]]:
    return convolve_blocks(x, kernel, dtype), (x, kernel)


def _backward(dtype: DTypeLike, saved: tuple[Array, Array], d_y: Array) -> tuple[Any, Array]:
    x, kernel = saved
    d, f = kernel.shape[2:]
    is_pixels = x.dtype == jnp.uint8
    flat, chunks = kernel.reshape(-1, f).astype(dtype), _chunks(x, kernel)

    def step(d_kernel: Array, xs: tuple[Array, Array]) -> tuple[Array, Array | None]:
        chunk, d_y = xs
        seen = _windows(chunk, dtype)
        more = lax.dot_general(seen, d_y, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)
        return d_kernel + more, None if is_pixels else _rows(d_y @ flat.T, chunk.shape)

    init = jnp.zeros(flat.shape, jnp.float32)
    d_kernel, d_chunks = lax.scan(step, init, (chunks, d_y.reshape(len(chunks), -1, f)))
    d_kernel = d_kernel.astype(kernel.dtype).reshape(kernel.shape)
    if d_chunks is None:
        return np.zeros(x.shape, jax.dtypes.float0), d_kernel
    b, h, w, _ = x.shape
    d_x = d_chunks.reshape(b, h // kernel.shape[0] * kernel.shape[0], -1, d)
    return jnp.pad(d_x, ((0, 0), (0, h - d_x.shape[1]), (0, w - d_x.shape[2]), (0, 0))).astype(x.dtype), d_kernel


convolve_blocks.defvjp(_forward, _backward)


def _chunks(x: Array, kernel: Array) -> Array:
    """x as far as there are whole windows: [chunks, rows of windows, k, columns of windows, l d]."""
    b, h, w, d = x.shape
    tall, wide = kernel.shape[:2]
    rows, columns = h // tall, w // wide
    at_once = max(1, _AT_ONCE // (columns * math.prod(kernel.shape[:3])))
    group = next(count for count in range(min(at_once, b * rows), 0, -1) if b * rows % count == 0)
    return x[:, : rows * tall, : columns * wide].reshape(-1, group, tall, columns, wide * d)


def _windows(chunk: Array, dtype: DTypeLike) -> Array:
    """[windows, k l d]."""
    rows, k, columns, width = chunk.shape
    return chunk.transpose(0, 2, 1, 3).reshape(rows * columns, k * width).astype(dtype)


def _rows(seen: Array, shape: tuple[int, ...]) -> Array:
    """Inverse of `_windows`."""
    rows, k, columns, width = shape
    return seen.reshape(rows, columns, k, width).transpose(0, 2, 1, 3)
