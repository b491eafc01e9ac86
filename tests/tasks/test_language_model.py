"""What ties corpus, model and loss together."""

import dataclasses
import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_language_models import MODELS, SYMBOLS, corpus_of, every_model, model_and_params

from jaxseq.config import CorpusConfig, ExperimentConfig, ModelConfig, RNNConfig, TrainConfig, TransformerConfig
from jaxseq.data import Corpus, RowLoader, WindowLoader
from jaxseq.errors import ConfigError, InputError
from jaxseq.nn import BareHead, TiedHead, VocabularyHead
from jaxseq.ops.objective import EVALUATION, LossContext
from jaxseq.reporting.summary import layers_of
from jaxseq.runs.evaluation import SplitEvaluator, Validation
from jaxseq.tasks.language.corpora import row_loader, window_loader
from jaxseq.tasks.language.corpus_splits import CorpusSplits
from jaxseq.tasks.language.language_model import (
    build_model,
    evaluation,
    init_params,
    layer_outputs,
    make_loss_fn,
)
from jaxseq.text import CharTokenizer


def validation(config, model, corpus):
    """The pass over the validation split of a corpus while a model trains."""
    tokenizer = CharTokenizer.train("".join(map(chr, range(97, 97 + SYMBOLS))))
    found = CorpusSplits(config, tokenizer, corpus).validation(last_only=model.predict == "last")
    return None if found is None else evaluation(model, found.loader)


def mean_loss(model, params, pieces) -> float:
    """Mean loss over pieces of ids, each read from the initial carry in one go, its last token a target alone."""
    size = max(map(len, pieces))
    ids = np.stack([np.pad(piece, (0, size - len(piece))) for piece in pieces])
    real = np.arange(1, size) < np.array([len(piece) for piece in pieces])[:, None]
    logits, _ = jax.jit(model.apply)({"params": params}, ids[:, :-1])
    losses = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), ids[:, 1:, None], axis=2)[..., 0]
    return float(losses[real].mean())


@pytest.mark.parametrize(
    ("config", "head"),
    [
        (RNNConfig(features=5, embedding=3), VocabularyHead),
        (RNNConfig(cell="gru", reset_after=False, layers=2, variational=True), VocabularyHead),
        (TransformerConfig(features=8, heads=2, bias=True), TiedHead),
        (TransformerConfig(positions="learned", tie_embedding=False), BareHead),
    ],
)
@pytest.mark.parametrize("predict", ["every", "last"])
def test_every_field_of_the_configuration_reaches_the_model(config, head, predict):
    model = build_model(config, vocabulary_size=SYMBOLS, predict=predict, dtype="bfloat16")
    of_the_body = {name: value for name, value in dataclasses.asdict(config).items() if name != "tie_embedding"}
    assert {name: getattr(model.body, name) for name in of_the_body} == of_the_body
    assert (type(model.head), model.predict) == (head, predict)
    assert (model.vocabulary_size, model.body.vocabulary_size, model.dtype) == (SYMBOLS, SYMBOLS, jnp.bfloat16)


def test_a_model_that_reads_both_ways_is_no_language_model():
    with pytest.raises(ConfigError, match=r"model\.bidirectional is True: a language model sees no later tokens"):
        build_model(RNNConfig(bidirectional=True), vocabulary_size=SYMBOLS)


def test_a_kind_of_model_that_is_no_language_model_is_refused():
    class OtherConfig(ModelConfig):
        kind = "other"

    with pytest.raises(
        ConfigError, match=r"model\.kind is 'other': a language model is rnn, transformer, window_bag or ngram"
    ):
        build_model(OtherConfig(), vocabulary_size=SYMBOLS)


@every_model
def test_parameters_depend_on_the_seed_and_are_float32(config):
    model = build_model(config, vocabulary_size=SYMBOLS, dtype="bfloat16")
    one, other = (init_params(model, seed=seed) for seed in (0, 1))
    assert {leaf.dtype for leaf in jax.tree.leaves(one)} == {jnp.dtype(jnp.float32)}
    assert any((a != b).any() for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


@every_model
@pytest.mark.parametrize(("rows", "starts"), [(1, (0,)), (3, (0, 17, 60))], ids=["one document", "documents"])
def test_a_carried_evaluation_is_that_of_the_rows_in_one_piece(config, rows, starts):
    model, params = model_and_params(config)
    corpus = corpus_of(100, starts)
    evaluator = SplitEvaluator(evaluation(model, row_loader(CorpusConfig(length=8), corpus, rows=rows)), devices=1)
    bounds = [0, 99] if rows == 1 else [0, 33, 66, 99]
    cuts = sorted({*bounds, *starts})
    pieces = [corpus.ids[start : stop + 1] for start, stop in itertools.pairwise(cuts)]
    metrics = evaluator({"params": params})
    assert metrics["loss"] == pytest.approx(mean_loss(model, params, pieces), rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]), rel=1e-6)
    assert metrics["bits_per_token"] == pytest.approx(metrics["loss"] / math.log(2), rel=1e-6)


@every_model
def test_an_evaluation_by_windows_is_that_of_each_window_alone(config):
    model, params = model_and_params(config)
    corpus = corpus_of(100)
    evaluator = SplitEvaluator(
        evaluation(model, window_loader(CorpusConfig(length=8, batch_size=5), corpus, shift=8)), devices=1
    )
    pieces = [corpus.ids[start : start + 9] for start in range(0, 92, 8)]
    assert evaluator({"params": params})["loss"] == pytest.approx(mean_loss(model, params, pieces), rel=1e-5)


def test_several_devices_measure_the_same_as_one():
    if jax.device_count() < 4:
        pytest.skip("needs 4 devices")
    model, params = model_and_params(MODELS["lstm"])
    rows = evaluation(model, row_loader(CorpusConfig(length=8), corpus_of(100), rows=4))
    one, four = (SplitEvaluator(rows, devices=count)({"params": params}) for count in (1, 4))
    assert one == pytest.approx(four, rel=1e-5)


@every_model
@pytest.mark.parametrize("starts", [(0,), (0, 37)], ids=["one document", "documents"])
def test_the_loss_over_rows_hands_the_carry_on_and_resets_it_where_the_loader_says(config, starts):
    model, params = model_and_params(config)
    corpus = corpus_of(100, starts)
    loader = RowLoader(corpus.ids, length=8, batch_size=2, document_starts=corpus.document_starts)
    loss_fn = jax.jit(partial(make_loss_fn(model, loader), context=EVALUATION))
    carry = jax.tree.map(lambda leaf: leaf + 1, model.initial_carry(2))  # the first batch must not see it
    total = 0.0
    for step in range(loader.steps_per_epoch):
        tallies, carry, _ = loss_fn({"params": params}, carry, loader(step))
        total += float(tallies["loss"].total)
    inputs, targets, _, reset = (np.concatenate(parts, 1) for parts in zip(*map(loader, range(6)), strict=True))
    assert loader.steps_per_epoch == 6
    logits, _ = jax.jit(model.apply)({"params": params}, inputs, None, reset=reset)
    expected = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], 2).sum()
    assert total == pytest.approx(float(expected), rel=1e-5)


def test_the_loss_over_windows_has_no_carry():
    model, params = model_and_params(MODELS["lstm"])
    loader = WindowLoader(corpus_of(60).ids, length=8, batch_size=4)
    tallies, carry, _ = make_loss_fn(model, loader)({"params": params}, None, loader(0), EVALUATION)
    assert carry is None
    assert float(tallies["loss"].count) == 32


def test_dropout_is_drawn_from_the_key_and_only_in_training():
    model, params = model_and_params(RNNConfig(features=5, output_dropout=0.5, input_dropout=0.5))
    loader = RowLoader(corpus_of(100).ids, length=8, batch_size=2)
    loss_fn, carry = make_loss_fn(model, loader), model.initial_carry(2)

    @jax.jit
    def loss(key):
        context = LossContext(jnp.int32(0), key)
        return loss_fn({"params": params}, carry, loader(0), context).tallies["loss"].total

    assert loss(jax.random.key(0)) == loss(jax.random.key(0)) != loss(jax.random.key(1))
    logits, _ = model.apply({"params": params}, loader(0).inputs)
    plain = -jnp.take_along_axis(jax.nn.log_softmax(logits), loader(0).targets[..., None], 2).sum()
    assert float(loss(None)) == pytest.approx(float(plain), rel=1e-5)


def experiment(layout, **data) -> ExperimentConfig:
    return ExperimentConfig(
        data=CorpusConfig(layout=layout, length=8, batch_size=4, split=(0.5, 0.5, 0.0), **data),
        model=MODELS["lstm"],
        train=TrainConfig(evaluate_batches=1, devices=1),
    )


@pytest.mark.parametrize(("layout", "batches"), [("rows", 4), ("windows", 4)])
def test_validation_has_the_layout_of_training_and_its_first_batches_are_for_in_between(layout, batches):
    model, params = model_and_params(MODELS["lstm"])
    corpus = corpus_of(240)
    config = experiment(layout)
    validated = validation(config.data, model, corpus)
    assert validated is not None
    evaluate = Validation(SplitEvaluator(validated, devices=1), config.train.evaluate_batches)
    part = Corpus(corpus.ids[120:], np.array([], np.int64))
    own = row_loader(config.data, part, rows=4) if layout == "rows" else window_loader(config.data, part, shift=8)
    whole = evaluation(model, own)
    same = SplitEvaluator(whole, devices=1)
    assert evaluate({"params": params}, True) == same({"params": params})
    assert whole.loader.steps_per_epoch == batches
    assert evaluate({"params": params}, False) == same({"params": params}, batches=1) != same({"params": params})


def test_without_a_validation_split_there_is_no_evaluation():
    data = CorpusConfig(split=(1.0, 0.0, 0.0))
    assert validation(data, build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), corpus_of(99)) is None


def test_a_validation_split_shorter_than_a_window_is_told_as_such():
    with pytest.raises(InputError, match=r"the validation split cannot be used: window length 8 .*data\.split"):
        validation(experiment("windows").data, build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), corpus_of(12))


def test_layers_and_shapes_are_known_without_computing():
    params, outputs, *_ = layer_outputs(build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), batch_size=3, length=4)
    assert params["embedding"].shape == (SYMBOLS, 3)
    assert outputs["layer_0"]["__call__"][0][0].shape == (3, 4, 5)
    rows = [(layer.name, layer.output) for layer in layers_of(params, outputs)]
    assert rows == [("embedding", "(3, 4, 3)"), ("layer_0", "(3, 4, 5)"), ("head", f"(3, 4, {SYMBOLS})")]


def test_ids_are_looked_through_only_where_their_vocabulary_is_not_known(monkeypatch):
    looked = []
    monkeypatch.setattr(
        "jaxseq.tasks.language.language_model.require_ids", lambda ids, *, vocab_size: looked.append(vocab_size)
    )
    model = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)
    for known in (None, SYMBOLS - 1, SYMBOLS, SYMBOLS + 1):
        make_loss_fn(model, RowLoader(np.zeros(400, np.int32), length=8, batch_size=4, vocab_size=known))
    assert looked == [SYMBOLS, SYMBOLS]  # of the first and the last


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            RNNConfig(features=5, layers=2, embedding=3),
            ["embedding Embedding 3", "layer_0 LSTM 5", "layer_1 LSTM 5", f"head Linear {SYMBOLS}"],
        ),
        (RNNConfig(features=5, cell="gru"), ["layer_0 GRU 5", f"head Linear {SYMBOLS}"]),
        (RNNConfig(features=5, cell="rnn"), ["layer_0 SimpleRNN 5", f"head Linear {SYMBOLS}"]),
        (
            TransformerConfig(features=8, heads=2, layers=1, positions="learned", tie_embedding=False),
            [
                "embedding Embedding 8",
                "position_table Embedding 8",
                "block_0/attention_norm LayerNorm 8",
                "block_0/attention/input Linear 24",
                "block_0/attention/output Linear 8",
                "block_0/feed_forward_norm LayerNorm 8",
                "block_0/feed_forward/input Linear 32",
                "block_0/feed_forward/output Linear 8",
                "norm LayerNorm 8",
                f"head_kernel Linear {SYMBOLS}",
            ],
        ),
    ],
    ids=["lstm", "gru", "rnn", "transformer"],
)
def test_the_layers_of_every_model_stand_where_the_data_meets_them_with_kind_and_shape(config, expected):
    model = build_model(config, vocabulary_size=SYMBOLS)
    layers = layers_of(*layer_outputs(model, batch_size=3, length=4)[:3])
    assert [f"{layer.name} {layer.kind} {layer.output}" for layer in layers] == [
        "{} {} (3, 4, {})".format(*line.split()) for line in expected
    ]
    shapes = jax.tree.leaves(jax.eval_shape(lambda: init_params(model, seed=0)))
    assert sum(layer.parameters for layer in layers) == sum(math.prod(leaf.shape) for leaf in shapes)


def test_what_the_validation_leaves_out_is_known():
    for layout, left_out in (("rows", ""), ("windows", "the last 3 of 100 tokens (no whole window)")):
        data = CorpusConfig(length=8, batch_size=4, layout=layout, split=(0.75, 0.25, 0.0))
        validated = validation(data, model_and_params(MODELS["lstm"])[0], corpus_of(400))
        assert validated is not None
        assert SplitEvaluator(validated).left_out == left_out
