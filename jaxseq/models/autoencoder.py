"""A convolutional autoencoder: pictures to a small code, and back up."""

from collections.abc import Sequence
from itertools import chain
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxseq.nn.picture_stack import PictureStack
from jaxseq.ops.picture_layers import Convolution, Layer, MaxPool, Shape, Upsample, output_shapes
from jaxseq.ops.picture_stack import ConvolutionWeights, run_stack
from jaxseq.ops.shapes import Array

Padding = Literal["same", "valid"]


class Autoencoder(nn.Module):
    """Pictures [n, h, w, c] in 0 to 1 to the logits of their pixels.

    The encoder is a convolution with relu for each of `filters`, with max-pooling behind the first `poolings` of them;
    what comes out is the code. The decoder has the same filters from the last to the first, with upsampling behind the
    first `upsamplings` of them, and one convolution more that makes pixels.

    Parameters: those of two `nn.PictureStack`, encoder and decoder.
    """

    channels: int = 1
    filters: tuple[int, ...] = (16, 8, 4)
    kernel: int = 3
    padding: Padding = "same"
    poolings: int = 3
    pool_padding: Padding = "same"
    factor: int = 2
    transposed: bool = False
    upsampling: Literal["nearest", "nails", "unpool"] = "nearest"
    upsamplings: int = 3
    decoder_padding: tuple[Padding, ...] = ("same", "same", "valid")
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        self.encoder = PictureStack(self.encoder_layers, self.channels, self.dtype)
        self.decoder = PictureStack(self.decoder_layers, self.filters[-1], self.dtype)

    @property
    def encoder_layers(self) -> tuple[Layer, ...]:
        """From pictures to codes."""
        convolutions = [Convolution(features, self.kernel, self.padding) for features in self.filters]
        return _interleaved(convolutions, [MaxPool(self.factor, self.pool_padding)] * self.poolings)

    @property
    def decoder_layers(self) -> tuple[Layer, ...]:
        """From codes to logits."""
        convolutions = [
            Convolution(features, self.kernel, padding, self.transposed)
            for features, padding in zip(reversed(self.filters), self._paddings, strict=True)
        ]
        up = _interleaved(convolutions, [Upsample(self.upsampling, self.factor)] * self.upsamplings)
        return (*up, Convolution(self.channels, self.kernel, "same", self.transposed, activation="linear"))

    @property
    def _paddings(self) -> tuple[Padding, ...]:
        return self.decoder_padding * (len(self.filters) if len(self.decoder_padding) == 1 else 1)

    def shapes(self, height: int, width: int) -> tuple[list[Shape], list[Shape]]:
        """[h, w, c] after each layer of the encoder, and of the decoder, for pictures of this size.

        Raises:
            ValueError: they are too small for a layer, an unpooling has no pooling to undo, or what comes out is of
                another size.
        """
        layers = self.encoder_layers
        shapes = output_shapes((*layers, *self.decoder_layers), (height, width, self.channels))
        encoder, decoder = shapes[: len(layers)], shapes[len(layers) :]
        if decoder[-1][:2] != (height, width):
            raise ValueError(
                f"pictures of {height} x {width} come back as {decoder[-1][0]} x {decoder[-1][1]} (by way of "
                f"{_sizes(encoder)} and {_sizes(decoder)})"
            )
        return encoder, decoder

    def __call__(self, pictures: Float[Array, "n h w {self.channels}"]) -> Float[Array, "n h w {self.channels}"]:
        """Logits of pixels, in `dtype`; the whole way is one stack."""
        layers = (*self.encoder_layers, *self.decoder_layers)
        return run_stack(layers, self.weights(), pictures.astype(self.dtype))[0]

    def weights(self) -> tuple[ConvolutionWeights | None, ...]:
        """Of each layer, in `dtype`; `init` with this method needs no picture."""
        return (*self.encoder.weights(), *self.decoder.weights())

    def encode(self, pictures: Float[Array, "n h w {self.channels}"]) -> Float[Array, "n rows columns d"]:
        """Codes."""
        return self.encoder(pictures)[0]


def _interleaved(convolutions: Sequence[Layer], others: Sequence[Layer]) -> tuple[Layer, ...]:
    """Each convolution, and behind the first ones one of the others."""
    behind = [[layer] for layer in others] + [[]] * (len(convolutions) - len(others))
    return tuple(chain.from_iterable([one, *more] for one, more in zip(convolutions, behind, strict=True)))


def _sizes(shapes: Sequence[Shape]) -> str:
    sizes = [f"{height} x {width}" for height, width, _ in shapes]
    return ", ".join(size for i, size in enumerate(sizes) if i == 0 or size != sizes[i - 1])
