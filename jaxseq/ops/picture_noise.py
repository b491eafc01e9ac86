"""Noise on pictures, as denoising autoencoders read them (Vincent et al. 2008)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray, UInt8, UInt32

from jaxseq.ops.random_bits import random_words
from jaxseq.ops.shapes import Array


def noisy(pictures: Float[Array, "n h w c"], deviation: float, key: PRNGKeyArray) -> Float[Array, "n h w c"]:
    """Pictures in 0 to 1 with normal noise added, cut off below 0 and above 1."""
    return jnp.clip(pictures + deviation * jax.random.normal(key, pictures.shape, pictures.dtype), 0, 1)


def noisy_by_content(pictures: UInt8[Array, "n h w c"], deviation: float) -> Float[Array, "n h w c"]:
    """The same of pixels 0 to 255, with noise that follows from the picture: whatever batch it is in and wherever it
    stands there, it is the same each time, and two pictures have nothing to do with each other."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), _numbers(pictures))
    return jax.vmap(lambda picture, key: noisy(picture[None], deviation, key)[0])(pictures / jnp.float32(255), keys)


def _numbers(pictures: Array) -> UInt32[Array, " n"]:
    """A number for each picture: a sum of its pixels, each times an odd number of its own, modulo 2^32."""
    pixels = pictures.reshape(len(pictures), -1).astype(jnp.uint32)
    return (pixels * (random_words(jax.random.key(1), pixels.shape[1]) | 1)).sum(axis=1, dtype=jnp.uint32)
