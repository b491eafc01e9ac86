"""Bodies under vocabulary heads."""

import jax
import numpy as np
import pytest
import subjects
from small_language_models import recurrent_model, transformer_model

TOKENS = np.random.default_rng(0).integers(0, 7, (3, 9), dtype=np.int32)
TRANSFORMER = {"features": 8, "heads": 2, "layers": 1, "context": 5}
MODELS = {
    "recurrent": recurrent_model(features=5, embedding=3),
    "tied": transformer_model(**TRANSFORMER),
    "bare": transformer_model(**TRANSFORMER, positions="learned", tied=False),
}
every_model = pytest.mark.parametrize("name", MODELS)


def params_of(model):
    return jax.jit(model.init)(jax.random.key(0), TOKENS)["params"]


@every_model
def test_the_body_s_parameters_are_those_it_has_alone_and_the_head_s_stand_beside_them(name):
    model = MODELS[name]
    whole, alone = params_of(model), params_of(model.body)
    of_the_head = {"recurrent": {"head"}, "tied": set(), "bare": {"head_kernel"}}[name]
    assert whole.keys() - alone.keys() == of_the_head
    jax.tree.map(np.testing.assert_array_equal, {part: whole[part] for part in alone}, dict(alone))


@every_model
def test_the_features_of_padding_are_zero(name):
    """tf#49738: repeated or zero, as the layer likes."""
    body = MODELS[name].body
    mask = np.random.default_rng(1).random(TOKENS.shape) < 0.6
    features, _ = body.apply({"params": params_of(body)}, TOKENS, mask=mask)
    np.testing.assert_array_equal(np.asarray(features).any(-1), mask)


@every_model
def test_predicting_the_last_token_is_the_cross_entropy_of_the_last_logits(name):
    model = MODELS[name].clone(predict="last")
    params, targets = subjects.perturbed(params_of(model), 0.3), np.roll(TOKENS, -1, axis=1)
    mask = np.array([[True] * 9, [True] * 9, [False] * 9])
    tallies, _ = model.apply({"params": params}, TOKENS, targets, mask=mask, method="loss")
    logits, _ = model.apply({"params": params}, TOKENS, mask=mask)
    expected = -jax.nn.log_softmax(logits[:2, -1])[np.arange(2), targets[:2, -1]].sum()
    np.testing.assert_allclose(tallies["loss"].total, expected, rtol=1e-5)
    assert tallies["loss"].count == 2
