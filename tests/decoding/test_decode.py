"""Beam search and samples that end, of language models and of models with a source."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pages import blocks, read_page
from small_language_models import recurrent_model, transformer_model
from toy_model import ToyModel, numpy_logits

from jaxseq.decoding import Beam, Sampling, beam_decode, beam_search, beginning, generate, sample_decode, sample_to_end
from jaxseq.decoding.protocol import Conditioned, Kept, repeat_rows, take_rows
from jaxseq.errors import InputError, NonFiniteError

MODEL = ToyModel(23)
PARAMS = MODEL.init(0)
KEY = jax.random.key(1)
PROMPT = np.random.default_rng(2).integers(0, 23, (8, 5))
END, PAD = 4, 22
GREEDY = Sampling(greedy=True)


@dataclass(frozen=True)
class ToyTranslator:
    """Adds to the state of a `ToyModel` a mean of the source's vectors, weighed by attention to them."""

    vocabulary_size: int
    attends: bool = True
    traces: ClassVar[list[str]] = []

    def start(self, params, source, *, mask):
        self.traces.append("start")
        memory = (params["embedding"][jnp.where(mask, source, 0)], mask)
        state = jnp.zeros((len(source), params["recurrent"].shape[0]), jnp.float32)
        tokens = jnp.zeros(len(source), jnp.int32)
        return params, *self.decode_step(params, tokens, Conditioned(memory, state, None))

    def decode_step(self, weights, tokens, carry):
        self.traces.append("step")
        vectors, mask = carry.memory
        count = len(tokens) // len(mask)
        state = carry.state.reshape(len(mask), count, -1)
        scores = jnp.where(mask[:, None], jnp.einsum("bkd,bsd->bks", state, vectors), -1e9)
        attention = jnp.where(mask[:, None], jax.nn.softmax(scores), 0)
        context = jnp.einsum("bks,bsd->bkd", attention, vectors).reshape(len(tokens), -1)
        state = jnp.tanh(weights["embedding"][tokens] + context + carry.state @ weights["recurrent"])
        attention = attention.reshape(len(tokens), -1) if self.attends else None
        return state @ weights["head"], Conditioned(carry.memory, state, attention)


TRANSLATOR = ToyTranslator(23)
COVERING = Beam(3, 3, length_penalty=0.6, coverage_penalty=0.2)
SOURCE = np.random.default_rng(3).integers(0, 23, (8, 6))
MASK = np.arange(6) < np.random.default_rng(4).integers(1, 7, (8, 1))


def up_to_end(tokens):
    tokens = tokens.tolist()
    return tokens[: tokens.index(END) + 1] if END in tokens else tokens


def log_probability(row, tokens):
    total = 0.0
    for i, token in enumerate(tokens):
        logits = numpy_logits(PARAMS, [*row, *tokens[:i]])
        total += logits[token] - np.log(np.exp(logits).sum())
    return total


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 1.0])
def test_a_beam_of_one_is_a_greedy_search(alpha):
    beamed = beam_search(MODEL, PARAMS, PROMPT, end=END, max_length=32, beam=Beam(1, length_penalty=alpha), padding=PAD)
    greedy = sample_to_end(MODEL, PARAMS, PROMPT, end=END, max_length=32, key=KEY, sampling=GREEDY, padding=PAD)
    np.testing.assert_array_equal(beamed.tokens[:, 0], greedy.tokens)
    np.testing.assert_array_equal(beamed.lengths[:, 0], greedy.lengths)
    np.testing.assert_array_equal(beamed.ended[:, 0], greedy.ended)
    np.testing.assert_allclose(beamed.log_probabilities[:, 0], greedy.log_probabilities, rtol=1e-5)
    assert len(set(greedy.lengths.tolist())) > 3


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(), Sampling(top_p=0.7, forbidden=(3,))], ids=str)
def test_a_sample_that_ends_is_that_of_generate_up_to_its_end(sampling):
    most = np.array([32, 1, 7, 32, 32, 20, 32, 32])
    samples = sample_to_end(MODEL, PARAMS, PROMPT, end=END, max_length=most, key=KEY, sampling=sampling, padding=PAD)
    whole = generate(MODEL, PARAMS, PROMPT, length=32, key=KEY, sampling=sampling)
    for row in range(8):
        tokens = up_to_end(whole[row, : most[row]])
        assert samples.tokens[row].tolist() == tokens + [PAD] * (32 - len(tokens))
        assert samples.lengths[row] == len(tokens)
        assert samples.ended[row] == (END in tokens)
        total = log_probability(PROMPT[row].tolist(), tokens)
        assert samples.log_probabilities[row] == pytest.approx(total, rel=1e-4)


def test_scores_of_a_beam_are_those_of_its_tokens_read_alone():
    """addons#494: the length is that of the hypothesis, whatever beams it came from."""
    beam = Beam(4, 3, length_penalty=0.6)
    found = beam_search(MODEL, PARAMS, PROMPT, end=END, max_length=12, beam=beam, padding=PAD)
    for row in range(8):
        for place in range(3):
            tokens = up_to_end(found.tokens[row, place])
            length = found.lengths[row, place]
            tokens = tokens[:length]
            assert len(tokens) == length
            total = log_probability(PROMPT[row].tolist(), tokens)
            assert found.log_probabilities[row, place] == pytest.approx(total, rel=1e-4)
            assert found.scores[row, place] == pytest.approx(total / ((5 + length) / 6) ** 0.6, rel=1e-4)
    assert (np.diff(found.scores) <= 0).all()


def test_a_prompt_without_a_batch_axis_is_one_row():
    found = beam_search(MODEL, PARAMS, PROMPT[0], end=END, max_length=12, beam=Beam(4, 3, 0.6))
    assert found.tokens.shape == (1, 3, 12)


MODELS = {
    "lstm": recurrent_model(size=11, features=8, embedding=4),
    "transformer": transformer_model(size=11, features=8, layers=1, heads=2, context=32),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_sampler_and_beam_search_work_with_every_model(model):
    """tf#55223. Beams are read again as a whole text: what each goes on from is its own."""
    params = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.5 * jax.random.normal(KEY, leaf.shape, leaf.dtype), params)
    prompt = PROMPT[:2, :4] % 11
    options = {"end": END, "max_length": 8}
    found = beam_search(model, params, prompt, beam=Beam(3, 3), **options)
    greedy, drawn = (
        sample_to_end(model, params, prompt, key=KEY, sampling=sampling, **options)
        for sampling in (GREEDY, Sampling(top_k=5))
    )
    made = np.concatenate([found.tokens.reshape(6, 8), greedy.tokens, drawn.tokens])
    texts = np.concatenate([np.tile(prompt, (5, 1)), made], axis=1)
    texts[:6, :4] = np.repeat(prompt, 3, axis=0)
    logits = np.asarray(jax.jit(lambda tokens: model.apply({"params": params}, tokens)[0])(texts), np.float64)[:, 3:-1]
    gains = np.take_along_axis(logits, made[..., None], axis=2)[..., 0] - np.log(np.exp(logits).sum(-1))
    results = [found, greedy, drawn]
    lengths = np.concatenate([result.lengths.ravel() for result in results])
    totals = np.where(np.arange(8) < lengths[:, None], gains, 0).sum(1)
    told = np.concatenate([result.log_probabilities.ravel() for result in results])
    np.testing.assert_allclose(told, totals, rtol=2e-5)
    assert (logits.argmax(-1) == made)[6:8][np.arange(8) < lengths[6:8, None]].all()


def decoded(source=SOURCE, mask=MASK, *, model=TRANSLATOR, most=12, beam=COVERING, **options):
    return beam_decode(model, PARAMS, source, mask=mask, end=END, max_length=most, beam=beam, **options)


def test_a_source_is_gone_on_from_by_samples_and_beams_alike():
    beamed = decoded(beam=Beam(1))
    greedy = sample_decode(TRANSLATOR, PARAMS, SOURCE, mask=MASK, end=END, max_length=12, key=KEY, sampling=GREEDY)
    np.testing.assert_array_equal(beamed.tokens[:, 0], greedy.tokens)
    assert len(np.unique(greedy.tokens, axis=0)) > 4


def test_padding_of_a_source_order_and_number_of_rows_change_no_result():
    """onmt#137, hf#36293: content and amount of padding reach nothing, coverage among it."""
    whole = decoded()
    longer = np.pad(np.where(MASK, SOURCE, 9999), ((0, 0), (0, 4)), constant_values=-7)
    few = decoded(longer[5:2:-1], np.pad(MASK, ((0, 0), (0, 4)))[5:2:-1])
    for name in whole._fields:
        np.testing.assert_allclose(getattr(few, name), getattr(whole, name)[5:2:-1], rtol=1e-5)


def test_the_coverage_penalty_is_that_of_the_attention_paid():
    beta, most = 0.7, 12
    found = decoded(beam=Beam(3, 3, coverage_penalty=beta), most=most)
    step = jax.jit(TRANSLATOR.decode_step)
    weights, _, start = jax.jit(lambda *x: TRANSLATOR.start(*x[:2], mask=x[2]))(PARAMS, SOURCE, MASK)
    carry = repeat_rows(start, 3)
    covered = np.zeros((24, 6))
    for i in range(most):
        counts = i < found.lengths.reshape(24, 1)
        covered += np.where(counts, np.asarray(carry.attention, np.float64), 0)
        _, carry = step(weights, found.tokens[..., i].reshape(-1), carry)
    logs = np.log(np.clip(covered, np.finfo(np.float32).tiny, 1)).reshape(8, 3, 6)
    penalty = beta * np.where(MASK[:, None], logs, 0).sum(-1)
    np.testing.assert_allclose(found.scores, found.log_probabilities + penalty, rtol=1e-4)


def test_the_memory_is_shared_by_the_beams_of_a_source():
    """addons#2459: one contract for the axes, with beams and without."""
    memory = {"keys": jnp.arange(3)}
    carry = Conditioned(memory, jnp.array([[0], [10], [20]]), jnp.eye(3))
    three = repeat_rows(carry, 2)
    assert three.memory is memory
    assert three.state[:, 0].tolist() == [0, 0, 10, 10, 20, 20]
    taken = take_rows(three, jnp.array([1, 1, 3, 2, 4, 4]))
    assert taken.memory is memory
    assert taken.attention is not None
    assert taken.attention.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    # What is kept stays where it is, with room for new rows along its last axis but one.
    kept = repeat_rows({"own": jnp.arange(2), "kept": Kept(jnp.arange(6).reshape(2, 1, 3))}, 2)
    assert kept["kept"].tree.tolist() == [[[0, 1, 2], [0, 0, 0]], [[3, 4, 5], [0, 0, 0]]]
    taken = take_rows(kept, jnp.array([1, 1, 3, 2]))
    assert taken["kept"] is kept["kept"]
    assert taken["own"].tolist() == [0, 0, 1, 1]
    assert repeat_rows({"h": jnp.arange(2)}, 2)["h"].tolist() == [0, 0, 1, 1]
    assert repeat_rows((), 5) == ()


def test_the_page_says_what_there_is(capsys):
    (block,) = blocks(read_page("decoding.md"))
    names = {"model": MODEL, "params": PARAMS}
    exec(compile(block, "decoding.md", "exec"), names)
    assert names["found"].tokens.shape == (2, 3, 30)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_other_numbers_compile_nothing():
    options = {"mask": MASK, "end": END}
    beam_decode(TRANSLATOR, PARAMS, SOURCE, max_length=9, beam=COVERING, **options)
    TRANSLATOR.traces.clear()
    for most, beam in [(16, Beam(3, 3, -2, 0.1)), (np.arange(8) + 9, Beam(3, 3, 0.0, 3, min_length=5))]:
        beam_decode(ToyTranslator(23), MODEL.init(1), SOURCE + 1, max_length=most, beam=beam, **(options | {"end": 7}))
    assert TRANSLATOR.traces == []


@pytest.mark.parametrize("decode", [beam_decode, sample_decode])
def test_many_rows_are_shared_among_devices_and_come_out_the_same(decode, monkeypatch):
    if len(jax.devices()) < 2:
        pytest.skip("needs 2 devices")
    source, mask = np.tile(SOURCE, (4, 1)), np.tile(MASK, (4, 1))
    options = {"key": KEY} if decode is sample_decode else {"prefix": [[i % 3] for i in range(32)]}
    shared = decode(TRANSLATOR, PARAMS, source, mask=mask, end=END, max_length=16, **options)
    monkeypatch.setattr(beginning, "_FEWEST_ROWS", 1000)
    alone = decode(TRANSLATOR, PARAMS, source, mask=mask, end=END, max_length=16, **options)
    np.testing.assert_array_equal(shared.tokens, alone.tokens)
    np.testing.assert_allclose(shared.log_probabilities, alone.log_probabilities, rtol=1e-5)


def test_logits_that_are_not_finite_are_an_error_that_names_row_and_token():
    prompt = PROMPT[:2]
    start = generate(MODEL, PARAMS, prompt, length=32, key=KEY, sampling=GREEDY)
    made = [up_to_end(row) for row in start]
    bad = next(token for tokens in made for token in tokens if token not in prompt and token != END)
    time, row = min((tokens.index(bad), row) for row, tokens in enumerate(made) if bad in tokens)
    params = PARAMS | {"embedding": np.where(np.arange(23)[:, None] == bad, np.float32(np.nan), PARAMS["embedding"])}
    options = {"end": END, "max_length": 32}
    told = rf"not finite in row {row} after {time + 1} token"
    with pytest.raises(NonFiniteError, match=told):
        beam_search(MODEL, params, prompt, beam=Beam(1), **options)
    with pytest.raises(NonFiniteError, match=told):
        sample_to_end(MODEL, params, prompt, key=KEY, sampling=GREEDY, **options)


def test_what_cannot_be_decoded_is_one_line():
    with pytest.raises(InputError, match=r"coverage penalty of 0\.2 needs a model with attention"):
        decoded(model=ToyTranslator(23, attends=False))
    with pytest.raises(InputError, match="coverage penalty needs a model that goes on from a source"):
        beam_search(MODEL, PARAMS, PROMPT, end=END, max_length=3, beam=Beam(coverage_penalty=1))
    with pytest.raises(InputError, match=r"a source of shape \[8, 6\] with a mask of shape \[8, 5\] cannot be read"):
        decoded(mask=MASK[:, 1:])
    with pytest.raises(InputError, match="token 23 is to end texts: the ids go from 0 to 22"):
        sample_to_end(MODEL, PARAMS, PROMPT, end=23, max_length=3, key=KEY)
