"""Position codes that stay exact however long a stream gets.

An angle is a position times a frequency. In float32 it is off by 0.06 rad at position 1,000,000; here it is an integer
product in units of 2**-64 turns that wraps around by itself, of which the upper half counts. So an angle is off by less
than 1e-6 rad at any position, and the angle between two positions depends on nothing but their distance.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, Int

from jaxseq.ops.shapes import Array

WAVELENGTHS = 10_000.0
"""Ratio of the longest wavelength to the shortest (2 pi tokens), as published for both codes."""

Rotation = tuple[Float32[Array, "#b t w"], Float32[Array, "#b t w"]]
"""Cosines and sines that turn the w pairs of elements of a head."""


def angles(positions: Int[Array, "*n"], count: int) -> Float32[Array, "*n {count}"]:
    """positions times the frequencies WAVELENGTHS ** (-i / count), modulo 2 pi."""
    turns = WAVELENGTHS ** (-np.arange(count) / count) / (2 * math.pi)
    units = [int(turn * 2.0**64) for turn in turns]  # all 53 bits of the float; uint64 is for JAX a matter of settings
    upper, lower = (np.array([unit >> shift & 0xFFFFFFFF for unit in units], np.uint32) for shift in (32, 0))
    position = positions[..., None].astype(jnp.uint32)
    product = position * upper + _upper_half(position, lower)
    # As uint32 a position below 0 has become one that is 2**32 higher.
    product = product - jnp.where(positions[..., None] < 0, lower, jnp.uint32(0))
    return product.astype(jnp.float32) * np.float32(2 * math.pi / 2.0**32)


def _upper_half(a: Array, b: np.ndarray) -> Array:
    """The upper 32 bits of the 64 of the products of uint32, by schoolbook multiplication."""
    a_high, a_low, b_high, b_low = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    first = a_high * b_low + (a_low * b_low >> 16)
    second = a_low * b_high + (first & 0xFFFF)
    return a_high * b_high + (first >> 16) + (second >> 16)


def sinusoidal(positions: Int[Array, "*n"], features: int) -> Float32[Array, "*n {features}"]:
    """Codes of positions: sines, then cosines (Vaswani et al. 2017)."""
    phase = angles(positions, (features + 1) // 2)
    return jnp.concatenate([jnp.sin(phase), jnp.cos(phase)[..., : features // 2]], axis=-1)


def rotary_factors(positions: Int[Array, "#b t"], width: int) -> Rotation:
    """Of positions, for `rotate` to turn heads of this width."""
    phase = angles(positions, width // 2)
    return jnp.cos(phase), jnp.sin(phase)


def rotate(x: Float[Array, "b t h k"], factors: Rotation) -> Float[Array, "b t h k"]:
    """Heads turned by their positions (Su et al. 2021, RoFormer).

    Element i of the first half and element i of the second half of a head are the pair that turns together.
    """
    cosine, sine = (factor[:, :, None, :] for factor in factors)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
    return turned.astype(x.dtype)
