"""Metrics of classifiers, against scikit-learn, plain loops and what must hold for any split."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError, NonFiniteError
from jaxseq.metrics.classification import (
    CLASSIFICATION_METRICS,
    classified,
    confident_mistakes,
    log_loss,
    logit_loss,
    reliability,
)


def split_of(seed, n, c, *, dtype=np.float64, sharpness=2.0):
    """Labels [n] and the probabilities [n, c] of a model that is right more often than not."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, c, n)
    logits = draw.normal(size=(n, c)) * sharpness
    logits[np.arange(n), labels] += sharpness
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels, (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)


splits = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 6)).map(lambda args: split_of(*args))


@pytest.mark.parametrize("c", [2, 3, 10])
@pytest.mark.parametrize("n", [1, 7, 500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_figure_is_that_of_scikit_learn(n, c, dtype):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, probabilities = split_of(n + c, n, c, dtype=dtype)
    found = classified(labels, probabilities)
    classes, predicted = range(c), probabilities.argmax(axis=1)
    np.testing.assert_array_equal(found.matrix, sklearn.confusion_matrix(labels, predicted, labels=classes))
    assert found.accuracy == pytest.approx(sklearn.accuracy_score(labels, predicted))
    for mine, theirs in zip(
        found.scores,
        sklearn.precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    average = {"average": "binary"} if c == 2 else {"average": "macro", "labels": classes}
    assert found.f1 == pytest.approx(sklearn.f1_score(labels, predicted, zero_division=0, **average))
    exact = probabilities.astype(np.float64)
    theirs = sklearn.log_loss(labels, exact / exact.sum(axis=1, keepdims=True), labels=classes)
    assert found.loss == pytest.approx(theirs, abs=1e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("n", [1, 12, 3000])
def test_bins_of_reliability_are_those_of_scikit_learn(n):
    calibration = pytest.importorskip("sklearn.calibration")
    labels, probabilities = split_of(n, n, 4)
    found = classified(labels, probabilities)
    right, confidences = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    accuracy, confidence = calibration.calibration_curve(right, confidences, n_bins=15, strategy="uniform")
    filled = found.reliability.support > 0
    np.testing.assert_allclose(found.reliability.accuracy[filled], accuracy)
    np.testing.assert_allclose(found.reliability.confidence[filled], confidence)
    assert found.reliability.accuracy[~filled].tolist() == [0] * int((~filled).sum())


def by_definition(confidences, right, bins):
    """Expected calibration error as it is written: a sum over half-open intervals."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [i for i, p in enumerate(confidences) if (m - 1) / bins < p <= m / bins]
        if inside:
            gap = sum(right[i] for i in inside) / len(inside) - sum(confidences[i] for i in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(gap)
    return total


@given(st.lists(st.tuples(st.floats(0.01, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 20))
def test_the_calibration_error_is_that_of_its_definition(pairs, bins):
    confidences, right = map(np.array, zip(*pairs, strict=True))
    found = reliability(confidences, right, bins=bins)
    assert found.support.sum() == len(pairs)
    assert found.expected_error == pytest.approx(by_definition(confidences, right, bins), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(dtype):
    edges = np.array([1, 3, 5, 10, 15], dtype) / dtype(15)
    found = reliability(edges, np.ones(5, bool))
    assert np.flatnonzero(found.support).tolist() == [0, 2, 4, 9, 14]


def test_a_model_that_is_right_as_often_as_it_says_is_calibrated():
    probabilities = np.array([[0.75, 0.25]] * 4)
    assert classified([0, 0, 0, 1], probabilities).reliability.expected_error == pytest.approx(0, abs=1e-12)
    assert classified([1, 1, 1, 1], probabilities).reliability.expected_error == pytest.approx(0.75)


@settings(max_examples=50)
@given(splits, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_changes_nothing(split, random):
    labels, probabilities = split
    order = random.sample(range(len(labels)), len(labels))
    one, other = classified(labels, probabilities), classified(labels[order], probabilities[order])
    assert one.summary() == pytest.approx(other.summary())
    np.testing.assert_array_equal(one.matrix, other.matrix)
    assert one.mistakes.tolist() == [order[i] for i in other.mistakes]


@settings(max_examples=50)
@given(splits, st.randoms(use_true_random=False))
def test_other_numbers_for_the_classes_change_no_figure(split, random):
    labels, probabilities = split
    c = probabilities.shape[1]
    new = np.array(random.sample(range(c), c))
    renamed = np.empty_like(probabilities)
    renamed[:, new] = probabilities
    one, other = classified(labels, probabilities), classified(new[labels], renamed, positive=int(new[1]))
    assert one.summary() == pytest.approx(other.summary())
    np.testing.assert_array_equal(one.matrix, other.matrix[np.ix_(new, new)])
    assert one.mistakes.tolist() == other.mistakes.tolist()


@settings(max_examples=50)
@given(splits)
def test_the_counts_add_up(split):
    labels, probabilities = split
    found = classified(labels, probabilities, mistakes=1000)
    n, c = probabilities.shape
    assert found.matrix.sum() == found.reliability.support.sum() == found.scores.support.sum() == n
    assert found.matrix.sum(axis=1).tolist() == np.bincount(labels, minlength=c).tolist()
    assert len(found.mistakes) == n - round(found.accuracy * n)
    assert set(found.mistakes) == set(np.flatnonzero(found.predictions != labels))
    weighed = (found.scores.recall * found.scores.support).sum() / n
    assert weighed == pytest.approx(found.accuracy)
    for value in (found.accuracy, found.f1, found.reliability.expected_error):
        assert 0 <= value <= 1


def test_what_is_undefined_is_0_and_a_class_that_never_occurs_counts():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]])
    found = classified([0, 1], probabilities)
    assert found.scores.precision.tolist() == [0.5, 0, 0]
    assert found.scores.recall.tolist() == [1, 0, 0]
    assert found.f1 == pytest.approx(2 / 9)  # 2/3 of one class, 0 of two


def test_of_two_classes_the_f1_is_that_of_the_positive_one():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    assert classified([0, 1, 1], probabilities).f1 == pytest.approx(2 / 3)
    one = classified([0, 0, 1], np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), positive=0)
    assert (one.f1, one.positive) == (pytest.approx(2 / 3), 0)
    assert classified([0, 1, 2], np.eye(3)).positive is None


def test_the_surest_mistakes_come_first_and_the_earlier_of_equal_ones():
    confidences, right = np.array([0.9, 0.6, 0.9, 0.99, 0.5]), np.array([False, False, False, True, False])
    assert confident_mistakes(confidences, right, count=3).tolist() == [0, 2, 1]
    assert confident_mistakes(confidences, right, count=9).tolist() == [0, 2, 1, 4]
    assert confident_mistakes(confidences, ~right, count=0).tolist() == []


def test_of_equal_probabilities_the_first_class_is_the_prediction():
    assert classified([1], np.array([[0.5, 0.5]])).predictions.tolist() == [0]


def test_the_loss_is_the_mean_over_the_texts_and_infinite_where_the_truth_was_ruled_out():
    assert log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])) == pytest.approx(1.5 * math.log(2))
    assert log_loss(np.array([0]), np.array([[0.0, 1.0]])) == math.inf
    assert math.copysign(1, log_loss(np.array([0]), np.array([[1.0, 0.0]]))) == 1


@given(splits)
def test_the_loss_of_logits_is_that_of_their_probabilities(split):
    labels, probabilities = split
    shifted = np.log(probabilities) + np.arange(len(labels))[:, None]
    assert logit_loss(labels, shifted) == pytest.approx(log_loss(labels, probabilities), rel=1e-9, abs=1e-12)


def test_the_loss_of_logits_is_finite_however_sure_a_model_is():
    assert logit_loss(np.array([0, 1]), np.array([[-1e30, 1e30], [0, 1e4]], np.float32)) == pytest.approx(1e30)
    assert logit_loss(np.array([1]), np.array([[0, 200]], np.float32)) == 0


def test_while_a_run_trains_a_loss_and_an_accuracy_are_measured():
    assert [(metric.label, metric.better) for metric in CLASSIFICATION_METRICS] == [
        ("loss (nats per text)", "lower"),
        ("accuracy", "higher"),
    ]


@pytest.mark.parametrize(
    ("labels", "probabilities", "told"),
    [
        ([], np.zeros((0, 2)), "there are no texts"),
        ([0], [[1.0]], r"labels \(1,\) and probabilities \(1, 1\) do not fit"),
        ([0, 1], [[0.5, 0.5]], r"labels \(2,\) and probabilities \(1, 2\) do not fit"),
        ([0, 2], [[0.5, 0.5]] * 2, "the label of text 1 is 2: the classes go from 0 to 1"),
        ([0, -1], [[0.5, 0.5]] * 2, "the label of text 1 is -1"),
        ([0.0], [[0.5, 0.5]], "labels are of type float64"),
        ([0, 0], [[0.5, 0.5], [3.0, -2.0]], "text 1 are no distribution"),
        ([0, 0], [[0.5, 0.5], [3.0, 1.0]], "text 1 are no distribution, their sum is 4"),
    ],
)
def test_what_cannot_be_is_named(labels, probabilities, told):
    with pytest.raises(InputError, match=told):
        classified(np.array(labels, dtype=None if labels else int), np.array(probabilities))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_probabilities_that_are_no_numbers_are_refused(bad):
    with pytest.raises(NonFiniteError, match="text 1 are not all finite"):
        classified([0, 1], np.array([[0.5, 0.5], [bad, 0.5]]))


def test_there_is_no_third_of_two_classes():
    with pytest.raises(InputError, match="the positive class is 2"):
        classified([0], np.array([[0.5, 0.5]]), positive=2)
