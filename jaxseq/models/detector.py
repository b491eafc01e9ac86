"""Convolutions over a picture, and one linear unit that says whether something is in it."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Float32, UInt8

from jaxseq.nn.conv import Conv
from jaxseq.nn.layers import Linear
from jaxseq.ops.pixel_convolution import PixelScale, convolve_pixels
from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial_pooling import max_pool


class PixelConv(nn.Module):
    """The first convolution of a picture, which scales its pixels; parameters as those of `nn.Conv`."""

    features: int
    kernel_size: int
    scale: PixelScale
    stride: int = 1
    padding: Literal["valid", "same"] = "valid"
    bias: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, pixels: UInt8[Array, "b h w d"]) -> Float[Array, "b rows columns {self.features}"]:
        shape = (self.kernel_size, self.kernel_size, pixels.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32) if self.bias else None
        options = {"stride": self.stride, "padding": self.padding, "dtype": self.dtype}
        return convolve_pixels(pixels, kernel, bias, scale=self.scale, **options)


class Detector(nn.Module):
    """Logits of pictures.

    The linear unit begins at zero: what it has then comes from pictures alone, where drawn weights, a million of them,
    would go on saying something about places that few pictures tell of.

    Attributes:
        scale: What becomes of the pixels first.
        filters: Of each convolution; none leaves the linear unit alone. ReLU follows each.
        kernel: Rows and columns of all kernels.
        stride: Of all convolutions.
        pool: Rows and columns of the windows of a max-pooling behind each convolution; 1 has none.
        places: What the unit sees: all numbers of the last map ("each"), or of each filter the mean or the maximum over
            all places, so that it cannot tell where.
        bias: Of all layers.
    """

    scale: PixelScale
    filters: tuple[int, ...] = (16,)
    kernel: int = 5
    stride: int = 5
    padding: Literal["valid", "same"] = "valid"
    pool: int = 1
    places: Literal["each", "mean", "max"] = "each"
    bias: bool = False
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        options = {"stride": self.stride, "padding": self.padding, "bias": self.bias, "dtype": self.dtype}
        self.convolution = [
            Conv(features, self.kernel, **options) if at else PixelConv(features, self.kernel, self.scale, **options)
            for at, features in enumerate(self.filters)
        ]
        # Transposed, so that the gradient of its kernel takes no transposed copy of a map.
        self.unit = Linear(1, self.bias, transposed=True, initial_scale=0.0, dtype=self.dtype)

    def __call__(self, pictures: UInt8[Array, "b h w d"]) -> Float32[Array, " b"]:
        """One for each picture."""
        x = self.maps(pictures)
        if self.places != "each":
            x = x.mean(axis=(1, 2)) if self.places == "mean" else x.max(axis=(1, 2))
        return self.unit(x.reshape(x.shape[0], -1))[:, 0].astype(jnp.float32)

    def maps(self, pictures: UInt8[Array, "b h w d"]) -> Float[Array, "b rows columns f"]:
        """The last map, or the scaled picture where there is no convolution."""
        if not self.filters:
            return self.scale(pictures).astype(self.dtype)
        x: Array = pictures
        for convolution in self.convolution:
            x = nn.relu(convolution(x))
            x = x if self.pool == 1 else max_pool(x, self.pool)
        return x
