"""Scores of recurrent decoders against Keras's attention layers, on values and gradients, masks included."""

import jax
import numpy as np
import pytest

from jaxseq.ops import attention_scores
from jaxseq.ops.attention_scores import additive_scores, dot_scores, weighted

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
QUERY, KEY, VALUE, WEIGHTS = (RNG.normal(size=(2, n, 5)).astype(np.float32) for n in (3, 4, 4, 3))
MASK = np.array([[1, 1, 0, 1], [0, 1, 1, 0]], bool)


@pytest.mark.parametrize("use_scale", [False, True])
@pytest.mark.parametrize(
    ("ours", "layer", "row"),
    [
        (dot_scores, "Attention", 0),
        (additive_scores, "AdditiveAttention", 0),
        (additive_scores, "AdditiveAttention", 61),
    ],
)
def test_scores_are_kerass(ours, layer, row, use_scale, monkeypatch):
    monkeypatch.setattr(attention_scores, "_ROW", row)  # a row has 60 numbers
    theirs = getattr(keras.layers, layer)(use_scale=use_scale)
    theirs.build([QUERY.shape, VALUE.shape, KEY.shape])
    scales = [RNG.normal(size=v.shape).astype(np.float32) for v in theirs.trainable_variables]

    def own(scales, query, key, value):
        gathered, weights = weighted(ours(query, key, *scales), value, MASK[:, None])
        return (gathered * WEIGHTS).sum(), (gathered, weights)

    def kerass(scales, query, key, value):
        (gathered, weights), _ = theirs.stateless_call(
            scales, theirs.non_trainable_variables, [query, value, key], mask=[None, MASK], return_attention_scores=True
        )
        return (gathered * WEIGHTS).sum(), (gathered, weights)

    arguments = (scales, QUERY, KEY, VALUE)
    have, want = (jax.jit(jax.grad(f, argnums=(0, 1, 2, 3), has_aux=True))(*arguments) for f in (own, kerass))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), have, want)


def test_where_nothing_is_visible_nothing_is_gathered_and_gradients_are_zero():
    nothing = np.zeros((2, 1, 4), bool)
    gathered, weights = weighted(dot_scores(QUERY, KEY), VALUE, nothing)
    assert not np.asarray(gathered).any()
    assert not np.asarray(weights).any()
    slopes = jax.grad(lambda *x: weighted(dot_scores(*x[:2]), x[2], nothing)[0].sum(), argnums=(0, 1, 2))(
        QUERY, KEY, VALUE
    )
    assert not any(np.asarray(slope).any() for slope in slopes)
