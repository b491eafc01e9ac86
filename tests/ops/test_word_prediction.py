"""One vector that predicts a whole row, and means whose parts have the whole gradient; the other forms are tried with
CBOW, in test_negative_sampling.py."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.ops.word_prediction import common_prediction, mean_of

RNG = np.random.default_rng(0)
B, T, D, V, K = 2, 6, 4, 7, 3
TABLE = RNG.normal(size=(V, D)).astype(np.float32)
VECTORS = RNG.normal(size=(B, D)).astype(np.float32)
WORDS, DRAWN = RNG.integers(0, V, (B, T)).astype(np.int32), RNG.integers(0, V, (B, K)).astype(np.int32)
WEIGHTS = RNG.uniform(0.5, 2, (B, K)).astype(np.float32)
THERE = np.array([[True] * T, [True, False, True, False, False, False]])


def by_loop():
    """Loss, count, and the gradient by the vectors, in float64."""
    loss, gradient = 0.0, np.zeros((B, D))
    for b in range(B):
        for word in WORDS[b][THERE[b]]:
            terms = [(word, 1.0, 1.0)]
            terms += [(other, w, -1.0) for other, w in zip(DRAWN[b], WEIGHTS[b], strict=True) if other != word]
            for other, weight, sign in terms:
                row = TABLE[other].astype(float)
                logit = VECTORS[b] @ row
                loss += weight * np.log1p(np.exp(-sign * logit))
                gradient[b] += -sign * weight / (1 + np.exp(sign * logit)) * row
    return loss, THERE.sum(), gradient


def test_one_vector_for_a_whole_row_is_as_in_a_plain_loop():
    assert (WORDS[:, :, None] == DRAWN[:, None, :])[THERE].any()  # a negative that is the word predicted

    def total(vectors):
        tally = common_prediction(
            vectors, TABLE[WORDS], TABLE[DRAWN], WORDS, THERE, jnp.asarray(DRAWN), jnp.asarray(WEIGHTS)
        )
        return tally.total, tally.count

    (loss, count), gradient = jax.value_and_grad(total, has_aux=True)(jnp.asarray(VECTORS))
    wanted = by_loop()
    np.testing.assert_allclose(loss, wanted[0], rtol=1e-5)
    assert count == wanted[1]
    np.testing.assert_allclose(gradient, wanted[2], rtol=1e-4, atol=1e-5)


def test_each_part_of_a_mean_has_its_whole_gradient():
    parts = RNG.normal(size=(3, D)).astype(np.float32)
    slope = RNG.normal(size=D).astype(np.float32)
    value, gradient = jax.value_and_grad(lambda parts: mean_of(parts.sum(axis=0), jnp.full(1, 3.0)) @ slope)(parts)
    np.testing.assert_allclose(value, parts.mean(axis=0) @ slope, rtol=1e-5)
    np.testing.assert_allclose(gradient, np.tile(slope, (3, 1)))
