from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_language_models import recurrent_model, transformer_model
from toy_model import ToyModel, numpy_logits

from jaxseq.decoding import Sampling, beginning, generate, generation, next_tokens, stream
from jaxseq.errors import NonFiniteError

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
        recurrent_model(size=11, features=8, embedding=4),
        transformer_model(size=11, features=8, layers=1, heads=2, context=32),
    ],
    ids=["lstm", "transformer"],
)
def test_every_model_goes_on_as_when_it_reads_the_whole_text_again_for_each_token(model):
    params = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    params = jax.tree.map(
        lambda leaf: leaf + 0.5 * jax.random.normal(jax.random.key(leaf.size), leaf.shape, leaf.dtype), params
    )
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


def test_temperatures_and_the_numbers_of_filters_and_seeds_are_values_and_compile_nothing():
    model = CountingModel(23)
    warm = [Sampling(), Sampling(top_k=3), Sampling(top_p=0.9), Sampling(min_p=0.1)]
    warm.append(Sampling(top_k=3, top_p=0.9, min_p=0.1))
    for sampling in warm:
        generate(model, PARAMS, PROMPT, length=8, key=KEY, sampling=sampling)
    programs = generation._sample._cache_size()
    CountingModel.traces.clear()
    for i in range(50):
        temperature = 0.5 + i / 50  # among them 1 and an int's worth of others
        sampling = [
            Sampling(temperature=temperature),
            Sampling(temperature=temperature, top_k=1 + i % 22),
            Sampling(temperature=temperature, top_p=0.5 + i / 101),
            Sampling(temperature=temperature, min_p=0.01 + i / 100),
            Sampling(temperature=temperature, top_k=1 + i % 22, top_p=0.5 + i / 101, min_p=0.01 + i / 100),
        ][i % 5]
        generate(model, PARAMS, PROMPT, length=8, key=jax.random.key(i), sampling=sampling)
    generate(model, PARAMS, PROMPT, length=8, key=KEY, sampling=Sampling(temperature=2))
    assert CountingModel.traces == []
    assert generation._sample._cache_size() == programs


class GoingBad(ToyModel):
    """Its logits are even; those of one row, after it has read a number of tokens, are `bad` from a column on."""

    def initial_carry(self, batch_size):
        return jnp.zeros(batch_size, jnp.int32)

    def decode_step(self, weights, tokens, carry):
        carry = carry + 1
        row, after, column, bad = weights
        is_bad = (jnp.arange(len(tokens)) == row) & (carry == after)
        return jnp.where(is_bad[:, None] & (jnp.arange(self.vocabulary_size) >= column), bad, 0.0), carry

    def apply(self, variables, tokens, carry, *, mask):
        logits, carry = self.decode_step(variables["params"], tokens[:, -1], carry + mask.sum(-1) - 1)
        return jnp.broadcast_to(logits[:, None], (*tokens.shape, self.vocabulary_size)), carry


SAMPLINGS = {
    "plain": Sampling(),
    "greedy": GREEDY,
    "filtered": Sampling(temperature=0.5, top_k=5, top_p=0.9, min_p=0.01),
}


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize(
    ("bad", "column"),
    [(np.nan, 0), (np.nan, 22), (-np.nan, 22), (np.inf, 7), (-np.inf, 0)],
    ids=["nan", "a nan", "a negative nan", "inf", "all -inf"],
)
@pytest.mark.parametrize("made", [0, 1, 3, 4, 9])
def test_logits_that_are_not_finite_are_an_error_that_names_row_and_token(sampling, bad, column, made):
    model, params = GoingBad(23), (2, 5 + made, column, np.float32(bad))
    told = (
        rf"not finite in row 2 after {5 + made} tokens \(5 of the prompt, {made} sampled\): its training has diverged"
    )
    with pytest.raises(NonFiniteError, match=told):
        generate(model, params, PROMPT, length=10, key=KEY, sampling=sampling)
    chunks = stream(model, params, PROMPT, length=10, key=KEY, sampling=sampling)
    with pytest.raises(NonFiniteError, match=told):
        list(chunks)
    if made == 0:
        with pytest.raises(NonFiniteError, match=told):
            next_tokens(model, params, PROMPT, count=3)
    else:  # what would come after the last token does not matter
        assert generate(model, params, PROMPT, length=made, key=KEY, sampling=sampling).shape == (8, made)


def test_the_first_bad_token_of_all_rows_is_named_and_no_row_where_there_is_but_one_prompt():
    symbol = 3  # its embedding is bad: all is well until it is read
    params = {
        **PARAMS,
        "embedding": np.where(np.arange(23)[:, None] == symbol, np.float32(np.nan), PARAMS["embedding"]),
    }
    prompt = np.where(symbol == PROMPT, symbol + 1, PROMPT)
    made = generate(MODEL, PARAMS, prompt, length=40, key=KEY)
    with pytest.raises(NonFiniteError) as caught:
        generate(MODEL, params, prompt, length=40, key=KEY)
    step, row = min((list(made[row]).index(symbol), row) for row in range(8) if symbol in made[row])
    assert f"in row {row} after {step + 6} tokens (5 of the prompt, {step + 1} sampled)" in str(caught.value)
    with pytest.raises(NonFiniteError, match=r"not finite after 3 tokens \(3 of the prompt, 0 sampled\)"):
        next_tokens(MODEL, params, [1, 2, symbol], count=2)


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_single_tokens_may_be_ruled_out(sampling):
    model, bad = GoingBad(23), np.float32(-np.inf)
    made = generate(model, (1, 7, 1, bad), PROMPT, length=10, key=KEY, sampling=sampling)
    assert made[1, 2] == 0
    ids, probabilities = next_tokens(model, (1, 5, 1, bad), PROMPT, count=2)
    assert (ids[1].tolist(), probabilities[1].tolist()) == ([0, 1], [1.0, 0.0])


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
    model = recurrent_model(size=23, features=8, embedding=4)
    params = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    prompt = np.random.default_rng(3).integers(0, 23, (32, 5))
    _, logits, _ = beginning.begin(model, params, prompt)
    assert len(logits.sharding.device_set) == min(4, len(jax.devices()))
    shared = generate(model, params, prompt, length=50, key=KEY, sampling=sampling)
    monkeypatch.setattr(beginning, "_FEWEST_ROWS", 1000)
    np.testing.assert_array_equal(generate(model, params, prompt, length=50, key=KEY, sampling=sampling), shared)


@pytest.mark.parametrize("greedy", [True, False])
def test_forbidden_tokens_are_never_made(greedy):
    likely = tuple({int(i) for i in next_tokens(MODEL, PARAMS, PROMPT, count=3)[0].ravel()})
    sampling = Sampling(greedy=greedy, forbidden=likely)
    made = generate(MODEL, PARAMS, PROMPT, length=40, key=KEY, sampling=sampling)
    assert not np.isin(made, likely).any()
    np.testing.assert_array_equal(
        np.concatenate(list(stream(MODEL, PARAMS, PROMPT, length=40, key=KEY, sampling=sampling)), axis=1), made
    )
    if greedy:
        allowed = [i for i in range(23) if i not in likely]
        logits = numpy_logits(PARAMS, PROMPT[0].tolist())
        assert made[0, 0] == allowed[int(np.argmax(logits[allowed]))]


def test_the_likeliest_tokens_leave_out_forbidden_ones_and_keep_their_probabilities():
    ids, probabilities = next_tokens(MODEL, PARAMS, PROMPT[0], count=23)
    forbidden = (int(ids[0]), int(ids[3]))
    kept, same = next_tokens(MODEL, PARAMS, PROMPT[0], count=23, forbidden=forbidden)
    places = [i for i in range(23) if i not in (0, 3)]
    assert kept.tolist() == ids[places].tolist()
    np.testing.assert_array_equal(same, probabilities[places])
