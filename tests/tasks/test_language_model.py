"""What ties corpus, model, loss and checkpoints together."""

import dataclasses
import itertools
import json
import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.config import (
    DataConfig,
    ExperimentConfig,
    OptimizerConfig,
    RNNConfig,
    TrainConfig,
    TransformerConfig,
    to_dict,
    to_json,
)
from jaxseq.data import Corpus, RowLoader, WindowLoader
from jaxseq.errors import CheckpointError, InputError
from jaxseq.reporting.summary import layers_of
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.tasks import train_model
from jaxseq.tasks.language_model import (
    SplitEvaluator,
    build_model,
    init_params,
    layer_outputs,
    load_run,
    make_loss_fn,
    read_tokenizer,
    validation_evaluator,
)
from jaxseq.text import CharTokenizer

SYMBOLS = 7
MODELS = {
    "lstm": RNNConfig(features=5, embedding=3),
    "transformer": TransformerConfig(features=8, heads=2, layers=1, context=100),
}
every_model = pytest.mark.parametrize("config", MODELS.values(), ids=MODELS)


def corpus_of(size: int, starts=(0,), *, seed: int = 0) -> Corpus:
    ids = np.random.default_rng(seed).integers(0, SYMBOLS, size).astype(np.int32)
    return Corpus(ids, np.array(starts, np.int64))


@cache
def model_and_params(config):
    model = build_model(config, vocabulary_size=SYMBOLS)
    # Larger than fresh ones, so that the carry counts.
    return model, jax.tree.map(lambda leaf: leaf * 3, init_params(model, seed=1))


def mean_loss(model, params, pieces) -> float:
    """Mean loss over pieces of ids, each read from the initial carry in one go, its last token a target alone."""
    size = max(map(len, pieces))
    ids = np.stack([np.pad(piece, (0, size - len(piece))) for piece in pieces])
    real = np.arange(1, size) < np.array([len(piece) for piece in pieces])[:, None]
    logits, _ = jax.jit(model.apply)({"params": params}, ids[:, :-1])
    losses = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), ids[:, 1:, None], axis=2)[..., 0]
    return float(losses[real].mean())


@every_model
def test_every_field_of_the_configuration_reaches_the_model(config):
    model = build_model(config, vocabulary_size=SYMBOLS, dtype="bfloat16")
    assert (
        dataclasses.asdict(config).items()
        <= {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}.items()
    )
    assert (model.vocabulary_size, model.dtype) == (SYMBOLS, jnp.bfloat16)


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
    evaluator = SplitEvaluator(model, DataConfig(length=8), corpus, how="carried", rows=rows, devices=1)
    bounds = [0, 99] if rows == 1 else [0, 33, 66, 99]
    cuts = sorted({*bounds, *starts})
    pieces = [corpus.ids[start : stop + 1] for start, stop in itertools.pairwise(cuts)]
    metrics = evaluator(params)
    assert metrics["loss"] == pytest.approx(mean_loss(model, params, pieces), rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]), rel=1e-6)
    assert metrics["bits_per_token"] == pytest.approx(metrics["loss"] / math.log(2), rel=1e-6)


@every_model
def test_an_evaluation_by_windows_is_that_of_each_window_alone(config):
    model, params = model_and_params(config)
    corpus = corpus_of(100)
    evaluator = SplitEvaluator(model, DataConfig(length=8, batch_size=5), corpus, how="windows", devices=1)
    pieces = [corpus.ids[start : start + 9] for start in range(0, 92, 8)]
    assert evaluator(params)["loss"] == pytest.approx(mean_loss(model, params, pieces), rel=1e-5)


def test_several_devices_measure_the_same_as_one():
    if jax.device_count() < 4:
        pytest.skip("needs 4 devices")
    model, params = model_and_params(MODELS["lstm"])
    one, four = (
        SplitEvaluator(model, DataConfig(length=8), corpus_of(100), how="carried", rows=4, devices=count)(params)
        for count in (1, 4)
    )
    assert one == pytest.approx(four, rel=1e-5)


@every_model
@pytest.mark.parametrize("starts", [(0,), (0, 37)], ids=["one document", "documents"])
def test_the_loss_over_rows_hands_the_carry_on_and_resets_it_where_the_loader_says(config, starts):
    model, params = model_and_params(config)
    corpus = corpus_of(100, starts)
    loader = RowLoader(corpus.ids, length=8, batch_size=2, document_starts=corpus.document_starts)
    loss_fn = jax.jit(make_loss_fn(model, loader), static_argnums=4)
    carry = jax.tree.map(lambda leaf: leaf + 1, model.initial_carry(2))  # the first batch must not see it
    total = 0.0
    for step in range(loader.steps_per_epoch):
        tallies, carry = loss_fn(params, carry, loader(step), None, False)
        total += float(tallies["loss"].total)
    inputs, targets, _, reset = (np.concatenate(parts, 1) for parts in zip(*map(loader, range(6)), strict=True))
    assert loader.steps_per_epoch == 6
    logits, _ = jax.jit(model.apply)({"params": params}, inputs, None, reset=reset)
    expected = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], 2).sum()
    assert total == pytest.approx(float(expected), rel=1e-5)


def test_the_loss_over_windows_has_no_carry():
    model, params = model_and_params(MODELS["lstm"])
    loader = WindowLoader(corpus_of(60).ids, length=8, batch_size=4)
    tallies, carry = make_loss_fn(model, loader)(params, None, loader(0), None, False)
    assert carry is None
    assert float(tallies["loss"].count) == 32


def test_dropout_is_drawn_from_the_key_and_only_in_training():
    model, params = model_and_params(RNNConfig(features=5, output_dropout=0.5, input_dropout=0.5))
    loader = RowLoader(corpus_of(100).ids, length=8, batch_size=2)
    loss_fn, carry = jax.jit(make_loss_fn(model, loader), static_argnums=4), model.initial_carry(2)

    def loss(seed, train):
        key = jax.random.key(seed)
        return float(loss_fn(params, carry, loader(0), key, train)[0]["loss"].total)

    assert loss(0, True) == loss(0, True) != loss(1, True)
    assert loss(0, False) == loss(1, False)


def experiment(layout, **data) -> ExperimentConfig:
    return ExperimentConfig(
        data=DataConfig(layout=layout, length=8, batch_size=4, split=(0.5, 0.5, 0.0), **data),
        model=MODELS["lstm"],
        train=TrainConfig(evaluate_batches=1, devices=1),
    )


@pytest.mark.parametrize(("layout", "batches"), [("rows", 4), ("windows", 4)])
def test_validation_has_the_layout_of_training_and_its_first_batches_are_for_in_between(layout, batches):
    model, params = model_and_params(MODELS["lstm"])
    corpus = corpus_of(240)
    evaluate = validation_evaluator(experiment(layout), model, corpus)
    assert evaluate is not None
    part = Corpus(corpus.ids[120:], np.array([], np.int64))
    how, rows = ("carried", 4) if layout == "rows" else ("windows", 1)
    same = SplitEvaluator(model, experiment(layout).data, part, how=how, rows=rows, devices=1)
    assert evaluate(params, True) == same(params)
    assert same.loader.steps_per_epoch == batches
    assert evaluate(params, False) == same(params, batches=1) != same(params)


def test_without_a_validation_split_there_is_no_evaluation():
    config = dataclasses.replace(experiment("rows"), data=DataConfig(split=(1.0, 0.0, 0.0)))
    assert validation_evaluator(config, build_model(config.model, vocabulary_size=SYMBOLS), corpus_of(99)) is None


def test_a_validation_split_shorter_than_a_window_is_told_as_such():
    with pytest.raises(InputError, match=r"the validation split cannot be used: window length 8 .*data\.split"):
        validation_evaluator(experiment("windows"), build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), corpus_of(12))


def test_layers_and_shapes_are_known_without_computing():
    params, outputs, _ = layer_outputs(build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), batch_size=3, length=4)
    assert params["embedding"].shape == (SYMBOLS, 3)
    assert outputs["layer_0"]["__call__"][0][0].shape == (3, 4, 5)
    rows = [(layer.name, layer.output) for layer in layers_of(params, outputs)]
    assert rows == [("embedding", "(3, 4, 3)"), ("layer_0", "(3, 4, 5)"), ("head", f"(3, 4, {SYMBOLS})")]


@pytest.fixture
def saved(tmp_path):
    """A run directory of untrained checkpoints: steps 1, 2 (the best) and 3."""

    def save(tokenizer, config=None, *, best=2):
        config = config or ExperimentConfig(model=MODELS["lstm"])
        _, params = model_and_params(config.model)
        store = CheckpointStore(tmp_path / "checkpoints")
        files = {"config.json": to_json(config), "tokenizer.json": json.dumps(tokenizer.to_json())}
        for step in (1, 2, 3):
            moved = jax.tree.map(partial(np.add, step), params)
            store.save(step, {"params": moved}, {"corpus": "c"}, files=files, best=step == best)
        return tmp_path

    return save


TOKENIZER = CharTokenizer.train("abcdefg")


@pytest.mark.parametrize(("which", "step"), [("best", 2), ("newest", 3)])
def test_a_run_is_loaded_from_its_best_or_its_newest_checkpoint(saved, which, step):
    loaded = load_run(saved(TOKENIZER), checkpoint=which)
    assert (loaded.step, loaded.tokenizer, loaded.corpus, loaded.skipped) == (step, TOKENIZER, "c", [])
    _, params = model_and_params(MODELS["lstm"])
    jax.tree.map(np.testing.assert_array_equal, loaded.params, jax.tree.map(partial(np.add, step), params))
    assert loaded.model == build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(loaded.params))


def test_where_none_was_the_best_the_newest_is(saved):
    assert load_run(saved(TOKENIZER, best=0)).step == 3


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere holds no trained model"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no trained model"):
        load_run(tmp_path)


def test_a_vocabulary_that_does_not_match_the_checkpoint_is_refused(saved):
    with pytest.raises(CheckpointError, match="does not fit its tokenizer and configuration, whose vocabulary has 3"):
        load_run(saved(CharTokenizer.train("abc")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "holds no config.json: it is not of `jaxseq train`"),
        ("[" * 100_000, r"cannot be used, it was changed by hand \(config.json is nested too deeply"),
        ({"cell": "foo"}, r"cannot be used, it was changed by hand \(model.cell is 'foo': choose"),
        ({"features": 5.5}, r"cannot be used, it was changed by hand \(model.features is 5.5: give a whole number"),
        ({"colour": 1}, r"cannot be used, it was changed by hand \(model.colour is unknown to this version"),
    ],
)
def test_a_configuration_changed_by_hand_in_a_checkpoint_is_told_in_one_line(tmp_path, content, told):
    """As in a checkpoint whose checksums were made anew."""
    tree = to_dict(ExperimentConfig(model=MODELS["lstm"]))
    if isinstance(content, dict):
        tree["model"].update(content)
        content = json.dumps(tree)
    files = {"tokenizer.json": json.dumps(TOKENIZER.to_json()), **({} if content is None else {"config.json": content})}
    params = {"params": {"a": np.zeros(1)}}
    CheckpointStore(tmp_path / "checkpoints").save(1, params, {"corpus": "c"}, files=files)
    with pytest.raises(CheckpointError, match=f"the checkpoint of step 1 in {tmp_path} {told}") as caught:
        load_run(tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"kind": "word"}', b"\xff\xfe"])
def test_a_tokenizer_that_cannot_be_read_is_named_in_one_line(tmp_path, content):
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be used \(.*\)") as caught:
        read_tokenizer(file)
    assert "\n" not in str(caught.value)


def test_where_the_best_checkpoint_is_damaged_the_newest_serves_and_that_is_told(saved):
    directory = saved(TOKENIZER)
    meta = directory / "checkpoints" / "00000002" / "arrays"
    victim = max((path for path in meta.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    loaded = load_run(directory)
    assert loaded.step == 3
    assert "00000002 is damaged" in loaded.skipped[0]
    assert loaded.skipped[0].endswith("the newest one serves instead of the best")


def test_training_in_a_script_that_diverges_says_so():
    loader = RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4)
    with pytest.raises(InputError, match=r"10 batches in a row was not finite: lower the learning rate \(3e\+38\)"):
        train_model(
            build_model(MODELS["lstm"], vocabulary_size=SYMBOLS),
            loader,
            steps=25,
            optimizer=OptimizerConfig(name="sgd", learning_rate=3e38),
        )


@pytest.mark.parametrize("last", [SYMBOLS, -1, 2**33], ids=["above", "negative", "past int32"])
def test_ids_outside_the_vocabulary_of_a_model_are_refused_once_before_training(last):
    model = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)
    ids = np.arange(400) % SYMBOLS
    ids[-1] = last
    sizes = {"length": 8, "batch_size": 4}
    for loader in (RowLoader(ids, **sizes), WindowLoader(ids, **sizes), RowLoader(ids, pad=True, **sizes)):
        with pytest.raises(InputError, match=rf"token ids run from .*, the vocabulary has {SYMBOLS}: "):
            train_model(model, loader, steps=1)


def test_ids_are_looked_through_only_where_their_vocabulary_is_not_known(monkeypatch):
    looked = []
    monkeypatch.setattr("jaxseq.tasks.language_model.require_ids", lambda ids, *, vocab_size: looked.append(vocab_size))
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
    layers = layers_of(*layer_outputs(model, batch_size=3, length=4))
    assert [f"{layer.name} {layer.kind} {layer.output}" for layer in layers] == [
        "{} {} (3, 4, {})".format(*line.split()) for line in expected
    ]
    shapes = jax.tree.leaves(jax.eval_shape(lambda: init_params(model, seed=0)))
    assert sum(layer.parameters for layer in layers) == sum(math.prod(leaf.shape) for leaf in shapes)


def test_training_in_a_script_whose_last_update_diverges_says_so():
    with pytest.raises(InputError, match=r"parameters after the last update are not finite: lower the learning rate"):
        train_model(
            build_model(MODELS["lstm"], vocabulary_size=SYMBOLS),
            RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4),
            steps=1,
            optimizer=OptimizerConfig(name="rmsprop", learning_rate=3e38),
        )


def test_training_in_a_script_ends_with_an_update_of_the_batches_that_are_left():
    model, ids = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), corpus_of(400).ids

    def trained(*, steps, batch_size, accumulate=1):
        optimizer = OptimizerConfig(name="sgd", learning_rate=0.5, accumulate=accumulate)
        loader = WindowLoader(ids, length=8, batch_size=batch_size, shuffle=False)
        return train_model(model, loader, steps=steps, optimizer=optimizer)

    small, large = trained(steps=3, batch_size=4, accumulate=4), trained(steps=1, batch_size=12)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), small, large)


def test_what_the_validation_leaves_out_is_known():
    for layout, left_out in (("rows", ""), ("windows", "the last 3 of 100 tokens (no whole window)")):
        data = DataConfig(length=8, batch_size=4, layout=layout, split=(0.75, 0.25, 0.0))
        evaluate = validation_evaluator(
            ExperimentConfig(data=data), model_and_params(MODELS["lstm"])[0], corpus_of(400)
        )
        assert evaluate is not None
        assert evaluate.evaluator.left_out == left_out
