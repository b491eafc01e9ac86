"""Small layers that models share."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Float32

from jaxseq.ops.finite import product
from jaxseq.ops.linear import linear
from jaxseq.ops.normalization import EPSILON, layer_norm
from jaxseq.ops.shapes import Array

WEIGHT_SCALE = 0.02
"""Standard deviation of initial weights, as in GPT-2."""


class LayerNorm(nn.Module):
    """Layer normalisation of vectors; parameters scale [d] and, with `bias`, bias [d]. `epsilon` is added to the
    variance."""

    bias: bool = True
    epsilon: float = EPSILON

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32) if self.bias else None
        return layer_norm(x, scale, bias, self.epsilon)


class Linear(nn.Module):
    """x times kernel [d, features], plus bias [features] with `bias`; products in `dtype`.

    A `transposed` kernel is [features, d]; see `ops.linear`. It starts normal with deviation `initial_scale`, or for
    None uniform as Glorot and Bengio (2010) have it.
    """

    features: int
    bias: bool = True
    transposed: bool = False
    initial_scale: float | None = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float[Array, "*n {self.features}"]:
        shape = (self.features, x.shape[-1]) if self.transposed else (x.shape[-1], self.features)
        scale = self.initial_scale
        initial = nn.initializers.glorot_uniform() if scale is None else nn.initializers.normal(scale)
        kernel = self.param("kernel", initial, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.bias else None
        return linear(x.astype(self.dtype), kernel, bias, self.transposed)


class Dense(nn.Module):
    """x times kernel [d, features], plus bias [features]; products in the type of x.

    Unlike `Linear` it keeps a row of x that is not finite from all but its own result.
    """

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float32[Array, "*n {self.features}"]:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        return product(x, kernel, dtype=x.dtype) + self.param("bias", nn.initializers.zeros, shape[1:], jnp.float32)


class Bias(nn.Module):
    """x plus bias [d]."""

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float32[Array, "*n d"]:
        return x.astype(jnp.float32) + self.param("bias", nn.initializers.zeros, x.shape[-1:], jnp.float32)
