"""Distances and similarities, against SciPy, scikit-learn and sets of Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from jaxseq.ops.distances import (
    cosine_similarities,
    cosine_similarity,
    euclidean_distance,
    jaccard_similarity,
    jaccard_similarity_of_ids,
    length,
    manhattan_distance,
    unit,
)

DRAW = np.random.default_rng(0)
X, Y = (DRAW.normal(size=(5, 7)).astype(np.float32) for _ in range(2))
MEASURES = {
    "euclidean": euclidean_distance,
    "cityblock": manhattan_distance,
    "cosine": lambda x, y: 1 - cosine_similarity(x, y),
}


@pytest.mark.parametrize("name", MEASURES)
def test_of_rows_and_of_all_pairs_they_are_those_of_scipy(name):
    measure, oracle = MEASURES[name], getattr(distance, name)
    rows = [oracle(x, y) for x, y in zip(X.astype(float), Y.astype(float), strict=True)]
    np.testing.assert_allclose(measure(X, Y), rows, rtol=1e-5, atol=1e-6)
    pairs = measure(X[:, None], Y[None])
    np.testing.assert_allclose(pairs, distance.cdist(X.astype(float), Y.astype(float), name), rtol=1e-5, atol=1e-6)


def test_the_product_of_matrices_is_every_pair_of_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    found = cosine_similarities(np.vstack([X, np.zeros((1, 7), np.float32)]), Y)
    expected = pairwise.cosine_similarity(np.vstack([X, np.zeros((1, 7))]), Y)  # 0 for a zero vector there too
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_numbers_whose_squares_are_beyond_float32_do_no_harm(scale):
    x, y = np.float32(scale) * X, np.float32(scale) * Y
    np.testing.assert_allclose(euclidean_distance(x, y) / np.float32(scale), euclidean_distance(X, Y), rtol=1e-5)
    np.testing.assert_allclose(cosine_similarity(x, y), cosine_similarity(X, Y), atol=1e-6)
    np.testing.assert_allclose(length(unit(x)), np.ones(5), rtol=1e-6)


def test_zero_vectors_have_no_direction_and_a_cosine_of_zero_with_all_and_with_themselves():
    zero = np.zeros((5, 7), np.float32)
    assert not np.asarray(unit(zero)).any()
    assert not np.asarray(cosine_similarity(zero, Y)).any()
    assert not np.asarray(cosine_similarity(zero, zero)).any()
    assert not np.asarray(length(zero)).any()
    assert not np.asarray(euclidean_distance(X, X)).any()


def test_vectors_without_numbers_are_zero_vectors():
    none = np.zeros((5, 0), np.float32)
    assert not np.asarray(euclidean_distance(none, none)).any()
    assert not np.asarray(manhattan_distance(none, none)).any()
    assert not np.asarray(cosine_similarity(none, none)).any()


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_number_that_is_none_gives_none_in_its_row_alone(measure):
    x = X.copy()
    x[2, 3] = np.nan
    np.testing.assert_array_equal(np.isnan(measure(x, Y)), np.arange(5) == 2)


def test_gradients_are_those_of_differences_and_zero_where_there_is_no_direction():
    def total(x):
        return euclidean_distance(x, Y).sum() + (1 - cosine_similarity(x, Y)).sum()

    direct = jax.grad(lambda x: jnp.sqrt(jnp.square(x - Y).sum(-1)).sum() - (unit_by_hand(x) * unit_by_hand(Y)).sum())
    np.testing.assert_allclose(jax.grad(total)(X), direct(X), atol=1e-5)
    gradient = jax.grad(lambda x: euclidean_distance(x, X).sum() + cosine_similarity(0 * x, Y).sum())(jnp.asarray(X))
    assert not np.asarray(gradient).any()


def unit_by_hand(x):
    return x / jnp.sqrt(jnp.square(x).sum(-1, keepdims=True))


def test_sums_of_half_precision_are_float32():
    ones = jnp.ones((1, 4000), jnp.bfloat16)
    for value in (manhattan_distance(ones, 0 * ones), euclidean_distance(ones, 0 * ones) ** 2):
        assert value.dtype == jnp.float32
        np.testing.assert_allclose(value, [4000], rtol=1e-6)


IDS = st.lists(st.integers(0, 5), max_size=4)


def of_sets(x, y):
    return len({*x} & {*y}) / len({*x} | {*y}) if {*x} | {*y} else 1.0


def padded(ids):
    """Ids [1, 4] and which of them are there; what is not is an id that others have."""
    return np.array([ids + [1] * (4 - len(ids))], np.int32), np.arange(4)[None] < len(ids)


@given(IDS, IDS)
def test_jaccard_of_ids_and_of_flags_is_that_of_sets_in_any_order_and_however_often(x, y):
    (x_ids, x_mask), (y_ids, y_mask) = padded(x), padded(y)
    found = jaccard_similarity_of_ids(x_ids, y_ids, x_mask, y_mask)
    np.testing.assert_allclose(found, [of_sets(x, y)], rtol=1e-6)
    flags = [np.isin(np.arange(6), ids)[None] for ids in (x, y)]
    np.testing.assert_allclose(jaccard_similarity(*flags), [of_sets(x, y)], rtol=1e-6)


def test_jaccard_is_that_of_scipy_and_two_empty_sets_are_equal():
    x, y = DRAW.random((2, 6, 9)) < 0.4
    x[0] = y[0] = x[1] = False
    expected = [1 - distance.jaccard(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(jaccard_similarity(x, y), expected, rtol=1e-6)
    assert expected[:2] == [1, 0]
    assert jaccard_similarity(x[:, None], y[None]).shape == (6, 6)
    assert jaccard_similarity_of_ids(np.array([[3, 1, 1]]), np.array([[1, 3, 3]])).tolist() == [1]
    assert jaccard_similarity_of_ids(np.zeros((1, 0), np.int32), np.array([[1, 3]])).tolist() == [0]
