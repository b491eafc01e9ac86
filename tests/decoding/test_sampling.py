from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from toy_model import ToyModel

from jaxseq.decoding import Sampling, sample_tokens
from jaxseq.decoding.sampling import draw, position_noise

MODEL = ToyModel(23)
PARAMS = MODEL.init(0)


def assert_distributed(tokens: np.ndarray, probabilities: np.ndarray) -> None:
    """Pearson's test; a right sampler fails it for one seed in 10,000, and the seeds here are fixed."""
    counts = np.bincount(tokens, minlength=len(probabilities))
    possible = probabilities > 0
    assert counts[~possible].sum() == 0, "a token of probability 0 was drawn"
    expected = probabilities[possible] * counts.sum()
    assert scipy.stats.chisquare(counts[possible], expected).pvalue > 1e-4


@pytest.mark.parametrize("size", [2, 3, 17, 181, 1000])
def test_draws_follow_the_softmax(size):
    logits = np.random.default_rng(size).normal(size=size).astype(np.float32)
    logits[size // 3 :: 4] = -np.inf
    logits[0] = 0
    uniform = position_noise(jax.random.key(0), rows=1000, start=0, length=200).ravel()
    tokens = jax.jit(jax.vmap(lambda u: draw(logits[None], u[None])[0]))(uniform)
    mass = np.exp(logits.astype(np.float64))
    assert_distributed(np.asarray(tokens), mass / mass.sum())


def test_draws_invert_the_cumulative_distribution():
    logits = jnp.log(jnp.array([[0.2, 0.0, 0.5, 0.1, 0.0, 0.2, 0.0]]))
    cuts = [(1e-7, 0), (0.199, 0), (0.201, 2), (0.699, 2), (0.701, 3), (0.799, 3), (0.801, 5), (1 - 2.0**-24, 5)]
    for uniform, token in cuts:
        assert draw(logits, jnp.array([uniform])).tolist() == [token]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from([-np.inf, -100.0, -20.0, -1.0, 0.0]), min_size=1, max_size=40), st.integers(0, 2**23 - 1)
)
def test_a_token_of_probability_zero_is_never_drawn(logits, number):
    logits = np.array([[*logits, 0.0]], np.float32)
    padded = np.concatenate([np.full((1, 41 - logits.shape[1]), -np.inf, np.float32), logits], axis=1)
    for uniform in (number * 2.0**-23 + 2.0**-24, 2.0**-24, 1 - 2.0**-24):
        assert padded[0, int(draw(padded, jnp.array([uniform], jnp.float32))[0])] > -100.0


def test_the_whole_loop_follows_the_filtered_distribution():
    """Two steps of 40,000 rows; the second token's distribution is that after the first one."""
    table = np.random.default_rng(1).normal(size=(12, 12), scale=2).astype(np.float32)
    sampling = Sampling(temperature=0.8, top_k=9, top_p=0.9, min_p=0.02)
    first = np.tile(table[0], (40_000, 1))
    sample = jax.jit(
        partial(sample_tokens, lambda tokens, carry: (jnp.asarray(table)[tokens], carry), length=2, sampling=sampling)
    )
    tokens = np.asarray(sample(first, (), jax.random.key(3))[0])

    def probabilities(logits):
        order = np.argsort(-logits)[:9]
        mass = np.exp(logits[order].astype(np.float64) / 0.8)
        mass = np.where((np.cumsum(mass) - mass) / mass.sum() < 0.9, mass, 0)
        mass = np.where(mass >= 0.02 * mass[0], mass, 0)
        result = np.zeros(12)
        result[order] = mass / mass.sum()
        return result

    assert_distributed(tokens[:, 0], probabilities(table[0]))
    common = np.bincount(tokens[:, 0]).argmax()
    second = tokens[tokens[:, 0] == common, 1]
    assert_distributed(second, probabilities(table[common]))


@partial(jax.jit, static_argnames=("length", "sampling"))
def sample(logits, carry, key, start, count, *, length, sampling):
    step_fn = partial(MODEL.decode_step, jax.tree.map(jnp.asarray, PARAMS))
    return sample_tokens(step_fn, logits, carry, key, length=length, sampling=sampling, start=start, count=count)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 16), min_size=1, max_size=8))
def test_a_sample_is_the_same_in_whatever_pieces_it_is_made(pieces):
    logits, carry, key = np.zeros((3, 23), np.float32), MODEL.initial_carry(3), jax.random.key(5)
    sampling = Sampling(top_p=0.7)
    whole, last_logits, last_carry = sample(logits, carry, key, 0, sum(pieces), length=128, sampling=sampling)
    made = []
    for count in pieces:
        start = sum(map(len, made))
        tokens, logits, carry = sample(logits, carry, key, start, count, length=16, sampling=sampling)
        assert not np.asarray(tokens)[:, count:].any()
        made.append(np.asarray(tokens)[:, :count].T)
    np.testing.assert_array_equal(np.concatenate(made).T, np.asarray(whole)[:, : sum(pieces)])
    np.testing.assert_array_equal(logits, last_logits)
    np.testing.assert_array_equal(carry, last_carry)


def test_noise_of_a_row_and_position_depends_on_nothing_else():
    key = jax.random.key(9)
    whole = np.asarray(position_noise(key, rows=7, start=0, length=40))
    np.testing.assert_array_equal(position_noise(key, rows=2, start=11, length=5), whole[11:16, :2])
    assert len(np.unique(whole)) == whole.size
    assert 0 < whole.min() < whole.max() < 1
    assert not np.array_equal(whole, position_noise(jax.random.key(10), rows=7, start=0, length=40))
