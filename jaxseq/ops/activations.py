"""Activation functions with their gradients written out."""

import math

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
