"""Random words against JAX's own Threefry, and known answers of its authors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import random as jax_random

from jaxseq.ops.random_bits import random_words


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
def test_words_are_those_of_jax_s_generator(count):
    key, blocks = jax.random.key(7), (count + 1) // 2
    counters = jnp.concatenate([jnp.zeros(blocks, jnp.uint32), jnp.arange(blocks, dtype=jnp.uint32)])
    expected = jax_random.threefry_2x32(jax.random.key_data(key), counters) if count else counters
    np.testing.assert_array_equal(random_words(key, count), expected[:count])


def test_the_first_block_is_the_one_that_its_authors_published():
    """Random123's kat_vectors: threefry2x32 20, counter and key 0."""
    key = jax.random.wrap_key_data(jnp.zeros(2, jnp.uint32))
    assert random_words(key, 2).tolist() == [0x6B200159, 0x99BA4EFE]


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg"])
def test_keys_give_words_of_their_own(generator):
    keys = jax.random.split(jax.random.key(0, impl=generator), 8)
    drawn = np.stack([random_words(key, 64) for key in keys])
    assert len(np.unique(drawn)) == drawn.size
    np.testing.assert_array_equal(jax.vmap(lambda key: random_words(key, 64))(keys), drawn)


def test_every_bit_is_set_half_of_the_time():
    drawn = np.unpackbits(np.asarray(random_words(jax.random.key(3), 100_000)).view(np.uint8).reshape(-1, 4), axis=1)
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 5 * 0.5 / 100_000**0.5
