"""The bits of `jax.random.bits`, in one pass.

JAX runs the twenty rounds of its generator, Threefry-2x32 (Salmon et al. 2011), on CPU as a loop over arrays in memory.
Here they are written out, so that a number stays in registers from its count to where it is used: about half the time.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PRNGKeyArray, UInt32

from jaxseq.ops.shapes import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_GROUPS = 5
"""Of four rounds, after each of which a part of the key comes in."""


def random_words(key: PRNGKeyArray, count: int) -> UInt32[Array, " {count}"]:
    """`jax.random.bits(key, (count,), "uint32")`, of keys of any generator; of Threefry's as JAX has them unless
    jax_threefry_partitionable is switched off."""
    if str(jax.random.key_impl(key)) != "threefry2x32":
        return jax.random.bits(key, (count,), jnp.uint32)
    first, second = jax.random.key_data(key)
    x, y = _encrypted((first, second), jnp.zeros(count, jnp.uint32), lax.iota(jnp.uint32, count))
    return x ^ y


def _encrypted(key: tuple[Array, Array], x: Array, y: Array) -> tuple[Array, Array]:
    keys = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = x + keys[0], y + keys[1]
    for group in range(_GROUPS):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y
