"""Small layers that models share."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.ops.finite import product
from jaxseq.ops.linear import linear
from jaxseq.ops.normalization import layer_norm

WEIGHT_SCALE = 0.02
"""Standard deviation of initial weights, as in GPT-2."""


class LayerNorm(nn.Module):
    """Layer normalisation of x [..., d]; parameters scale [d] and, with `bias`, bias [d]."""

    bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        return layer_norm(
            x, scale, self.param("bias", nn.initializers.zeros, shape, jnp.float32) if self.bias else None
        )


class Linear(nn.Module):
    """x [..., d] times kernel [d, features], plus bias [features] with `bias`; products in `dtype`.

    A `transposed` kernel is [features, d]; see `ops.linear`.
    """

    features: int
    bias: bool = True
    transposed: bool = False
    initial_scale: float = WEIGHT_SCALE
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.features, x.shape[-1]) if self.transposed else (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(self.initial_scale), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.bias else None
        return linear(x.astype(self.dtype), kernel, bias, self.transposed)


class Dense(nn.Module):
    """x [..., d] times kernel [d, features], plus bias [features], float32; products in the type of x.

    Unlike `Linear` it keeps a row of x that is not finite from all but its own result.
    """

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        return product(x, kernel, dtype=x.dtype) + self.param("bias", nn.initializers.zeros, shape[1:], jnp.float32)


class Bias(nn.Module):
    """x [..., d] plus bias [d], float32."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x.astype(jnp.float32) + self.param("bias", nn.initializers.zeros, x.shape[-1:], jnp.float32)
