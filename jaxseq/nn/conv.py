"""Convolutional layers: they declare parameters and call `ops.convolution`.

x is [b, t, d] or [b, h, w, d]. Parameters of both: kernel [k, d, features] or [k, k, d, features], Glorot-uniform at
first, and bias [features], zeros at first. A number for kernel_size, stride or dilation stands for the same along all
axes.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.ops.convolution import convolve, convolve_transposed
from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import Convention, Padding, per_axis


class Conv(nn.Module):
    """A convolution; products and results in `dtype`.

    Attributes:
        padding: "valid", "same", or a pair (before, behind) for each axis; see `ops.spatial.Padding`.
    """

    features: int
    kernel_size: int | Sequence[int]
    stride: int | Sequence[int] = 1
    dilation: int | Sequence[int] = 1
    padding: Padding = "valid"
    bias: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b *n d"], *, mask: Bool[Array, "b t"] | None = None
    ) -> Float[Array, "b *m {self.features}"]:
        """The convolution of x.

        Args:
            mask: Of x [b, t, d], False on padding, which is zeros to the windows that see it, whatever it holds, and
                has outputs of zeros.

        Raises:
            ValueError: as `convolve` has it; or a mask does not have a step for each of x and each output.
        """
        kernel, bias = _parameters(self, x)
        x = x.astype(self.dtype)
        if mask is not None:
            if mask.shape != x.shape[:-1]:
                raise ValueError(f"a mask of shape {mask.shape} is not one of x {x.shape}: give a bool for each vector")
            x = jnp.where(mask[..., None], x, 0)
        y = convolve(x, kernel, bias, stride=self.stride, dilation=self.dilation, padding=self.padding)
        if mask is None:
            return y
        if mask.shape[1] != y.shape[1]:
            raise ValueError(
                f"a mask of {mask.shape[1]} steps is not one of {y.shape[1]} outputs: give as many of these as steps, "
                "by stride 1 and padding 'same'"
            )
        return jnp.where(mask[..., None], y, 0)


class ConvTranspose(nn.Module):
    """A transposed convolution, back to where a convolution with the same attributes came from; products and results in
    `dtype`.

    Attributes:
        padding: As in `Conv`.
        convention: Whose sizes and whose "same"; see `ops.spatial.transposed_windows`.
    """

    features: int
    kernel_size: int | Sequence[int]
    stride: int | Sequence[int] = 1
    dilation: int | Sequence[int] = 1
    padding: Padding = "valid"
    convention: Convention = "keras"
    bias: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b *n d"], *, output_size: int | Sequence[int] | None = None
    ) -> Float[Array, "b *m {self.features}"]:
        """The transposed convolution of x, of `output_size` where several are possible.

        Raises:
            ValueError: as `convolve_transposed` has it.
        """
        kernel, bias = _parameters(self, x)
        return convolve_transposed(
            x.astype(self.dtype),
            kernel,
            bias,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.padding,
            output_size=output_size,
            convention=self.convention,
        )


def _parameters(layer: Conv | ConvTranspose, x: Array) -> tuple[Array, Array | None]:
    """Kernel and bias of a layer for x."""
    shape = (*per_axis(layer.kernel_size, x.ndim - 2, "kernel_size"), x.shape[-1], layer.features)
    kernel = layer.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
    return kernel, layer.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32) if layer.bias else None
