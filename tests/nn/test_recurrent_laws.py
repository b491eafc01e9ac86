"""The five laws of the carry for every recurrent layer."""

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects
from minimal_gated import MinimalGated

from jaxseq.nn.recurrent import GRU, LSTM, SimpleRNN
from jaxseq.ops.lookup import Lookup

LAYERS = {
    "lstm": LSTM(4),
    "gru_reset_after": GRU(4),
    "gru_reset_before": GRU(4, reset_after=False),
    "simple_rnn": SimpleRNN(4),
    "minimal_gated": MinimalGated(4),
}
SUBJECTS = [
    subjects.of_layer(name, layer, features=3, initial_carry=layer.initial_carry) for name, layer in LAYERS.items()
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("scaled", [False, True])
def test_a_lookup_is_the_vectors_that_it_stands_for(layer, scaled):
    rng = np.random.default_rng(0)
    table = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
    ids = jnp.asarray(rng.integers(0, 5, (2, 6)), jnp.int32)
    scale = jnp.asarray(rng.normal(size=(2, 6)), jnp.float32) if scaled else None
    mask = jnp.asarray(rng.random((2, 6)) < 0.7)
    for lookup in (Lookup(ids, table, 3, scale), Lookup(ids[:, :2], table, 3), Lookup(ids, None, 5, scale)):
        vectors = lookup.vectors()
        params = jax.jit(layer.init)(jax.random.key(0), vectors)["params"]
        shapes = jax.eval_shape(lambda lookup=lookup: layer.init(jax.random.key(0), lookup))["params"]
        assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)
        some = mask[:, : vectors.shape[1]]
        have, want = (
            jax.jit(lambda params, x=x, some=some: layer.apply({"params": params}, x, mask=some))(params)
            for x in (lookup, vectors)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), have, want)


@pytest.mark.parametrize("folded", [4_096, 0])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_steps_are_those_of_a_sequence(layer, folded, monkeypatch):
    monkeypatch.setattr("jaxseq.nn.recurrent._ROWS_FOLDED", folded)
    rng = np.random.default_rng(0)
    table = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
    ids = jnp.asarray(rng.integers(0, 5, (2, 4)), jnp.int32)
    params = jax.jit(lambda: layer.init(jax.random.key(0), Lookup(ids, table, 3)))()["params"]
    outputs, end = jax.jit(layer.apply)({"params": params}, table[ids])
    carry = again = layer.initial_carry(2)
    step, weights, looked_up = jax.jit(layer.step), layer.prepare(params), layer.prepare_lookup(params, table)
    for i in range(4):
        y, carry = step(weights, table[ids[:, i]], carry)
        same, again = step(looked_up, ids[:, i], again)
        np.testing.assert_allclose(y, outputs[:, i], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(same, y, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), carry, end)


def test_only_an_lstm_starts_with_its_forget_gate_open():
    biases = {
        name: layer.init(jax.random.key(0), jnp.zeros((1, 1, 3)))["params"]["bias"].tolist()
        for name, layer in LAYERS.items()
    }
    assert biases.pop("lstm") == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    assert not any(value for bias in biases.values() for value in bias)
