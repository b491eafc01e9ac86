"""Random words against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops.random_bits import random_words


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg"])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100_001])
def test_words_are_those_of_jax(generator, count):
    key = jax.random.key(7, impl=generator)
    expected = jax.random.bits(key, (count,), jnp.uint32)
    np.testing.assert_array_equal(random_words(key, count), expected)
    np.testing.assert_array_equal(jax.jit(lambda key: random_words(key, count))(key), expected)


def test_many_keys_at_once_give_each_its_own():
    keys = jax.random.split(jax.random.key(0), 8)
    drawn = jax.vmap(lambda key: random_words(key, 64))(keys)
    np.testing.assert_array_equal(drawn, [jax.random.bits(key, (64,), jnp.uint32) for key in keys])


def test_a_key_may_be_two_plain_numbers():
    """As `jax.random.PRNGKey` makes them."""
    np.testing.assert_array_equal(random_words(jax.random.PRNGKey(3), 9), random_words(jax.random.key(3), 9))
