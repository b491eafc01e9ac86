"""The recurrent body under a vocabulary head: the laws of the carry, dropout, sizes."""

import functools

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects
from small_language_models import recurrent_model

SIZE = {"features": 4}
MODELS = {
    "lstm_embedding": recurrent_model(**SIZE, cell="lstm", embedding=3, layers=2),
    "gru_one_hot": recurrent_model(**SIZE, cell="gru", layers=2),
    "gru_reset_before": recurrent_model(**SIZE, cell="gru", reset_after=False),
    "simple_rnn": recurrent_model(**SIZE, cell="rnn", embedding=3),
}
SUBJECTS = [subjects.of_model(name, model) for name, model in MODELS.items()]
TOKENS = np.random.default_rng(0).integers(0, 7, (3, 21), dtype=np.int32)


def params_of(model):
    return subjects.perturbed(model.init(jax.random.key(0), TOKENS[:, :1])["params"], 0.3)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 50, "features": 128, "cell": "lstm"}, 91_648 + 6_450),  # Keras: LSTM(128), Dense(50)
        ({"size": 39, "features": 128, "cell": "gru", "layers": 2}, 64_896 + 99_072 + 5_031),
    ],
)
def test_parameter_counts_are_those_of_keras(config, expected):
    model = recurrent_model(**config)
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32)))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == expected


@pytest.mark.parametrize("kind", ["input_dropout", "dropout", "output_dropout", "recurrent_dropout"])
@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("embedding", [0, 3])
def test_each_dropout_acts_in_training_only_and_by_its_key(kind, variational, embedding):
    model = recurrent_model(**SIZE, layers=2, embedding=embedding, variational=variational, **{kind: 0.5})
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
    model = recurrent_model(**SIZE, input_dropout=0.5, variational=True)
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
