"""A convolution along time as a layer with a carry; what it computes stands in `ops.causal_convolution`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32

from jaxseq.ops.causal_convolution import causal_convolve
from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import per_axis


class ConvCarry(NamedTuple):
    """What a causal convolution remembers."""

    inputs: Float32[Array, "b n d"]
    """The last (kernel_size - 1) * dilation real inputs, the newest last; zeros where there were not so many."""


class ConvStepWeights(NamedTuple):
    """A causal convolution's parameters as single steps take them."""

    kernel: Float[Array, "n f"]
    """The places of the window one below the other, [kernel_size * d, f]."""
    bias: Float[Array, " f"] | None


class CausalConv(nn.Module):
    """A `jaxseq.nn.SequenceLayer`: x [b, t, d] convolved along time; an output knows its own input and those before.

    Before the first input there are zeros, as in Keras's `Conv1D(padding="causal")`. Padding is passed over wherever it
    stands: windows go across it.

    Parameters: kernel [kernel_size, d, features], of which the last place is that of the newest input, Glorot-uniform
    at first; and bias [features], zeros at first.

    Attributes:
        inputs: d, which the carry has to know; None for `features`.
        dilation: Steps between the places of a window.
        dtype: Type of products and outputs; the carry is float32.
    """

    features: int
    kernel_size: int
    inputs: int | None = None
    dilation: int = 1
    bias: bool = True
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        for name in ("kernel_size", "dilation"):
            per_axis(getattr(self, name), 1, name)
        super().__post_init__()

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> ConvCarry:
        """Zeros, leading axis batch."""
        return ConvCarry(jnp.zeros((batch_size, (self.kernel_size - 1) * self.dilation, self._width()), jnp.float32))

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        carry: ConvCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t {self.features}"], ConvCarry]:
        """Outputs and the carry after the last step; the arguments are the carry contract's.

        Raises:
            ValueError: x has not the width that the carry has.
        """
        if x.shape[-1] != self._width():
            raise ValueError(f"x has {x.shape[-1]} channels and the carry {self._width()}: give inputs={x.shape[-1]}")
        shape = (self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.bias else None
        past = (self.initial_carry(len(x)) if carry is None else carry).inputs
        options = {"dilation": self.dilation, "mask": mask, "reset": reset, "guard": guard}
        y, past = causal_convolve(x, past, kernel.astype(self.dtype), bias, **options)
        return y, ConvCarry(past)

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> ConvStepWeights:
        """`params` as `step` takes them."""
        return ConvStepWeights(params["kernel"].reshape(-1, self.features).astype(self.dtype), params.get("bias"))

    @nn.nowrap
    def step(
        self, weights: ConvStepWeights, x: Float[Array, "b d"], carry: ConvCarry
    ) -> tuple[Float[Array, "b {self.features}"], ConvCarry]:
        """Output and the carry after one step."""
        joined = jnp.concatenate([carry.inputs, x[:, None].astype(jnp.float32)], axis=1)
        window = joined[:, :: self.dilation].reshape(len(x), -1)
        y = window.astype(weights.kernel.dtype) @ weights.kernel
        y = y if weights.bias is None else (y + weights.bias).astype(y.dtype)
        return y, ConvCarry(joined[:, 1:])

    @nn.nowrap
    def _width(self) -> int:
        return self.features if self.inputs is None else self.inputs
