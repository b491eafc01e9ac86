"""Models that go on from a source: what may reach what, and single steps, for every family."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.config import Seq2SeqConfig, Seq2SeqTransformerConfig
from jaxseq.decoding.protocol import repeat_rows
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder

VOCABULARY, START, ROWS, SOURCE, TARGET = 11, 1, 3, 6, 5
CONFIGS = {
    "transformer": Seq2SeqTransformerConfig(features=8, layers=1, decoder_layers=2, heads=2, context=8, dropout=0.0),
    "transformer, norms after": Seq2SeqTransformerConfig(
        features=8, layers=1, heads=2, context=8, norm="post", tie_embedding=False, dropout=0.0
    ),
    "lstm": Seq2SeqConfig(features=8, embedding=8, layers=2, tie_embedding=True),
    "gru, both ways, general": Seq2SeqConfig(
        cell="gru", features=8, embedding=6, bidirectional=True, attention="general", use_scale=True
    ),
    "lstm, both ways, additive, fed": Seq2SeqConfig(
        features=8, embedding=6, layers=2, bidirectional=True, attention="additive", use_scale=True, input_feeding=True
    ),
    "gru, dot, fed": Seq2SeqConfig(cell="gru", features=8, embedding=6, attention="dot", input_feeding=True),
}
RNG = np.random.default_rng(0)
SOURCES = RNG.integers(2, VOCABULARY, (ROWS, SOURCE), np.int32)
SOURCE_MASK = np.arange(SOURCE) < np.array([[6], [3], [1]])
TARGETS = RNG.integers(2, VOCABULARY, (ROWS, TARGET), np.int32)
INPUTS = np.concatenate([np.full((ROWS, 1), START, np.int32), TARGETS[:, :-1]], axis=1)
MASK = np.arange(TARGET) < np.array([[5], [4], [2]])


@functools.cache
def model_of(name: str) -> EncoderDecoder:
    config, joint = CONFIGS[name], "after" not in name
    return build_encoder_decoder(
        config, vocabulary_size=VOCABULARY, start_token=START, source_vocabulary=0 if joint else VOCABULARY
    )


@functools.cache
def params_of(name: str) -> dict:
    params = model_of(name).init(jax.random.key(0), SOURCES, INPUTS)["params"]
    return jax.tree.map(lambda x: x + 0.2 * RNG.normal(size=x.shape).astype(np.float32), params)


@functools.cache
def compiled(name: str):
    """(params, source, inputs, source mask, mask) -> logits."""
    model = model_of(name)
    return jax.jit(
        lambda params, source, inputs, source_mask, mask: model.apply(
            {"params": params}, source, inputs, source_mask=source_mask, mask=mask
        )
    )


def logits_of(name: str, source=SOURCES, inputs=INPUTS, source_mask=SOURCE_MASK, mask=MASK) -> np.ndarray:
    return np.asarray(compiled(name)(params_of(name), source, inputs, source_mask, mask))


@functools.cache
def stepping(name: str):
    model = model_of(name)
    return jax.jit(lambda params, source, mask: model.start(params, source, mask=mask)), jax.jit(model.decode_step)


families = pytest.mark.parametrize("name", CONFIGS)


@families
def test_a_later_target_changes_no_earlier_logit(name):
    expected = logits_of(name)
    for at in range(1, TARGET):
        other = INPUTS.copy()
        other[:, at] = (other[:, at] + 1) % VOCABULARY
        logits = logits_of(name, inputs=other)
        np.testing.assert_array_equal(logits[:, :at], expected[:, :at])
        assert (logits[0, at] != expected[0, at]).any()


@families
def test_every_source_token_is_heard_by_the_first_logit(name):
    expected = logits_of(name)
    for at in range(SOURCE):
        other = SOURCES.copy()
        other[:, at] = (other[:, at] + 1) % VOCABULARY
        changed = (logits_of(name, other)[:, 0] != expected[:, 0]).any(axis=-1)
        np.testing.assert_array_equal(changed, SOURCE_MASK[:, at])


@families
def test_padding_of_a_source_changes_nothing_whatever_it_holds_and_however_much_there_is(name):
    expected = logits_of(name)
    rubbish = np.where(SOURCE_MASK, SOURCES, np.int32(2**31 - 1))
    np.testing.assert_array_equal(logits_of(name, rubbish), expected)
    rows, length = [1, 1, 2], 3  # as many rows as there were
    shorter = compiled(name)(
        params_of(name), SOURCES[rows, :length], INPUTS[rows], SOURCE_MASK[rows, :length], MASK[rows]
    )
    np.testing.assert_allclose(shorter, expected[rows], atol=2e-6)


@families
def test_a_source_that_is_all_padding_gives_finite_logits_that_do_not_depend_on_it(name):
    nothing = np.zeros_like(SOURCE_MASK)
    logits = logits_of(name, source_mask=nothing)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits_of(name, SOURCES[::-1].copy(), source_mask=nothing), logits)


@families
def test_steps_give_the_logits_of_all_tokens_at_once(name):
    expected, start, step = logits_of(name, mask=np.ones_like(MASK)), *stepping(name)
    weights, logits, carry = start(params_of(name), SOURCES, SOURCE_MASK)
    for i in range(TARGET):
        np.testing.assert_allclose(logits, expected[:, i], atol=2e-6)
        if carry.attention is not None:
            np.testing.assert_allclose(carry.attention.sum(axis=1), 1, atol=1e-6)
            assert not np.asarray(carry.attention)[~SOURCE_MASK].any()
        logits, carry = step(weights, TARGETS[:, i], carry)


@families
def test_several_rows_of_a_source_are_as_if_each_had_it_alone(name):
    start, step = stepping(name)
    weights, _, carry = start(params_of(name), SOURCES, SOURCE_MASK)
    tokens = RNG.integers(2, VOCABULARY, (2, ROWS, 2), np.int32)
    together, alone = repeat_rows(carry, 2), [carry, carry]
    for drawn in tokens:
        logits, together = step(weights, drawn.reshape(-1), together)
        for k in range(2):
            expected, alone[k] = step(weights, drawn[:, k], alone[k])
            np.testing.assert_allclose(logits.reshape(ROWS, 2, -1)[:, k], expected, atol=2e-6)
            if together.attention is not None:
                own = together.attention.reshape(ROWS, 2, -1)[:, k]
                np.testing.assert_allclose(own, alone[k].attention, atol=1e-6)


def test_parameters_have_the_names_that_checkpoints_have():
    names = {
        name: {"/".join(key.key for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(params_of(name))}
        for name in ("gru, both ways, general", "transformer, norms after")
    }
    layer = {"input_kernel", "recurrent_kernel", "bias", "recurrent_bias"}
    ways = {f"encoder/layer_0/{way}/{name}" for way in ("forward", "backward") for name in layer}
    decoder = {f"decoder/layer_0/{name}" for name in layer} | {"decoder/combine_kernel"}
    looks = {"decoder/look/key_kernel", "decoder/look/scale"}
    assert names["gru, both ways, general"] == {"embedding", "head/kernel", "head/bias"} | ways | decoder | looks
    transformer = names["transformer, norms after"]
    assert {"embedding", "source_embedding", "head/kernel", "head/bias"} <= transformer
    assert {name.partition("/")[0] for name in transformer} == {
        *("embedding", "source_embedding", "encoder", "decoder", "head"),
    }


# Those that are compared with nothing else (test_encoder_decoder_parity.py has the others).
@pytest.mark.parametrize("name", ["gru, both ways, general", "gru, dot, fed"])
def test_the_loss_and_its_gradient_are_those_of_the_logits(name):
    model, params = model_of(name), params_of(name)
    # The last row is no pair: neither it nor its source counts.
    there = (np.arange(ROWS) < 2)[:, None]
    masks = {"mask": MASK & there, "source_mask": SOURCE_MASK & there}

    def own(params):
        tallies = model.apply({"params": params}, SOURCES, INPUTS, TARGETS, **masks, method="loss")
        return tallies["loss"].total, tallies

    def plain(params):
        logits = model.apply({"params": params}, SOURCES, INPUTS, **masks)
        nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), TARGETS[..., None], axis=-1)[..., 0]
        return jnp.where(masks["mask"], nats, 0).sum(), logits.argmax(axis=-1)

    def both(params):
        return jax.value_and_grad(own, has_aux=True)(params), jax.value_and_grad(plain, has_aux=True)(params)

    ((loss, tallies), slope), ((expected, guesses), expected_slope) = jax.jit(both)(params)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    hits = (np.asarray(guesses) == TARGETS)[masks["mask"]].sum()
    assert tallies["accuracy"] == (hits, masks["mask"].sum())
    for have, want in zip(jax.tree.leaves(slope), jax.tree.leaves(expected_slope), strict=True):
        np.testing.assert_allclose(have, want, atol=2e-5)
