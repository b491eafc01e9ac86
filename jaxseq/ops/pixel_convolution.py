"""Convolutions that read pixels of 8 bits as they are."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, UInt8

from jaxseq.ops.block_convolution import convolve_blocks, is_of_blocks
from jaxseq.ops.convolution import convolve
from jaxseq.ops.shapes import Array, is_open
from jaxseq.ops.spatial import Padding, PerAxis, windows


class PixelScale(NamedTuple):
    """How pixels of 8 bits become numbers: over 255, less the mean of their channel, over its deviation."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, pixels: UInt8[Array, "*n d"]) -> Float[Array, "*n d"]:
        """float32."""
        mean, factor = self.arrays()
        return (pixels.astype(jnp.float32) - mean) * factor

    def arrays(self) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """What is taken off a pixel of 0 to 255, and what the rest is multiplied by; float32."""
        mean, deviation = (jnp.asarray(each, jnp.float32) for each in self)
        return 255 * mean, 1 / (255 * deviation)


def convolve_pixels(
    pixels: UInt8[Array, "b h w d"],
    kernel: Float[Array, "k l d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    scale: PixelScale,
    stride: PerAxis = 1,
    padding: Padding = "valid",
    dtype: DTypeLike = jnp.float32,
) -> Float[Array, "b rows columns f"]:
    """`convolve` of what `scale` makes of the pixels; products and result are of `dtype`.

    On a CPU, where windows neither overlap nor leave gaps, it is the kernel that is scaled: a picture of floats, four
    times as large, is never in memory.

    Raises:
        ValueError: as `spatial.windows` has it.
    """
    geometry = windows(pixels.shape[1:-1], kernel.shape[:-2], stride, 1, padding)
    if jax.default_backend() != "cpu" or is_open(pixels.shape[0]) or not is_of_blocks(geometry):
        return convolve(scale(pixels).astype(dtype), kernel, bias, stride=stride, padding=padding)
    mean, factor = scale.arrays()
    y: Any = convolve_blocks(pixels, kernel * factor[:, None], dtype)
    offset = -(kernel * (mean * factor)[:, None]).sum((0, 1, 2))
    return (y + (offset if bias is None else offset + bias)).astype(y.dtype)
