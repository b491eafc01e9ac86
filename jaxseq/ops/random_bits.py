"""Random bits by Threefry-2x32 with 20 rounds (Salmon et al. 2011), in one pass over the result.

They are those of `jax.extend.random.threefry_2x32`, the generator of JAX's own keys. `jax.random.bits` runs its rounds
on CPU as a loop over arrays in memory, and gives away half of what comes out, so that a part of an array can be drawn
by itself. Where all of it is drawn at once, and by one device, that takes three times as long.
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
    """`count` random words of 32 bits, the same for the same key; of a key of another generator its last two words."""
    first, second = jax.random.key_data(key).reshape(-1)[-2:]
    blocks = (count + 1) // 2
    halves = _encrypted((first, second), jnp.zeros(blocks, jnp.uint32), lax.iota(jnp.uint32, blocks))
    return jnp.concatenate(halves)[:count]


def _encrypted(key: tuple[Array, Array], x: Array, y: Array) -> tuple[Array, Array]:
    keys = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = x + keys[0], y + keys[1]
    for group in range(_GROUPS):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y
