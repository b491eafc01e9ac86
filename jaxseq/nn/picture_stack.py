"""A stack of convolutions, poolings and upsamplings as one module, which runs all of them at once."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxseq.ops.picture_layers import Convolution, Layer, MaxPool, Upsample
from jaxseq.ops.picture_stack import ConvolutionWeights, Places, run_stack
from jaxseq.ops.shapes import Array

_PREFIXES = {Convolution: "conv", MaxPool: "pool", Upsample: "up"}


class PictureStack(nn.Module):
    """Pictures through `layers`, one after the other, in `dtype`.

    Parameters: of the first convolution, conv_0.kernel [rows, columns, channels, features] and conv_0.bias [features];
    of the second those of conv_1, and so on, transposed ones too. Kernels start uniform as Glorot and Bengio (2010)
    have it, as in Keras, biases at zero.
    """

    layers: tuple[Layer, ...]
    channels: int = 1
    """Of what comes in."""
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        convolutions = [layer for layer in self.layers if isinstance(layer, Convolution)]
        channels = [self.channels, *(layer.features for layer in convolutions)]
        self.conv = [_Kernel(layer, c) for layer, c in zip(convolutions, channels, strict=False)]

    @property
    def features(self) -> int:
        """Channels of what comes out."""
        return [self.channels, *(layer.features for layer in self.layers if isinstance(layer, Convolution))][-1]

    def __call__(
        self, x: Float[Array, "n h w {self.channels}"], *, places: tuple[Places, ...] = (), remember: bool = False
    ) -> tuple[Float[Array, "n rows columns {self.features}"], tuple[Places, ...]]:
        """What comes out, and with `remember` what the poolings leave to an unpooling in another stack; `places` is
        what the stack before this one has left."""
        return run_stack(self.layers, self.weights(), x.astype(self.dtype), places=places, remember=remember)

    def weights(self) -> tuple[ConvolutionWeights | None, ...]:
        """Of each layer, in `dtype`; None of those that have none."""
        kernels = iter(self.conv)
        return tuple(next(kernels)(self.dtype) if isinstance(layer, Convolution) else None for layer in self.layers)


class _Kernel(nn.Module):
    """The parameters of a convolution."""

    layer: Convolution
    channels: int

    @nn.compact
    def __call__(self, dtype: DTypeLike) -> ConvolutionWeights:
        side, features = self.layer.kernel, self.layer.features
        shape = (side, side, self.channels, features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (features,), jnp.float32)
        return ConvolutionWeights(kernel.astype(dtype), bias.astype(dtype))


def layer_names(layers: Sequence[Layer]) -> list[str]:
    """What each is called: conv_0, pool_0, conv_1 and so on; convolutions as their parameters are."""
    counts = dict.fromkeys(_PREFIXES.values(), 0)
    names = []
    for layer in layers:
        prefix = _PREFIXES[type(layer)]
        names.append(f"{prefix}_{counts[prefix]}")
        counts[prefix] += 1
    return names


def layer_kind(layer: Layer) -> str:
    """What it does, in some words: "3 x 3 relu", "max pooling 2"."""
    match layer:
        case Convolution(kernel=side, transposed=transposed, activation=activation, padding=padding):
            return f"{'transposed ' if transposed else ''}{side} x {side} {padding} {activation}"
        case MaxPool(window=window, padding=padding):
            return f"max pooling {window} {padding}"
        case Upsample(kind=kind, factor=factor):
            return f"{kind} {factor}"
