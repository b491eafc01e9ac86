"""Sums and products over the words around centres, against plain loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops import context
from jaxseq.ops.context import around, context_products, context_sums, in_context, occurrences

RNG = np.random.default_rng(0)
B, D = 2, 3
SHAPES = [(7, 3), (5, 1), (1, 2), (40, 20)]
"""Centres, more than a block of 32 too, and windows, of more places than are added up at once too."""
every_shape = pytest.mark.parametrize(("length", "window"), SHAPES)


def drawn(length, window):
    """Weights, vectors and centres."""
    places = 2 * window + 1
    shapes = ((B, length, places), (B, length + places - 1, D), (B, length, D))
    return [RNG.normal(size=shape).astype(np.float32) for shape in shapes]


def sums_by_loop(weights, vectors):
    sums = np.zeros((*weights.shape[:2], vectors.shape[2]))
    for b, i, place in np.ndindex(weights.shape):
        sums[b, i] += np.float64(weights[b, i, place]) * vectors[b, i + place]
    return sums


def products_by_loop(centres, vectors):
    places = vectors.shape[1] - centres.shape[1] + 1
    products = np.zeros((*centres.shape[:2], places))
    for b, i, place in np.ndindex(products.shape):
        products[b, i, place] = centres[b, i].astype(np.float64) @ vectors[b, i + place]
    return products


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-5)


@every_shape
def test_sums_are_those_of_a_plain_loop_and_so_are_their_gradients(length, window):
    weights, vectors, d_sums = drawn(length, window)
    sums, pull = jax.vjp(jax.jit(context_sums), weights, vectors)
    close(sums, sums_by_loop(weights, vectors))
    d_weights, d_vectors = pull(jnp.asarray(d_sums))
    close(d_weights, products_by_loop(d_sums, vectors))
    wanted = np.zeros(vectors.shape)
    for b, i, place in np.ndindex(weights.shape):
        wanted[b, i + place] += weights[b, i, place] * d_sums[b, i]
    close(d_vectors, wanted)


@every_shape
def test_products_are_those_of_a_plain_loop_and_so_are_their_gradients(length, window):
    d_products, vectors, centres = drawn(length, window)
    products, pull = jax.vjp(jax.jit(context_products), centres, vectors)
    close(products, products_by_loop(centres, vectors))
    d_centres, d_vectors = pull(jnp.asarray(d_products))
    close(d_centres, sums_by_loop(d_products, vectors))
    wanted = np.zeros(vectors.shape)
    for b, i, place in np.ndindex(d_products.shape):
        wanted[b, i + place] += d_products[b, i, place] * centres[b, i]
    close(d_vectors, wanted)


def test_places_in_groups_give_what_all_at_once_give(monkeypatch):
    weights, vectors, d_sums = drawn(6, 5)
    found = []
    for at_once in (32, 11, 4, 1):
        monkeypatch.setattr(context, "AT_ONCE", at_once)
        sums, pull = jax.vjp(context_sums, weights, vectors)
        found.append((sums, *pull(jnp.asarray(d_sums))))
    for other in found[1:]:
        for have, want in zip(other, found[0], strict=True):
            close(have, want)


def test_without_a_weight_sums_and_gradients_are_zero():
    _, vectors, d_sums = drawn(7, 3)
    sums, pull = jax.vjp(context_sums, np.zeros((B, 7, 7), np.float32), vectors)
    assert not sums.any()
    assert not pull(jnp.asarray(d_sums))[1].any()


def test_narrow_vectors_are_summed_in_float32_and_have_narrow_gradients():
    weights, vectors, d_sums = drawn(7, 3)
    narrow = jnp.asarray(vectors, jnp.bfloat16)
    sums, pull = jax.vjp(context_sums, weights, narrow)
    close(sums, sums_by_loop(weights, np.asarray(narrow, np.float32)))
    assert [d.dtype for d in pull(jnp.asarray(d_sums))] == [np.float32, jnp.bfloat16]
    products, pull = jax.vjp(context_products, narrow[:, 3:-3], narrow)
    assert products.dtype == np.float32
    assert [d.dtype for d in pull(products)] == [jnp.bfloat16, jnp.bfloat16]


def test_what_stands_around_a_centre_and_how_often_a_word_is_in_its_context():
    tokens = np.array([[9, 9, 4, 5, 4, 6, 9, 9]], np.int32)  # 4 centres, window 2
    left, right = np.array([[0, 1, 2, 2]], np.int32), np.array([[2, 2, 1, 0]], np.int32)
    band = np.asarray(in_context(left, right, 2))
    near = np.asarray(around(tokens, 4))
    assert [near[0, i][band[0, i]].tolist() for i in range(4)] == [[5, 4], [4, 4, 6], [4, 5, 6], [5, 4]]
    context_words = np.where(band, near, 0).reshape(1, 2, 2, 5)  # two blocks of two centres
    words = np.array([[[4, 5, 9], [4, 5, 6]]], np.int32)
    found = occurrences(context_words, words)
    assert found.tolist() == [[[[1, 1, 0], [2, 0, 0]], [[1, 1, 1], [1, 1, 0]]]]
