import importlib
from typing import ClassVar

import jax
import numpy as np
import pytest
from toy_model import ToyModel, numpy_logits

from jaxseq.decoding import Sampling, generate, next_tokens, stream
from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerLanguageModel

generate_module = importlib.import_module("jaxseq.decoding.generate")  # the package has a function of that name
MODEL = ToyModel(23)
PARAMS = MODEL.init(0)
KEY = jax.random.key(1)
PROMPT = np.random.default_rng(2).integers(0, 23, (8, 5))
GREEDY = Sampling(greedy=True)


@pytest.mark.parametrize("prompt_length", [1, 2, 5, 8, 300])
def test_greedy_takes_the_argmax_at_every_step(prompt_length):
    prompt = np.random.default_rng(prompt_length).integers(0, 23, prompt_length)
    tokens = prompt.tolist()
    for _ in range(30):
        tokens.append(int(numpy_logits(PARAMS, tokens).argmax()))
    made = generate(MODEL, PARAMS, prompt, length=30, key=KEY, sampling=GREEDY)
    assert made.tolist() == tokens[prompt_length:]


@pytest.mark.parametrize(
    "model",
    [
        RNNLanguageModel(vocabulary_size=11, features=8, embedding=4),
        TransformerLanguageModel(vocabulary_size=11, features=8, layers=1, heads=2, context=32),
    ],
    ids=["lstm", "transformer"],
)
def test_every_model_goes_on_as_when_it_reads_the_whole_text_again_for_each_token(model):
    params = model.init(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.5 * jax.random.normal(jax.random.key(leaf.size), leaf.shape), params)
    tokens = np.full((2, 17), 0, np.int32)
    tokens[:, :5] = PROMPT[:2, :5] % 11
    read = jax.jit(lambda tokens: model.apply({"params": params}, tokens)[0])
    for t in range(5, 17):
        tokens[:, t] = np.asarray(read(tokens))[:, t - 1].argmax(-1)
    made = generate(model, params, tokens[:, :5], length=12, key=KEY, sampling=GREEDY)
    np.testing.assert_array_equal(made, tokens[:, 5:])


@pytest.mark.parametrize("length", [1, 4, 5, 100])
def test_a_stream_yields_what_generate_returns(length):
    chunks = list(stream(MODEL, PARAMS, PROMPT, length=length, key=KEY))
    whole = generate(MODEL, PARAMS, PROMPT, length=length, key=KEY)
    assert whole.shape == (8, length)
    assert whole.dtype == np.int32
    np.testing.assert_array_equal(np.concatenate(chunks, axis=1), whole)


def test_a_stream_begins_with_a_few_tokens():
    assert next(stream(MODEL, PARAMS, PROMPT, length=1000, key=KEY)).shape == (8, 4)


def test_a_shorter_sample_is_the_beginning_of_a_longer_one():
    long = generate(MODEL, PARAMS, PROMPT, length=200, key=KEY)
    np.testing.assert_array_equal(generate(MODEL, PARAMS, PROMPT, length=37, key=KEY), long[:, :37])


def test_a_row_does_not_depend_on_the_other_rows_nor_on_their_number():
    whole = generate(MODEL, PARAMS, PROMPT, length=100, key=KEY)
    np.testing.assert_array_equal(generate(MODEL, PARAMS, PROMPT[:3], length=100, key=KEY), whole[:3])
    np.testing.assert_array_equal(generate(MODEL, PARAMS, PROMPT[0], length=100, key=KEY), whole[0])
    others = np.concatenate([PROMPT[:4], (PROMPT[:4] + 1) % 23])
    np.testing.assert_array_equal(generate(MODEL, PARAMS, others, length=100, key=KEY)[:4], whole[:4])


def test_rows_with_one_prompt_and_keys_that_differ_give_samples_that_differ():
    same = np.tile(PROMPT[:1], (8, 1))
    samples = generate(MODEL, PARAMS, same, length=30, key=KEY)
    assert len({row.tobytes() for row in samples}) == 8
    assert not np.array_equal(samples, generate(MODEL, PARAMS, same, length=30, key=jax.random.key(2)))


def test_a_prompt_without_a_batch_axis_gives_tokens_without_one():
    assert generate(MODEL, PARAMS, [1, 2, 3], length=7, key=KEY).shape == (7,)
    assert next(stream(MODEL, PARAMS, [1, 2, 3], length=7, key=KEY)).shape == (4,)
    ids, probabilities = next_tokens(MODEL, PARAMS, [1, 2, 3], count=6)
    assert ids.shape == probabilities.shape == (6,)


class CountingModel(ToyModel):
    """Counts how often it is traced, that is, how often something is compiled."""

    traces: ClassVar[list[str]] = []

    def apply(self, *args, **options):
        self.traces.append("apply")
        return super().apply(*args, **options)

    def decoding_weights(self, params):
        self.traces.append("weights")
        return super().decoding_weights(params)

    def decode_step(self, *args):
        self.traces.append("step")
        return super().decode_step(*args)


def test_other_parameters_keys_lengths_and_an_equal_model_compile_nothing():
    generate(CountingModel(23), PARAMS, PROMPT[:, :5], length=40, key=KEY)
    list(stream(CountingModel(23), PARAMS, PROMPT[:, :5], length=40, key=KEY))
    assert CountingModel.traces
    CountingModel.traces.clear()
    other = MODEL.init(1)
    generate(CountingModel(23), other, np.tile(PROMPT, (1, 2))[:, :7], length=63, key=jax.random.key(7))
    list(stream(CountingModel(23), other, PROMPT[:, :5], length=500, key=jax.random.key(7)))
    assert CountingModel.traces == []


def test_next_tokens_are_the_likeliest_with_their_probabilities():
    ids, probabilities = next_tokens(MODEL, PARAMS, PROMPT, count=10)
    for row, row_ids, row_probabilities in zip(PROMPT, ids, probabilities, strict=True):
        logits = numpy_logits(PARAMS, row.tolist())
        expected = np.exp(logits) / np.exp(logits).sum()
        assert row_ids.tolist() == np.argsort(-expected)[:10].tolist()
        np.testing.assert_allclose(row_probabilities, expected[row_ids], rtol=1e-4)


def test_next_tokens_lists_no_more_than_the_vocabulary_and_ties_by_id():
    params = {**PARAMS, "head": np.zeros_like(PARAMS["head"])}
    ids, probabilities = next_tokens(MODEL, params, PROMPT[0], count=100)
    assert ids.tolist() == list(range(23))
    np.testing.assert_allclose(probabilities, 1 / 23)


@pytest.mark.parametrize(
    ("prompt", "length", "message"),
    [
        ([], 5, "shape \\[0\\]"),
        (np.zeros((2, 0), int), 5, "shape \\[2, 0\\]"),
        (3, 5, "shape \\[\\]"),
        ([0.5], 5, "type float64"),
        ([1, 23], 5, "tokens from 1 to 23, the model knows those from 0 to 22"),
        ([-1], 5, "tokens from -1 to -1"),
        ([1], 0, "0 tokens cannot be made"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused_at_the_call(prompt, length, message):
    with pytest.raises(ValueError, match=message):
        generate(MODEL, PARAMS, prompt, length=length, key=KEY)
    with pytest.raises(ValueError, match=message):
        stream(MODEL, PARAMS, prompt, length=length, key=KEY)
    with pytest.raises(ValueError, match=message):
        next_tokens(MODEL, PARAMS, prompt, count=length)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=5, top_p=0.9)], ids=["plain", "filtered"])
def test_many_rows_are_shared_among_devices_and_come_out_the_same(sampling, monkeypatch):
    if len(jax.devices()) < 2:
        pytest.skip("needs 2 devices")
    model = RNNLanguageModel(vocabulary_size=23, features=8, embedding=4)
    params = model.init(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    prompt = np.random.default_rng(3).integers(0, 23, (32, 5))
    _, logits, _ = generate_module._begin(model, params, prompt)
    assert len(logits.sharding.device_set) == min(4, len(jax.devices()))
    shared = generate(model, params, prompt, length=50, key=KEY, sampling=sampling)
    monkeypatch.setattr(generate_module, "_FEWEST_ROWS", 1000)
    np.testing.assert_array_equal(generate(model, params, prompt, length=50, key=KEY, sampling=sampling), shared)
