"""Activation functions with their gradients written out."""

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxseq.ops.shapes import Array


@jax.custom_vjp
def gelu(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016), exact, not its tanh approximation.

    Only reverse-mode differentiation is defined.
    """
    return _forward(x)[0]


def _forward(x: Array) -> tuple[Array, Array]:
    wide = x.astype(jnp.float32)
    below = 0.5 + 0.5 * jax.lax.erf(wide * math.sqrt(0.5))
    slope = below + wide * jnp.exp(-0.5 * wide * wide) * (1 / math.sqrt(2 * math.pi))
    return (wide * below).astype(x.dtype), slope.astype(x.dtype)


def _backward(slope: Array, d_y: Array) -> tuple[Array]:
    return (d_y * slope,)


gelu.defvjp(_forward, _backward)


@jax.custom_vjp
def gelu_tanh(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The approximation of `gelu` by tanh (Hendrycks and Gimpel 2016), as GPT-2 has it.

    Only reverse-mode differentiation is defined.
    """
    return _forward_tanh(x)[0]


def _forward_tanh(x: Array) -> tuple[Array, Array]:
    wide = x.astype(jnp.float32)
    square = jnp.minimum(wide * wide, 1e4)  # from there on it is all or nothing, and must not be infinite
    twice = 2 * math.sqrt(2 / math.pi)
    inner = twice * wide * (1 + 0.044715 * square)
    below, above = jax.nn.sigmoid(inner), jax.nn.sigmoid(-inner)  # 0.5 + 0.5 tanh(inner / 2), more exact far out
    slope = below + wide * below * above * twice * (1 + 3 * 0.044715 * square)
    return (wide * below).astype(x.dtype), slope.astype(x.dtype)


gelu_tanh.defvjp(_forward_tanh, _backward)

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {"gelu": gelu, "gelu_tanh": gelu_tanh}
"""By the name a config has."""
