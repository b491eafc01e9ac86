"""Position codes that stay exact however long a stream gets.

An angle is a position times a frequency. In float32 it is off by 0.06 rad at position 1,000,000; here it is an integer
product in units of 2**-32 turns that wraps around by itself, so the angle between two positions depends on nothing
but their distance.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

WAVELENGTHS = 10_000.0
"""Ratio of the longest wavelength to the shortest (2 pi tokens), as published for both codes."""


def angles(positions: Array, count: int) -> Array:
    """positions [...] int32 times the frequencies WAVELENGTHS ** (-i / count), modulo 2 pi: [..., count] float32."""
    turns = WAVELENGTHS ** (-np.arange(count) / count) / (2 * math.pi)
    units = np.round(turns * 2.0**32).astype(np.uint32)
    return (positions[..., None].astype(jnp.uint32) * units).astype(jnp.float32) * (2 * math.pi / 2.0**32)


def sinusoidal(positions: Array, features: int) -> Array:
    """Codes [..., features] float32 of positions [...]: sines, then cosines (Vaswani et al. 2017)."""
    phase = angles(positions, (features + 1) // 2)
    return jnp.concatenate([jnp.sin(phase), jnp.cos(phase)[..., : features // 2]], axis=-1)


def rotary_factors(positions: Array, width: int) -> tuple[Array, Array]:
    """Cosines and sines [..., width // 2] float32 for `rotate`, of positions [...]."""
    phase = angles(positions, width // 2)
    return jnp.cos(phase), jnp.sin(phase)


def rotate(x: Array, factors: tuple[Array, Array]) -> Array:
    """Heads x [b, t, h, width] turned by their positions; factors [b, t, width // 2] (Su et al. 2021, RoFormer).

    Element i of the first half and element i of the second half of a head are the pair that turns together.
    """
    cosine, sine = (factor[:, :, None, :] for factor in factors)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
    return turned.astype(x.dtype)
