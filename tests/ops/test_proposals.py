"""Draws of words: their chances, exactly and by count, and that they are pure in the key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.proposals import Proposal, _unit

RNG = np.random.default_rng(0)
COUNTS = np.array([40, 0, 25, 9, 9, 3, 1, 1])


def by_hand(probabilities, samples):
    """Chances in proportion, those above 1 cut to 1 one at a time, the largest first."""
    chances = np.ones(len(probabilities))
    free = list(np.argsort(probabilities))
    while free:
        scale = (samples - (len(probabilities) - len(free))) / sum(probabilities[i] for i in free)
        if probabilities[free[-1]] * scale < 1:
            for i in free:
                chances[i] = probabilities[i] * scale
            return chances
        free.pop()
    return chances


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.data())
def test_the_chances_are_in_proportion_but_none_above_one_and_add_up_to_the_samples(counts, data):
    samples = data.draw(st.integers(1, len(counts)))
    probabilities = np.array(counts) / sum(counts)
    proposal = Proposal.of(probabilities, samples=samples)
    assert proposal.widths.sum() == samples * _unit(samples) < 2**31
    np.testing.assert_allclose(proposal.chances, by_hand(probabilities, samples), rtol=1e-6, atol=2 / _unit(samples))


@settings(deadline=None, max_examples=20)  # each compiles
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.data())
def test_a_draw_has_no_word_twice_and_those_of_chance_one_always(counts, data):
    samples = data.draw(st.integers(1, len(counts)))
    proposal = Proposal.unigram(np.array(counts), samples=samples)
    ids = np.asarray(proposal.at(jnp.int32(data.draw(st.integers(0, _unit(samples) - 1)))))
    assert (np.diff(ids) > 0).all()
    assert len(ids) == samples
    assert set(np.flatnonzero(proposal.chances == 1)) <= set(ids)


def test_over_all_starts_every_word_is_drawn_as_often_as_its_chance_says():
    """An even grid of starts hits an interval as often as it is wide, to one start."""
    proposal = Proposal.unigram(COUNTS, samples=3)
    starts = np.arange(0, _unit(3), _unit(3) // 4096, dtype=np.int32)
    drawn = np.bincount(np.asarray(jax.vmap(proposal.at)(starts)).ravel(), minlength=8) / len(starts)
    np.testing.assert_allclose(drawn, proposal.chances, atol=2 / 4096)


@pytest.mark.parametrize("proposal", [Proposal.log_uniform(50, samples=7), Proposal.unigram(COUNTS, samples=2)])
def test_words_drawn_by_many_keys_have_their_chances(proposal):
    stats = pytest.importorskip("scipy.stats")
    draws = np.asarray(jax.vmap(proposal.draw)(jax.random.split(jax.random.key(3), 4000)))
    # Within a draw words are not independent; one of each draw, picked by another source, is.
    picked = draws[np.arange(4000), RNG.integers(0, proposal.samples, 4000)]
    observed = np.bincount(picked, minlength=len(proposal.widths))
    expected = proposal.chances / proposal.samples * 4000
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_the_chances_by_rank_are_those_of_tensorflow_s_log_uniform_sampler():
    """tf.random.log_uniform_candidate_sampler: P(id) = (log(id + 2) - log(id + 1)) / log(range_max + 1)."""
    proposal = Proposal.log_uniform(1000, samples=1)
    expected = [(np.log(i + 2) - np.log(i + 1)) / np.log(1001) for i in range(1000)]
    np.testing.assert_allclose(proposal.chances, expected, rtol=1e-5)
    np.testing.assert_allclose(proposal.log_expected(), np.log(expected), rtol=1e-5)


def test_a_count_of_zero_is_taken_for_one():
    chances = Proposal.unigram(COUNTS, samples=1, power=1.0).chances
    np.testing.assert_allclose(chances, np.maximum(COUNTS, 1) / 89, rtol=1e-6)


def test_with_as_many_samples_as_words_all_are_drawn():
    proposal = Proposal.unigram(COUNTS, samples=8)
    np.testing.assert_array_equal(proposal.draw(jax.random.key(0)), np.arange(8))
    assert not np.asarray(proposal.log_expected()).any()


def test_a_draw_is_pure_in_its_key_and_no_two_keys_have_the_same():
    proposal = Proposal.log_uniform(1000, samples=20)
    draws = [np.asarray(jax.jit(proposal.draw)(jax.random.key(seed))) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], proposal.draw(jax.random.key(1)))
    assert (draws[0] != draws[2]).any()


def test_proposals_are_equal_and_hashed_by_content():
    assert Proposal.log_uniform(9, samples=2) == Proposal.log_uniform(9, samples=2)
    assert len({Proposal.log_uniform(9, samples=k) for k in (2, 2, 3)}) == 2
    assert Proposal.unigram(COUNTS, samples=2) != Proposal.log_uniform(8, samples=2)


@pytest.mark.parametrize("samples", [0, 9])
def test_more_samples_than_words_or_none_are_refused(samples):
    with pytest.raises(ValueError, match=rf"{samples} of 8 words cannot be drawn: ask for 1 to 8"):
        Proposal.unigram(COUNTS, samples=samples)


def test_words_without_a_chance_are_refused():
    with pytest.raises(ValueError, match="2 of 3 words are too rare to be drawn"):
        Proposal.of(np.array([1.0, 1e-12, 1e-12]), samples=1)
