"""The recurrent language model: the laws of the carry, decoding, dropout, sizes."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects

from jaxseq.models.rnn import RNNLanguageModel

SIZE = {"vocabulary_size": 7, "features": 4}
MODELS = {
    "lstm_embedding": RNNLanguageModel(**SIZE, cell="lstm", embedding=3, layers=2),
    "gru_one_hot": RNNLanguageModel(**SIZE, cell="gru", layers=2),
    "gru_reset_before": RNNLanguageModel(**SIZE, cell="gru", reset_after=False),
    "simple_rnn": RNNLanguageModel(**SIZE, cell="rnn", embedding=3),
}
SUBJECTS = [subjects.of_model(name, model) for name, model in MODELS.items()]
TOKENS = np.random.default_rng(0).integers(0, 7, (3, 21), dtype=np.int32)


def params_of(model):
    return subjects.perturbed(model.init(jax.random.key(0), TOKENS[:, :1])["params"], 0.3)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)


@pytest.mark.parametrize("name", MODELS)
def test_decoding_one_token_at_a_time_equals_reading_them_all(name):
    model = MODELS[name]
    params = params_of(model)
    logits, end = model.apply({"params": params}, TOKENS)
    step, carry = jax.jit(partial(model.decode_step, model.decoding_weights(params))), model.initial_carry(3)
    for i in range(TOKENS.shape[1]):
        now, carry = step(TOKENS[:, i], carry)
        np.testing.assert_allclose(now, logits[:, i], rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(jax.tree.leaves(carry), jax.tree.leaves(end), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_predicting_the_last_token_is_the_cross_entropy_of_the_last_logits():
    model = RNNLanguageModel(**SIZE, predict="last")
    params, targets = params_of(model), np.roll(TOKENS, -1, axis=1)
    mask = np.array([[True] * 21, [True] * 21, [False] * 21])
    tallies, _ = model.apply({"params": params}, TOKENS, targets, mask=mask, method="loss")
    logits, _ = model.apply({"params": params}, TOKENS, mask=mask)
    expected = -jax.nn.log_softmax(logits[:2, -1])[np.arange(2), targets[:2, -1]].sum()
    np.testing.assert_allclose(tallies["loss"].total, expected, rtol=1e-5)
    assert tallies["loss"].count == 2


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"vocabulary_size": 50, "features": 128, "cell": "lstm"}, 91_648 + 6_450),  # Keras: LSTM(128), Dense(50)
        ({"vocabulary_size": 39, "features": 128, "cell": "gru", "layers": 2}, 64_896 + 99_072 + 5_031),
    ],
)
def test_parameter_counts_are_those_of_keras(config, expected):
    model = RNNLanguageModel(**config)
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32)))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == expected


@pytest.mark.parametrize("kind", ["input_dropout", "dropout", "output_dropout", "recurrent_dropout"])
@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("embedding", [0, 3])
def test_each_dropout_acts_in_training_only_and_by_its_key(kind, variational, embedding):
    model = RNNLanguageModel(**SIZE, layers=2, embedding=embedding, variational=variational, **{kind: 0.5})
    params = params_of(model)

    @functools.partial(jax.jit, static_argnums=0)
    def logits(train, key):
        return model.apply({"params": params}, TOKENS, train=train, rngs={"dropout": key})[0]

    def read(train, seed):
        return np.asarray(logits(train, jax.random.key(seed)))

    plain = read(False, 0)
    np.testing.assert_array_equal(plain, read(False, 1))
    np.testing.assert_array_equal(read(True, 0), read(True, 0))
    assert np.abs(read(True, 0) - read(True, 1)).max() > 1e-3
    assert np.abs(read(True, 0) - plain).max() > 1e-3


def test_variational_input_dropout_drops_the_same_symbols_at_every_step():
    model = RNNLanguageModel(**SIZE, input_dropout=0.5, variational=True)
    params = params_of(model)
    once = np.tile(np.arange(7, dtype=np.int32), (1, 2))

    def projected(tokens, seed):
        """Logits with a state that remembers nothing: the recurrent kernel is zero, the forget gate shut."""
        own = jax.tree.map(jnp.array, params)
        own["layer_0"]["recurrent_kernel"] = jnp.zeros_like(own["layer_0"]["recurrent_kernel"])
        own["layer_0"]["bias"] = own["layer_0"]["bias"].at[4:8].set(-1e4)
        return model.apply({"params": own}, tokens, train=True, rngs={"dropout": jax.random.key(seed)})[0][0]

    for seed in range(5):
        logits = np.asarray(projected(once, seed))
        # The forget gate also takes the input; -1e4 drowns it.
        np.testing.assert_allclose(logits[:7], logits[7:], rtol=1e-5, atol=1e-5)
