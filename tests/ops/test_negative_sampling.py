"""Negative sampling against plain loops over pairs in float64, and what its forms have in common."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops import negative_sampling as ops
from jaxseq.ops import word_prediction
from jaxseq.ops.proposals import Proposal, _unit

RNG = np.random.default_rng(0)
B, T, D, V, WINDOW, K, BLOCKS = 2, 7, 4, 6, 3, 3, 3
TABLE_IN, TABLE_OUT = (RNG.normal(size=(V, D)).astype(np.float32) for _ in range(2))
TOKENS = RNG.integers(0, V, (B, T + 2 * WINDOW)).astype(np.int32)
REACH = RNG.integers(1, WINDOW + 1, (B, T))
LEFT = np.minimum(REACH, np.arange(T) % 5).astype(np.int32)  # a sentence begins with centres 0 and 5
RIGHT = np.minimum(REACH, [4, 3, 2, 1, 0, 1, 0]).astype(np.int32)
RIGHT[1, 5] = 0
LEFT[1, 5] = 0  # a centre without context
DRAWN = RNG.integers(0, V, (B, BLOCKS, K)).astype(np.int32)
WEIGHTS = RNG.uniform(0.5, 2, (B, BLOCKS, K)).astype(np.float32)
COUNTS = np.array([50, 20, 9, 4, 2, 1])
SHARES = COUNTS**0.75 / (COUNTS**0.75).sum()
MIDDLE = TOKENS[:, WINDOW:-WINDOW]


def pairs_of(algorithm):
    """(words whose mean vector predicts, the word predicted, its row, its centre) of each pair."""
    for b in range(B):
        for i in range(T):
            at = i + WINDOW
            context = [*range(at - LEFT[b, i], at), *range(at + 1, at + 1 + RIGHT[b, i])]
            words = [int(TOKENS[b, j]) for j in context]
            if algorithm == "cbow" and words:
                yield words, int(TOKENS[b, at]), b, i, 0
            elif algorithm == "skipgram":
                for j, word in zip(context, words, strict=True):
                    place = j - at + WINDOW - (j > at)
                    yield [int(TOKENS[b, at])], word, b, i, place


def by_loop(algorithm, negatives_of):
    """Loss, pairs, and gradients of both tables; `negatives_of` gives (word, weight) of a pair."""
    read, written = TABLE_IN.astype(float), TABLE_OUT.astype(float)
    d_read, d_written, loss, count = np.zeros((V, D)), np.zeros((V, D)), 0.0, 0
    for words, target, b, i, place in pairs_of(algorithm):
        mean = read[words].mean(axis=0)
        terms = [(target, 1.0, 1.0)]
        terms += [(word, weight, -1.0) for word, weight in negatives_of(b, i, place) if word != target]
        count += 1
        for word, weight, sign in terms:
            logit = mean @ written[word]
            loss += weight * np.log1p(np.exp(-sign * logit))
            slope = -sign * weight / (1 + np.exp(sign * logit))
            d_written[word] += slope * mean
            for one in words:
                d_read[one] += slope * written[word] / len(words)
    return loss, count, d_read, d_written


def value_and_gradients(form):
    def total(tables):
        tally = form(*tables)
        return tally.total, tally

    (_, tally), gradients = jax.jit(jax.value_and_grad(total, has_aux=True))((TABLE_IN, TABLE_OUT))
    return tally.total, tally.count, *gradients


def read_and_written(algorithm):
    return (MIDDLE, TOKENS) if algorithm == "skipgram" else (TOKENS, MIDDLE)


def shared(algorithm, drawn=DRAWN, weights=WEIGHTS):
    read, written = read_and_written(algorithm)
    form = ops.shared_skipgram if algorithm == "skipgram" else ops.shared_cbow
    return lambda one, other: form(
        one[read], other[written], other[drawn], TOKENS, LEFT, RIGHT, jnp.asarray(drawn), jnp.asarray(weights)
    )


def own(algorithm, drawn):
    read, written = read_and_written(algorithm)
    form = ops.own_skipgram if algorithm == "skipgram" else ops.own_cbow
    return lambda one, other: form(one[read], other[written], other[drawn], TOKENS, LEFT, RIGHT, jnp.asarray(drawn))


def expected(algorithm, negatives):
    read, written = read_and_written(algorithm)
    form = ops.expected_skipgram if algorithm == "skipgram" else ops.expected_cbow
    chances = (negatives * SHARES).astype(np.float32)
    return lambda one, other: form(one[read], other[written], TOKENS, LEFT, RIGHT, other, chances)


def assert_same(found, wanted):
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=2e-5, atol=2e-5)


every_algorithm = pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])


@every_algorithm
def test_shared_negatives_are_those_of_a_plain_loop(algorithm):
    """A negative that is the word predicted does not count in that pair (tf#44758), and counts in the others."""
    size = -(-T // BLOCKS)
    wanted = by_loop(algorithm, lambda b, i, place: zip(DRAWN[b, i // size], WEIGHTS[b, i // size], strict=True))
    assert_same(value_and_gradients(shared(algorithm)), wanted)
    hit = [target in DRAWN[b, i // size] for _, target, b, i, _ in pairs_of(algorithm)]
    assert any(hit)
    assert not all(hit)


@every_algorithm
def test_negatives_of_each_pair_are_those_of_a_plain_loop(algorithm):
    shape = (B, T, 2 * WINDOW, K) if algorithm == "skipgram" else (B, T, K)
    drawn = np.random.default_rng(1).integers(0, V, shape).astype(np.int32)

    def negatives_of(b, i, place):
        row = drawn[b, i, place] if algorithm == "skipgram" else drawn[b, i]
        return [(int(word), 1.0) for word in row]

    assert_same(value_and_gradients(own(algorithm, drawn)), by_loop(algorithm, negatives_of))


@every_algorithm
def test_the_mean_over_all_draws_is_that_of_a_plain_loop(algorithm, monkeypatch):
    monkeypatch.setattr(word_prediction, "CHUNK", 4)  # the vocabulary goes by in two parts, the last one not full
    wanted = by_loop(algorithm, lambda b, i, place: [(word, 5 * share) for word, share in enumerate(SHARES)])
    assert_same(value_and_gradients(expected(algorithm, 5)), wanted)


@every_algorithm
def test_negatives_of_each_pair_have_that_mean(algorithm):
    """One negative a pair, over all words it may be."""
    shape = (B, T, 2 * WINDOW, 1) if algorithm == "skipgram" else (B, T, 1)

    def mean(one, other):
        parts = [own(algorithm, np.full(shape, word, np.int32))(one, other) for word in range(V)]
        return jax.tree.map(lambda *each: sum(share * part for share, part in zip(SHARES, each, strict=True)), *parts)

    assert_same(value_and_gradients(mean), value_and_gradients(expected(algorithm, 1)))


@every_algorithm
def test_shared_negatives_have_that_mean(algorithm):
    """Over an even grid of the starts that draws go by, where the first word is in every draw."""
    proposal = Proposal.unigram(COUNTS, samples=K)
    assert proposal.chances[0] == 1 > K * SHARES[0] - 1
    starts = np.arange(0, _unit(K), _unit(K) // 512, dtype=np.int32)
    drawn = np.asarray(jax.vmap(proposal.at)(starts))
    weights = (5 * SHARES / proposal.chances).astype(np.float32)

    def mean(one, other):
        def of(words):
            each = jnp.broadcast_to(words, (B, BLOCKS, K))
            return shared(algorithm, each, jnp.asarray(weights)[each])(one, other)

        return jax.tree.map(jnp.mean, jax.vmap(of)(jnp.asarray(drawn)))

    found, wanted = value_and_gradients(mean), value_and_gradients(expected(algorithm, 5))
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=0.01, atol=0.05)
    assert found[0] == pytest.approx(float(wanted[0]), rel=2e-3)


@every_algorithm
def test_rows_without_centres_count_nothing(algorithm):
    nothing = np.zeros_like(LEFT)
    read, written = read_and_written(algorithm)
    form = ops.shared_skipgram if algorithm == "skipgram" else ops.shared_cbow
    one, other = jnp.asarray(TABLE_IN), jnp.asarray(TABLE_OUT)
    tally = form(one[read], other[written], other[DRAWN], TOKENS, nothing, nothing, DRAWN, WEIGHTS)
    assert (float(tally.total), float(tally.count)) == (0, 0)


@settings(max_examples=50)
@given(st.floats(-1e4, 1e4, width=32))
def test_softplus_and_its_slope_are_those_in_float64(x):
    value, slope = jax.value_and_grad(word_prediction.softplus)(jnp.float32(x))
    wide = np.float64(np.float32(x))
    assert float(value) == pytest.approx(np.logaddexp(wide, 0), rel=1e-6, abs=1e-37)
    assert float(slope) == pytest.approx(np.exp(-np.logaddexp(-wide, 0)), rel=1e-6, abs=1e-37)
