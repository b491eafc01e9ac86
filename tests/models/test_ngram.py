"""The n-gram model: the laws of the carry, and one score by whichever way it is asked for."""

import functools
import math

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
from kneser_ney_by_hand import KneserNeyByHand
from nonfinite_laws import nonfinite_input
from subjects import Subject

from jaxseq.config import CorpusConfig
from jaxseq.data import Corpus, RowLoader, WindowLoader
from jaxseq.data.backoff import BackoffTables, backoff_tables
from jaxseq.data.kneser_ney import estimate_kneser_ney
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.decoding import Sampling, generate, next_tokens, stream
from jaxseq.models import NGram, NGramCarry
from jaxseq.ops.objective import EVALUATION
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.tasks.language.corpora import row_loader
from jaxseq.tasks.language.language_model import evaluation, init_params, make_loss_fn

SYMBOLS = 7
BEGIN = 0


def texts(count=12, *, symbols=SYMBOLS, length=30, seed=0) -> list[list[int]]:
    """Random walks in which some n-grams are frequent, without id 0."""
    rng = np.random.default_rng(seed)
    after = rng.dirichlet(np.full(symbols - 1, 0.2), symbols)
    found = []
    for _ in range(count):
        text = [1]
        for _ in range(length):
            text.append(1 + int(rng.choice(symbols - 1, p=after[text[-1]])))
        found.append(text)
    return found


@functools.cache
def trained(order, begin=None, *, symbols=SYMBOLS, length=30):
    """A model, its parameters, and the model by hand."""
    some = texts(symbols=symbols, length=length)
    ids, starts = np.concatenate(some), np.cumsum([0, *map(len, some)])[:-1]
    counts = count_ngrams(ids, order=order, vocabulary_size=symbols, starts=starts, begin=begin)
    estimate = estimate_kneser_ney(counts)
    possible = set(range(symbols)) - {begin}
    by_hand = KneserNeyByHand(some, order=order, begin=begin, possible=possible, discounts=estimate.discounts)
    params = jax.tree.map(jnp.asarray, estimate.tables.params())
    return NGram(symbols, order, begin), params, by_hand


def subject_of(name, order, begin=None) -> Subject:
    model, params, _ = trained(order, begin)
    first = 0 if begin is None else 1

    def finite(result):
        """The begin symbol has no probability; laws compare numbers."""
        logits, carry = result
        return jnp.maximum(logits, -20), carry

    return Subject(
        name=name,
        params=params,
        spoil=lambda *_: pytest.fail("there is nothing but ids to spoil"),
        run=lambda p, x, carry, mask, reset: finite(model.apply({"params": p}, x, carry, mask=mask, reset=reset)),
        initial_carry=model.initial_carry,
        draw=lambda rng, b, t: rng.integers(first, SYMBOLS, (b, t), dtype=np.int32),
        rubbish=lambda rng, b, t: rng.choice(np.array([-1, -(2**31), SYMBOLS, 2**31 - 1], np.int32), (b, t)),
        loss=lambda p, x, y, carry, mask, reset: model.apply(
            {"params": p}, x, y, carry, mask=mask, reset=reset, method="loss"
        ),
        prepare=model.decoding_weights,
        step=lambda weights, x, carry: finite(model.decode_step(weights, x, carry)),
    )


WITH_BEGIN, TRIGRAMS = subject_of("with_begin", 4, BEGIN), subject_of("trigrams", 3)


# It has no gradients, so that the laws say of them that they are zero; what a spoilt one would show is not there.
@pytest.mark.parametrize("law", [law for law in laws.LAWS if law is not nonfinite_input], ids=lambda law: law.__name__)
def test_the_carry_keeps_its_laws(law):
    law(WITH_BEGIN)


@pytest.mark.parametrize("law", [laws.mask_and_reset, laws.reset_forgets], ids=lambda law: law.__name__)
def test_without_a_begin_symbol_a_reset_forgets_too(law):
    law(TRIGRAMS)


@functools.partial(jax.jit, static_argnums=0)
def logits_of(model, params, tokens, carry=None, reset=None):
    return model.apply({"params": params}, tokens, carry, reset=reset)[0]


@functools.partial(jax.jit, static_argnums=0)
def scores_of(model, params, tokens, targets, carry=None, reset=None):
    return model.apply({"params": params}, tokens, targets, carry, reset=reset, method="log_probability")[0]


@pytest.mark.parametrize(("order", "begin"), [(1, None), (2, None), (3, BEGIN), (5, None)])
def test_probabilities_are_those_of_the_formulas(order, begin):
    model, params, by_hand = trained(order, begin)
    tokens = np.array(texts(2, length=8, seed=5), np.int32)
    reset = np.zeros(tokens.shape, bool)
    reset[1, 4] = True
    found = np.exp(logits_of(model, params, tokens, None, reset))
    for row, at in ((0, 0), (0, 1), (0, 8), (1, 3), (1, 4), (1, 5), (1, 8)):
        context = [*tokens[row, 4 * (row and at > 3) : at + 1].tolist()]
        context = tuple(context if begin is None else [begin, *context])
        np.testing.assert_allclose(
            found[row, at], [by_hand.probability(w, context) for w in range(SYMBOLS)], rtol=5e-6, atol=1e-7
        )


def test_every_way_to_ask_gives_one_score():
    """mitlm#28: more n-grams than one step writes, contexts with many and with no followers."""
    model, params, _ = trained(4, symbols=300, length=400)
    tokens = np.array(texts(8, symbols=300, length=399, seed=0), np.int32)[:, :24]
    tokens[1, ::3] = 0
    targets = np.roll(tokens, -1, axis=1)
    logits = np.asarray(logits_of(model, params, tokens))
    followers = np.diff(params["order_1"]["first_children"])
    assert followers[tokens].sum() > 2048
    assert (followers[tokens] == 0).any()
    np.testing.assert_allclose(np.exp(logits.astype(np.float64)).sum(-1), 1, atol=2e-6)
    scores = np.asarray(scores_of(model, params, tokens, targets))
    np.testing.assert_array_equal(np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0], scores)
    step, carry = jax.jit(model.decode_step), model.initial_carry(8)
    for i in range(tokens.shape[1]):
        row, carry = step(model.decoding_weights(params), tokens[:, i], carry)
        np.testing.assert_array_equal(row, logits[:, i])
    tallies, _ = model.apply({"params": params}, tokens, targets, method="loss")
    np.testing.assert_allclose(float(tallies["loss"].total), -scores.sum(dtype=np.float64), rtol=1e-6)
    assert float(tallies["accuracy"].total) == (logits.argmax(-1) == targets).sum()


@pytest.mark.parametrize("size", [7, 8])
def test_of_a_context_that_every_word_follows_all_are_found(size):
    ids = np.stack([np.full(size, 1), np.arange(size)], axis=1).reshape(-1)
    params = estimate_kneser_ney(count_ngrams(ids, order=2, vocabulary_size=size)).tables.params()
    tokens, targets = np.full((1, size), 1), np.arange(size)[None]
    logits = np.asarray(logits_of(NGram(size, 2), params, tokens))
    scores = scores_of(NGram(size, 2), params, tokens, targets)
    np.testing.assert_array_equal(scores[0], logits[0, 0])
    assert np.diff(params["order_1"]["first_children"])[1] == size


@pytest.mark.parametrize("begin", [None, BEGIN])
def test_the_likeliest_token_is_that_of_the_distribution_after_every_context(begin):
    model, params, _ = trained(3, begin)
    pairs = np.stack(np.meshgrid(np.arange(-1, SYMBOLS), np.arange(SYMBOLS)), -1).reshape(-1, 2).astype(np.int32)
    carry = NGramCarry(np.pad(pairs[:, :1], ((0, 0), (1, 0)), constant_values=-1))
    logits = np.asarray(logits_of(model, params, pairs[:, 1:], carry))
    tallies, _ = model.apply({"params": params}, pairs[:, 1:], logits.argmax(-1), carry, method="loss")
    assert float(tallies["accuracy"].total) == len(pairs)


def test_of_models_that_are_not_interpolated_too():
    """A word may be less likely after a context that it follows than the shorter one says."""
    model, params, _ = trained(3)
    tables = BackoffTables.from_params(params)
    rng = np.random.default_rng(0)
    odd = backoff_tables(
        [grams.words for grams in tables.grams],
        [np.zeros(SYMBOLS, np.int32), tables.contexts(2), tables.contexts(3)],
        [np.log(rng.uniform(0.01, 1, len(grams.words))) for grams in tables.grams],
        [np.log(rng.uniform(0.5, 2, len(grams.words))) for grams in tables.grams[:-1]],
    )
    tokens = rng.integers(0, SYMBOLS, (4, 50), dtype=np.int32)
    logits = np.asarray(logits_of(model, odd.params(), tokens))
    tallies, _ = model.apply({"params": odd.params()}, tokens, logits.argmax(-1), method="loss")
    assert float(tallies["accuracy"].total) == tokens.size


def test_a_sample_and_the_next_tokens_follow_the_probabilities():
    model, params, by_hand = trained(3)
    ids, probabilities = next_tokens(model, params, [2, 1, 3], count=SYMBOLS)
    expected = np.array([by_hand.probability(w, (1, 3)) for w in range(SYMBOLS)])
    np.testing.assert_allclose(probabilities, expected[ids], rtol=1e-5)
    options = {"length": 40, "key": jax.random.key(0)}
    sample = generate(model, params, [2, 1, 3], **options)
    assert np.concatenate(list(stream(model, params, [2, 1, 3], **options))).tolist() == sample.tolist()
    many = generate(model, params, np.tile([[1, 3]], (4000, 1)), length=1, key=jax.random.key(1))
    counts = np.bincount(many[:, 0], minlength=SYMBOLS)
    assert np.abs(counts / 4000 - expected).max() < 5 * math.sqrt(0.25 / 4000)
    greedy = generate(model, params, [1, 3], length=5, key=jax.random.key(0), sampling=Sampling(greedy=True)).tolist()
    context = [1, 3]
    for token in greedy:
        likely = [by_hand.probability(w, tuple(context[-2:])) for w in range(SYMBOLS)]
        assert likely[token] == pytest.approx(max(likely))
        context.append(token)


def test_tasks_measure_it_as_they_measure_neural_models():
    model, params, by_hand = trained(3)
    ids = np.concatenate(texts(3, seed=9)).astype(np.int32)
    corpus = Corpus(ids, np.array([0, 40], np.int64))
    data = CorpusConfig(length=10, batch_size=2)
    carried = evaluation(model, row_loader(data, corpus, rows=1))
    nats = 0.0
    for i in range(len(ids) - 1):
        context = ids[(40 if i >= 40 else 0) : i + 1].tolist()
        nats -= math.log(by_hand.probability(int(ids[i + 1]), tuple(context)))
    assert SplitEvaluator(carried)({"params": params})["loss"] == pytest.approx(nats / (len(ids) - 1), rel=1e-5)
    windows = make_loss_fn(model.clone(predict="last"), WindowLoader(ids, length=10, shift=1, batch_size=4))
    batch = WindowLoader(ids, length=10, shift=1, batch_size=4)(0)
    output = windows({"params": params}, None, batch, EVALUATION)
    expected = -np.asarray(scores_of(model, params, batch.inputs, batch.targets))[:, -1].sum()
    assert float(output.tallies["loss"].total) == pytest.approx(expected, rel=1e-6)
    assert int(output.tallies["loss"].count) == len(batch.inputs)


def test_fresh_parameters_have_read_no_text():
    model = NGram(SYMBOLS, 3)
    params = init_params(model, seed=0)
    np.testing.assert_allclose(logits_of(model, params, np.array([[1, 2, 3]])), math.log(1 / SYMBOLS), rtol=1e-6)
    counts = count_ngrams([], order=3, vocabulary_size=SYMBOLS)
    of_none = estimate_kneser_ney(counts).tables.params()
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, of_none)
    assert jax.tree.map(lambda leaf: leaf.dtype, params) == jax.tree.map(lambda leaf: leaf.dtype, of_none)


def test_parameters_become_tables_again():
    _, params, _ = trained(4)
    again = BackoffTables.from_params(params).params()
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert BackoffTables.from_params(params).nbytes == sum(leaf.nbytes for leaf in jax.tree.leaves(params))


def test_ids_that_are_none_are_no_context():
    model, params, _ = trained(3)
    odd, none = np.array([[SYMBOLS, 1]], np.int32), np.array([[1]], np.int32)
    np.testing.assert_array_equal(logits_of(model, params, odd)[:, -1], logits_of(model, params, none)[:, -1])


def test_types_and_numbers_are_those_without_64_bit_types():
    model, params, _ = trained(2)
    loader = RowLoader(np.concatenate(texts(3)).astype(np.int32), length=6, batch_size=2)
    results = []
    for wide in (False, True):
        with jax.enable_x64(wide):
            batch = loader(0)
            carry = model.initial_carry(2)
            read = jax.jit(functools.partial(model.apply, {"params": params}))(batch.inputs, carry, reset=batch.reset)
            loss = jax.jit(
                lambda carry, batch: make_loss_fn(model, loader)({"params": params}, carry, batch, EVALUATION)
            )
            results.append((read, loss(carry, batch)))
    for want, have in zip(*map(jax.tree.leaves, results), strict=True):
        assert have.dtype == want.dtype
        np.testing.assert_array_equal(have, want)
