"""The linear classifier of vectors against scikit-learn's logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxseq.errors import InputError
from jaxseq.metrics.linear_probe import fit_linear_probe

DRAW = np.random.default_rng(0)


def of_classes(classes, count=200, width=6):
    labels = DRAW.integers(0, classes, count)
    centres = DRAW.normal(size=(classes, width))
    return centres[labels] + DRAW.normal(size=(count, width)), labels


@pytest.mark.parametrize("penalty", [1e-3, 0.1])
def test_of_several_classes_it_is_scikit_learns(penalty):
    vectors, labels = of_classes(4)
    ours = fit_linear_probe(vectors, labels, classes=4, penalty=penalty)
    theirs = LogisticRegression(C=1 / (len(labels) * penalty), tol=1e-8, max_iter=5000).fit(vectors, labels)
    np.testing.assert_allclose(ours.weights, theirs.coef_.T, atol=1e-5)
    np.testing.assert_allclose(ours.probabilities(vectors), theirs.predict_proba(vectors), atol=1e-5)


def test_of_two_classes_it_is_scikit_learns_with_half_the_penalty_for_each():
    """Both classes have weights here, which lie against each other: w and -w, where scikit-learn has 2 w alone."""
    vectors, labels = of_classes(2)
    ours = fit_linear_probe(vectors, labels, classes=2, penalty=0.02)
    theirs = LogisticRegression(C=2 / (len(labels) * 0.02), tol=1e-8, max_iter=5000).fit(vectors, labels)
    np.testing.assert_allclose(ours.weights[:, 0], -ours.weights[:, 1], atol=1e-6)
    np.testing.assert_allclose(2 * ours.weights[:, 1], theirs.coef_[0], atol=1e-5)
    np.testing.assert_allclose(ours.probabilities(vectors), theirs.predict_proba(vectors), atol=1e-5)


def test_it_is_the_same_each_time_and_in_any_order():
    vectors, labels = of_classes(3)
    one, again = (fit_linear_probe(vectors, labels, classes=3, penalty=0.01) for _ in range(2))
    np.testing.assert_array_equal(one.weights, again.weights)
    order = DRAW.permutation(len(labels))
    other = fit_linear_probe(vectors[order], labels[order], classes=3, penalty=0.01)
    np.testing.assert_allclose(other.weights, one.weights, atol=1e-5)


def test_a_class_without_a_vector_is_improbable_and_one_class_alone_is_told():
    vectors, labels = of_classes(2)
    probe = fit_linear_probe(vectors, labels, classes=3, penalty=0.01)
    assert probe.probabilities(vectors)[:, 2].max() < 0.01
    with pytest.raises(InputError, match="the 200 texts with a vector are of 1 class: a classifier needs texts of two"):
        fit_linear_probe(vectors, np.zeros(200, int), classes=2, penalty=0.01)
