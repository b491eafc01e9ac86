"""Convolutions that read pixels of 8 bits as they are."""

from typing import Any

import jax
from jaxtyping import Float, UInt8

from jaxseq.ops.block_convolution import PixelScale, convolve_blocks, is_of_blocks
from jaxseq.ops.convolution import convolve
from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import Padding, PerAxis, windows


def convolve_pixels(
    pixels: UInt8[Array, "b h w d"],
    kernel: Float[Array, "k l d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    scale: PixelScale,
    stride: PerAxis = 1,
    padding: Padding = "valid",
) -> Float[Array, "b rows columns f"]:
    """`convolve` of what `scale` makes of the pixels, in the type of the kernel.

    On a CPU, where windows neither overlap nor leave gaps, the scaled picture, four times as large, is never in memory.

    Raises:
        ValueError: as `spatial.windows` has it.
    """
    geometry = windows(pixels.shape[1:-1], kernel.shape[:-2], stride, 1, padding)
    if jax.default_backend() != "cpu" or not is_of_blocks(geometry):
        return convolve(scale(pixels).astype(kernel.dtype), kernel, bias, stride=stride, padding=padding)
    y: Any = convolve_blocks(pixels, kernel, scale)
    return y if bias is None else (y + bias).astype(y.dtype)
