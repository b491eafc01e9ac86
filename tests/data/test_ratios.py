"""Log-count ratios against loops and scikit-learn's naive Bayes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.examples import join_sequences
from jaxseq.data.ratios import log_count_ratios

SIZE = 6
EXAMPLES = st.lists(st.tuples(st.lists(st.integers(0, SIZE - 2), max_size=8), st.integers(0, 2)), max_size=8)


def by_loop(examples, this, others, smoothing):
    """The ratio of each id in the texts of the class `this` to those of the classes `others`."""
    p, q = [smoothing] * SIZE, [smoothing] * SIZE
    seen = set()
    for tokens, label in examples:
        for token in tokens:
            if label == this:
                p[token] += 1
            elif label in others:
                q[token] += 1
            seen.add(token)
    return [math.log((p[i] / sum(p)) / (q[i] / sum(q))) if i in seen else 0.0 for i in range(SIZE)]


def ratios(examples, classes, smoothing=1.0):
    labels = np.array([label for _, label in examples], np.int32)
    sequences = join_sequences(tokens for tokens, _ in examples)
    return log_count_ratios(sequences, labels, classes=classes, size=SIZE, smoothing=smoothing)


@given(EXAMPLES, st.floats(0.01, 10))
def test_of_two_classes_they_are_those_of_the_second(examples, smoothing):
    examples = [(tokens, label % 2) for tokens, label in examples]
    found = ratios(examples, 2, smoothing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], by_loop(examples, 1, {0}, smoothing), rtol=1e-5, atol=1e-6)


@given(EXAMPLES)
def test_of_more_each_class_is_set_against_all_others(examples):
    expected = [by_loop(examples, c, {0, 1, 2} - {c}, 1.0) for c in range(3)]
    np.testing.assert_allclose(ratios(examples, 3), np.transpose(expected), rtol=1e-5, atol=1e-6)


def test_a_corpus_worked_out_by_hand():
    # p = 1 + (2, 1, 0, 0), q = 1 + (0, 1, 2, 0); the fifth and sixth id stand nowhere but smooth the sums: 9 each.
    found = ratios([([0, 1], 1), ([0], 1), ([2, 1, 2], 0)], 2)
    np.testing.assert_allclose(found[:, 0], [math.log(3), 0, -math.log(3), 0, 0, 0], rtol=1e-6, atol=1e-7)


def test_they_are_the_differences_of_the_log_probabilities_of_naive_bayes():
    bayes = pytest.importorskip("sklearn.naive_bayes")
    rng = np.random.default_rng(0)
    examples = [(rng.integers(0, SIZE, 5).tolist(), int(label)) for label in rng.integers(0, 2, 40)]
    counts = np.array([np.bincount(tokens, minlength=SIZE) for tokens, _ in examples])
    fitted = bayes.MultinomialNB(alpha=0.5).fit(counts, [label for _, label in examples])
    expected = fitted.feature_log_prob_[1] - fitted.feature_log_prob_[0]
    np.testing.assert_allclose(ratios(examples, 2, 0.5)[:, 0], expected, rtol=1e-5, atol=1e-6)
