"""Dropout from 16 random bits an element: half the cost of a uniform float, which on CPU is most of what it takes."""

import math

import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, Float32, PRNGKeyArray

from jaxseq.ops.random_bits import random_words
from jaxseq.ops.shapes import Array

_FINE = 2.0**-10
"""Rates closer than this to 0 or 1 take 32 bits."""


def dropout_mask(key: PRNGKeyArray, rate: float, shape: tuple[int, ...]) -> Float32[Array, "..."]:
    """Factors of `shape`: 0 with a probability p of about `rate`, else 1 / (1 - p), so that their mean is 1.

    p is `rate` rounded to 16 bits, off by 2^-17 at most, which is less than 1 % of p and of 1 - p; for rates within
    2^-10 of 0 or 1 it is rounded to 32 bits, off by 2^-33, and never 1.

    Raises:
        ValueError: the rate is not from 0 up to 1, 1 excluded.
    """
    threshold, bits = kept_from(rate)
    n = math.prod(shape)
    if bits == 16:
        words = random_words(key, (n + 1) // 2)
        drawn = lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[:n].reshape(shape)
        kept = drawn >= jnp.uint16(threshold)
    else:
        kept = random_words(key, n).reshape(shape) >= jnp.uint32(threshold)
    return jnp.where(kept, jnp.float32(1 / (1 - threshold / 2.0**bits)), jnp.float32(0))


def kept_from(rate: float) -> tuple[int, int]:
    """(threshold, bits): of the numbers of so many bits those from the threshold on are kept, the others dropped."""
    if not 0 <= rate < 1:
        raise ValueError(f"a dropout rate of {rate} cannot be used: give one from 0 up to 1, 1 excluded")
    bits = 16 if _FINE <= rate <= 1 - _FINE else 32
    return min(round(rate * 2**bits), 2**bits - 1), bits


def dropout(
    x: Float[Array, "*n"], rate: float, key: PRNGKeyArray, *, shared_axes: tuple[int, ...] = ()
) -> Float[Array, "*n"]:
    """`x` with elements dropped at `rate` and the rest scaled up; along `shared_axes` all share one choice.

    One choice for all steps (`shared_axes=(1,)` for x [b, t, d]) is variational dropout (Gal and Ghahramani 2016).
    """
    shape = tuple(1 if axis in shared_axes else size for axis, size in enumerate(x.shape))
    return x * dropout_mask(key, rate, shape).astype(x.dtype)
