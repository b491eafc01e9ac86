"""Encoder-decoders as they are put together: heads, types, and what cannot be."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxseq.config import RNNConfig, Seq2SeqConfig, Seq2SeqTransformerConfig
from jaxseq.errors import ConfigError
from jaxseq.ops.proposals import Proposal
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder

VOCABULARY = 7
TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, (4, 5), np.int32)
SMALL = Seq2SeqTransformerConfig(features=8, layers=1, heads=2, dropout=0.0)


@partial(jax.jit, static_argnums=0, static_argnames="train")
def loss_of(model, params, *, train):
    """Mean loss; what is drawn follows from one key."""
    rngs = {"samples": jax.random.key(1)} if train else None
    tallies = model.apply({"params": params}, TOKENS, TOKENS, TOKENS, train=train, rngs=rngs, method="loss")
    return tallies["loss"].total / tallies["loss"].count


def test_smoothing_and_samples_are_for_training_alone_and_have_the_parameters_of_a_plain_model():
    common = {"vocabulary_size": VOCABULARY, "start_token": 1}
    plain = build_encoder_decoder(SMALL, **common)
    smooth = build_encoder_decoder(SMALL, label_smoothing=0.3, **common)
    sampled = build_encoder_decoder(SMALL, proposal=Proposal.log_uniform(VOCABULARY, samples=3), **common)
    params = jax.jit(plain.init)(jax.random.key(0), TOKENS, TOKENS)["params"]
    for other in (smooth, sampled):
        shapes = jax.eval_shape(other.init, jax.random.key(0), TOKENS, TOKENS)["params"]
        assert jax.tree.structure(shapes) == jax.tree.structure(params)
        assert loss_of(other, params, train=False) == loss_of(plain, params, train=False)
        assert loss_of(other, params, train=True) != loss_of(plain, params, train=True)
    logits = np.asarray(jax.jit(plain.apply)({"params": params}, TOKENS, TOKENS), np.float64)
    nats = np.log(np.exp(logits).sum(axis=-1, keepdims=True)) - logits
    own = np.take_along_axis(nats, TOKENS[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(
        loss_of(smooth, params, train=True), (0.7 * own + 0.3 * nats.mean(axis=-1)).mean(), rtol=1e-5
    )


@pytest.mark.parametrize(
    "config", [SMALL, Seq2SeqConfig(features=8, embedding=8, attention="additive", input_feeding=True)]
)
def test_bfloat16_is_near_float32_and_keeps_parameters_and_losses_in_float32(config):
    wide, narrow = (
        build_encoder_decoder(config, vocabulary_size=VOCABULARY, start_token=1, dtype=dtype)
        for dtype in ("float32", "bfloat16")
    )
    params = jax.jit(wide.init)(jax.random.key(0), TOKENS, TOKENS)["params"]
    shapes = jax.eval_shape(narrow.init, jax.random.key(0), TOKENS, TOKENS)["params"]
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {np.dtype("float32")}
    have, want = (np.asarray(jax.jit(model.apply)({"params": params}, TOKENS, TOKENS)) for model in (narrow, wide))
    assert have.dtype == np.float32
    assert 0 < np.abs(have - want).max() < 0.05
    weights, logits, carry = jax.jit(narrow.start)(params, TOKENS)
    first = jax.jit(narrow.apply)({"params": params}, TOKENS, np.full((4, 1), 1))[:, 0]
    np.testing.assert_allclose(logits, first, atol=0.02)
    again = jax.jit(narrow.decode_step)(weights, TOKENS[:, 0], carry)[1]
    assert jax.tree.map(lambda x: (x.shape, x.dtype), again) == jax.tree.map(lambda x: (x.shape, x.dtype), carry)


@pytest.mark.parametrize(
    ("config", "spread"),
    [
        (Seq2SeqConfig(features=16, embedding=16), 1.0),  # torch.nn.Embedding's
        (Seq2SeqConfig(features=16, embedding=16, tie_embedding=True), 0.1 / 3**0.5),
        (Seq2SeqTransformerConfig(features=16, layers=1, heads=2), 0.25),
    ],
)
def test_embeddings_start_as_long_as_the_layers_above_want_them_and_no_word_is_likelier(config, spread):
    model = build_encoder_decoder(config, vocabulary_size=2000, start_token=1, source_vocabulary=2000)
    params = model.init(jax.random.key(0), TOKENS, TOKENS)["params"]
    for name in ("embedding", "source_embedding"):
        assert np.std(params[name]) == pytest.approx(spread, rel=0.02)
    tallies = model.apply({"params": params}, TOKENS, TOKENS, TOKENS + 100, method="loss")
    assert tallies["loss"].total / tallies["loss"].count == pytest.approx(np.log(2000), abs=1)


def test_what_cannot_be_is_said_in_one_line():
    common = {"vocabulary_size": VOCABULARY, "start_token": 1}
    with pytest.raises(ConfigError, match=r"^model.kind is 'rnn': a model that goes on from a source is seq2seq or"):
        build_encoder_decoder(RNNConfig(), **common)
    with pytest.raises(ConfigError, match=r"^label smoothing is 0.1: .*, choose one of the two$"):
        build_encoder_decoder(SMALL, label_smoothing=0.1, proposal=Proposal.log_uniform(7, samples=3), **common)
    with pytest.raises(
        ConfigError, match=r"^model.input_feeding is True: there is no attention, choose model.attention"
    ):
        Seq2SeqConfig(input_feeding=True)
    with pytest.raises(
        ConfigError, match=r"^model.features is 7: each direction has half of them, give an even number"
    ):
        Seq2SeqConfig(features=7, bidirectional=True)
    with pytest.raises(ConfigError, match=r"^model.tie_embedding is True: model.embedding \(256\) must be"):
        Seq2SeqConfig(features=8, tie_embedding=True)
    with pytest.raises(ConfigError, match=r"^model.features is 9: it must be a multiple of model.heads \(4\)"):
        Seq2SeqTransformerConfig(features=9)
