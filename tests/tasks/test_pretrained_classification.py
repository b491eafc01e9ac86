"""Classifiers that start from a pretrained encoder, frozen or tuned, against BERT made of PyTorch's layers."""

import dataclasses
import shutil
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from bert_by_hand import WORDS, Bert, write_bert
from small_classifiers import write_table

from jaxseq.config import (
    AdamConfig,
    ClassificationConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    RNNConfig,
    TrainConfig,
)
from jaxseq.data.vector_file import write_vector_file
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.encoder_files import read_encoder
from jaxseq.ops.objective import EVALUATION
from jaxseq.runs import ownership
from jaxseq.runs.evaluation import evaluate_run
from jaxseq.runs.export import export_folder
from jaxseq.runs.load import load_run
from jaxseq.runs.prediction import predict_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification, Workspace
from jaxseq.text.masked_tokenizer import MaskedTokenizer
from jaxseq.training.loop import Result

TEXTS = ["the film was great", "awful", "so sad films ! so bad films ! the film was dull", ""]
MODEL = EncoderConfig(
    features=8,
    layers=2,
    heads=2,
    context=9,
    positions="learned",
    segments=2,
    norm="post",
    epsilon=1e-12,
    mlp_ratio=3,
)


class Frozen(NamedTuple):
    """A finished run, and what it began with."""

    run: Path
    config: ExperimentConfig
    result: Result
    params: dict
    bert: Bert


def experiment(folder: Path, weights: Path | str, *, steps: int = 20, **task) -> ExperimentConfig:
    return ExperimentConfig(
        name="pretrained",
        task=ClassificationConfig(weights=str(weights), **task),
        data=LabelledConfig(source=str(folder), tokenizer="wordpiece", delimit=True, length=8, batch_size=16),
        model=MODEL,
        optimizer=AdamConfig(learning_rate=0.02),
        train=TrainConfig(steps=steps, log_every=10, devices=1),
    )


def changed(config: ExperimentConfig, section: str, **fields) -> ExperimentConfig:
    return dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **fields)})


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> tuple[Path, Path, Bert]:
    """Folders of reviews and of a pretrained encoder."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("pretrained")
    (folder / "tables").mkdir()
    write_table(folder / "tables" / "train.csv", 120)
    write_table(folder / "tables" / "test.csv", 20, seed=1)
    bert = Bert()
    return folder / "tables", write_bert(folder / "bert", bert), bert


@pytest.fixture(scope="module")
def frozen(sources, tmp_path_factory) -> Frozen:
    """A run that has gone on without its encoder, from the vectors that it had kept; these are gone as well now."""
    tables, weights, bert = sources
    folder = tmp_path_factory.mktemp("frozen")
    shutil.copytree(weights, folder / "bert")
    config = experiment(tables, folder / "bert", freeze_weights=True, hidden=4)
    train_run(changed(config, "train", steps=10), folder / "run")
    params = read_encoder(folder / "bert").params
    shutil.rmtree(folder / "bert")
    result = train_run(config, folder / "run")
    (folder / "run" / "vectors.npz").unlink()
    return Frozen(folder / "run", config, result, params, bert)


def vectors_by_hand(bert: Bert, text: str) -> np.ndarray:
    """The mean over [CLS], the first six pieces of a text, and [SEP]."""
    pieces = [piece for word in text.split() for piece in (["film", "##s"] if word == "films" else [word])]
    ids = np.array([[WORDS.index(piece) for piece in ("[CLS]", *pieces[:6], "[SEP]")]])
    return bert.mean(ids, np.ones(ids.shape, bool))[0]


def test_a_frozen_encoder_is_that_of_the_file_and_the_head_alone_is_trained(frozen, sources, tmp_path, capsys):
    tables, weights, _ = sources
    run = load_run(frozen.run, checkpoint="newest")
    assert set(run.params) == {"head"}
    jax.tree.map(np.testing.assert_array_equal, run.variables["frozen"]["body"], frozen.params)
    train_run(experiment(tables, weights, freeze_weights=True, hidden=4), tmp_path / "run")  # without a stop
    told = f"texts go through the encoder once; what comes of them is kept in {tmp_path / 'run' / 'vectors.npz'}"
    assert capsys.readouterr().err.count(told) == 1
    straight = load_run(tmp_path / "run", checkpoint="newest")
    jax.tree.map(np.testing.assert_array_equal, run.params, straight.params)
    fresh = straight.task.init(jax.random.key(0))["params"]
    assert np.abs(run.params["head"]["output"]["kernel"] - fresh["head"]["output"]["kernel"]).max() > 0.05


def test_its_probabilities_and_vectors_follow_from_those_of_pytorch(frozen):
    run = load_run(frozen.run)
    assert isinstance(run.task, Classification)
    vectors = np.stack([vectors_by_hand(frozen.bert, text) for text in TEXTS])
    np.testing.assert_allclose(np.stack(list(run.task.embed(run.variables, TEXTS))), vectors, atol=1e-5)
    head = jax.tree.map(np.asarray, run.params["head"])
    hidden = np.maximum(vectors @ head["hidden"]["kernel"] + head["hidden"]["bias"], 0)
    logit = (hidden @ head["output"]["kernel"] + head["output"]["bias"])[:, 0]
    made = [each.probabilities["pos"] for each in predict_run(frozen.run, TEXTS)]
    np.testing.assert_allclose(made, 1 / (1 + np.exp(-logit)), atol=1e-5)


def test_evaluating_reads_texts_and_comes_to_what_the_kept_vectors_came_to(frozen):
    (measured,) = evaluate_run(frozen.run, split="validation", checkpoint="newest").values()
    assert frozen.result.validation is not None
    for name, value in frozen.result.validation.items():
        assert measured.metrics[name] == pytest.approx(value, abs=1e-5)


def test_its_export_is_an_encoder_to_start_from(frozen, sources, tmp_path):
    export_folder(frozen.run, tmp_path / "again", weights_only=True)
    jax.tree.map(np.testing.assert_array_equal, read_encoder(tmp_path / "again").params, frozen.params)
    tuned = Classification.create(experiment(sources[0], tmp_path / "again"), Workspace())
    jax.tree.map(np.testing.assert_array_equal, tuned.init(jax.random.key(0))["params"]["body"], frozen.params)


def test_without_kept_vectors_a_run_goes_on_with_the_encoder_that_it_began_with_alone(frozen):
    artifacts, kept = load_run(frozen.run).task.artifacts(), frozen.run / "vectors.npz"

    def refusal() -> str:
        with pytest.raises(InputError) as caught:
            Classification.create(frozen.config, Workspace(frozen.run, artifacts))
        return str(caught.value)

    task = Classification.create(frozen.config, Workspace(frozen.run, artifacts, scratch=lambda: frozen.run.parent))
    assert task.splits() == ["train", "validation", "test"]  # who does not train needs no vectors
    kept.write_bytes(b"PK no vectors")
    assert f"{kept} is none that jaxseq wrote: move it" in refusal()
    kept.unlink()
    assert "bert is not there: give a folder" in refusal()
    folder = write_bert(frozen.run.parent / "bert", Bert())  # with other weights
    assert "are not those that the run began with: give them back, or start anew with --fresh" in refusal()
    shutil.rmtree(folder)


def test_a_tuned_encoder_begins_as_the_file_has_it_and_is_trained(sources):
    tables, weights, bert = sources
    config = experiment(tables, weights, steps=4)
    task = Classification.create(config, Workspace())
    variables = task.init(jax.random.key(0))
    assert set(variables["params"]) == {"body", "head"}
    np.testing.assert_allclose(next(task.embed(variables, TEXTS[:1])), vectors_by_hand(bert, TEXTS[0]), atol=1e-5)
    assert Classification.restore(config, task.artifacts()) == task
    batch = task.training_loader(0)

    @jax.jit
    @jax.grad
    def slopes(params):
        return task.loss({"params": params}, None, batch, EVALUATION).tallies["loss"].total

    body = slopes(variables["params"])["body"]
    for slope in (body["embedding"], body["block_1"]["attention"]["input"]["kernel"]):
        assert np.abs(slope).max() > 0


def test_the_same_network_from_scratch_reads_texts_by_a_given_tokenizer_or_its_own(sources, tmp_path):
    tables, weights, _ = sources
    given = Classification.create(experiment(tables, weights), Workspace()).artifacts()["tokenizer.json"]
    (tmp_path / "tokenizer.json").write_bytes(given)
    scratch = changed(experiment(tables, ""), "data", tokenizer_file=str(tmp_path / "tokenizer.json"))
    one, other = (Classification.create(each, Workspace()) for each in (scratch, experiment(tables, weights)))
    assert one.tokenizer == other.tokenizer
    np.testing.assert_array_equal(one.part("train").tokens.ids, other.part("train").tokens.ids)
    own = Classification.create(changed(experiment(tables, ""), "data", pieces=60), Workspace())
    assert isinstance(own.tokenizer, MaskedTokenizer)
    tokens = own.part("train").tokens
    assert set(tokens.ids[tokens.offsets[:-1]]) == {own.tokenizer.start}
    assert set(tokens.ids[tokens.offsets[1:] - 1]) == {own.tokenizer.separator}
    (tmp_path / "own.json").write_bytes(own.artifacts()["tokenizer.json"])
    again = Classification.create(changed(scratch, "data", tokenizer_file=str(tmp_path / "own.json")), Workspace())
    assert again.tokenizer == own.tokenizer


@pytest.mark.parametrize("side", ["pre", "post"])
def test_truncation_on_either_side_keeps_both_delimiters(sources, side):
    tables, weights, _ = sources
    config = changed(experiment(tables, weights), "data", length=4, truncating=side)
    task = Classification.create(config, Workspace())
    tokens = task.part("train").tokens
    assert tokens.lengths.max() == 4
    for number, text in enumerate(task.part("train").examples.texts):
        words = text.split()[-2:] if side == "pre" else text.split()[:2]
        ids = tokens.ids[tokens.offsets[number] : tokens.offsets[number + 1]]
        assert [WORDS[id] for id in ids] == ["[CLS]", *words, "[SEP]"]


@pytest.mark.parametrize(
    ("section", "fields", "told"),
    [
        ("model", {"layers": 1}, "model.layers is 1 and 2 in .*bert: give --model.layers 2"),
        ("model", {"bias": False, "mlp_ratio": 4}, "give --model.mlp-ratio 3 --model.bias$"),
        ("model", {"dropout": 0.1}, "model.dropout is 0.1: it drops nothing, leave it at 0"),
        ("data", {"delimit": False}, "data.delimit is False: give --data.delimit"),
        ("data", {"tokenizer": "word"}, "data.tokenizer is 'word' and that in .* is wordpiece"),
        ("data", {"tokenizer_file": "x"}, "data.tokenizer_file is x: the tokenizer is that of the weights"),
        ("data", {"length": 10}, "longer than model.context"),
    ],
)
def test_sections_that_do_not_fit_the_encoder_are_told_with_what_to_give(sources, section, fields, told):
    tables, weights, _ = sources
    config = changed(experiment(tables, weights, freeze_weights=True), section, **fields)
    with pytest.raises(InputError, match=told):
        Classification.create(config, Workspace()).loader("train", train=True)


def test_a_model_of_another_kind_has_no_place_for_an_encoder(sources):
    tables, weights, _ = sources
    with pytest.raises(ConfigError, match=r"model\.kind is 'rnn': they are those of an encoder"):
        Classification.create(dataclasses.replace(experiment(tables, weights), model=RNNConfig()), Workspace())


@pytest.mark.parametrize(
    "fields",
    [
        {"freeze_weights": True},
        {"weights": "x", "vectors": "y"},
        {"weights": "x", "freeze_weights": True, "pooling": ("attention",)},
        {"weights": "x", "freeze_weights": True, "word_dropout": 0.1},
        {"weights": "x", "freeze_weights": True, "mask": False},
        {"weights": "x", "freeze_weights": True, "freeze_vectors": True},
    ],
)
def test_fields_that_would_have_no_effect_are_refused(fields):
    with pytest.raises(ConfigError, match="task"):
        ClassificationConfig(**fields)


@pytest.mark.parametrize("fields", [{"ngrams": 2}, {"distinct": True}, {"length": 2}])
def test_delimiters_want_texts_in_order_and_room(fields):
    with pytest.raises(ConfigError, match=r"data\.delimit"):
        LabelledConfig(delimit=True, **fields)


def test_kept_vectors_belong_to_a_run_and_a_file_of_somebody_elses_does_not(tmp_path):
    vectors = tmp_path / "vectors.npz"
    write_vector_file(vectors, {"train": np.ones((2, 3), np.float32)}, fingerprint="x")
    assert ownership.strangers(tmp_path) == []  # what a run leaves that is killed in its first second
    assert list(ownership.kept(tmp_path)) == [vectors]
    vectors.rename(tmp_path / "vectors.npz.partial")
    assert list(ownership.written(tmp_path)) == [tmp_path / "vectors.npz.partial"]
    np.savez(vectors, ones=np.ones(3))
    assert ownership.strangers(tmp_path) == ["vectors.npz"]
    assert list(ownership.kept(tmp_path)) == []
