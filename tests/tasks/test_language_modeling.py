"""The language model as a task: what `jaxseq.tasks.task.Task` says of it holds."""

import contextlib
import dataclasses
import json
import math
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import numpy as np
import pytest

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RNNConfig,
    TaskConfig,
    TrainConfig,
    kinds,
    register,
)
from jaxseq.data import RowLoader, WindowLoader
from jaxseq.errors import ConfigError, InputError, UnknownSymbolError
from jaxseq.ops.objective import EVALUATION
from jaxseq.tasks import LanguageModeling, Workspace, task_of
from jaxseq.tasks.capabilities import Generates, capable
from jaxseq.tasks.language.corpus_splits import CorpusSplits
from jaxseq.tasks.language.language_modeling import _beginning
from jaxseq.text import CharTokenizer

TEXT = "".join(f"{number} bottles of beer\n" for number in range(60))


@pytest.fixture
def made(tmp_path):
    """Makes the task of an experiment on a text."""

    def make(text=TEXT, *, workspace=None, task=None, model=None, train=None, **data) -> LanguageModeling:
        file = tmp_path / "a.txt"
        if not file.exists() or file.read_text(encoding="utf-8") != text:  # a token file remembers when it was written
            file.write_text(text, encoding="utf-8")
        sizes = {"length": 8, "batch_size": 4, "split": (0.6, 0.3, 0.1)}
        experiment = ExperimentConfig(
            task=task or LanguageModelingConfig(sample_length=20),
            data=CorpusConfig(source=str(file), **{**sizes, **data}),
            model=model or RNNConfig(features=5),
            train=train or TrainConfig(epochs=1, devices=1),
        )
        assert task_of(experiment) is LanguageModeling
        return LanguageModeling.create(experiment, workspace or Workspace())

    return make


def ids_of(task: LanguageModeling) -> np.ndarray:
    assert isinstance(task.texts, CorpusSplits)
    return np.asarray(task.texts.corpus.ids)


def test_it_is_a_value_made_of_the_experiment_and_the_tokenizer(made):
    one, same = made(), made()
    assert one is not same
    assert (one, hash(one)) == (same, hash(same))
    others = [made(TEXT + "x"), made(length=9), made(train=TrainConfig(epochs=1, devices=1, seed=1))]
    assert len({one, same, *others}) == 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.experiment = same.experiment
    _ = one.training_loader, one.section, hash(one)  # what has been worked out makes no other value of it
    assert one == same


def test_what_is_restored_from_its_artifacts_alone_is_the_same_but_for_the_data(made):
    task = made(tokenizer="jamo")
    artifacts = task.artifacts()
    assert list(artifacts) == ["tokenizer.json"]
    restored = LanguageModeling.restore(task.experiment, artifacts)
    assert (restored, hash(restored)) == (task, hash(task))
    assert restored.artifacts() == artifacts
    assert restored.texts is None
    shapes = [jax.eval_shape(each.init, jax.random.key(0)) for each in (task, restored)]
    assert shapes[0] == shapes[1]
    for needs_data in (restored.fingerprint, restored.overview, restored.validation):
        with pytest.raises(ValueError, match="restored without data"):
            needs_data()


@pytest.mark.parametrize(
    ("artifacts", "told"),
    [({}, r"there is no tokenizer\.json"), ({"tokenizer.json": b"{"}, "this is no JSON")],
)
def test_artifacts_that_are_none_of_its_are_told(made, artifacts, told):
    task = made()
    with pytest.raises(InputError, match=told):
        LanguageModeling.restore(task.experiment, artifacts)
    with pytest.raises(InputError, match=told):
        LanguageModeling.create(task.experiment, Workspace(artifacts=artifacts))


def test_with_artifacts_nothing_is_learned_anew(made):
    task = made()
    less = made(TEXT[: len(TEXT) // 2], workspace=Workspace(artifacts=task.artifacts()))
    assert less.tokenizer == task.tokenizer
    assert CharTokenizer.train(TEXT[: len(TEXT) // 2]) != task.tokenizer
    with pytest.raises(UnknownSymbolError, match="'Z'"):
        made("Z" + TEXT, workspace=Workspace(artifacts=task.artifacts()))


def test_its_fingerprint_changes_with_the_data(made):
    task = made()
    assert made().fingerprint() == task.fingerprint()
    other = made(TEXT[:-1] + "0")
    assert other.fingerprint() != task.fingerprint()
    assert (task.has_fingerprint(task.fingerprint()), task.has_fingerprint(other.fingerprint())) == (True, False)


def test_it_says_what_there_is_to_learn_from(made):
    task = made()
    batches = task.loader("train", train=True).steps_per_epoch
    size = len(task.tokenizer.vocabulary)
    assert task.overview() == f"{len(TEXT):,} tokens, vocabulary {size}, {batches} batches of 4 x 8 an epoch"
    assert task.splits() == ["train", "validation", "test"]
    assert made(split=(0.5, 0.0, 0.5)).splits() == ["train", "test"]


@pytest.mark.parametrize("layout", ["rows", "windows"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_in_order_a_split_is_read_once_in_windows_that_do_not_overlap(made, layout, split):
    task = made(layout=layout, shift=3)
    begin, end = {"train": (0.0, 0.6), "validation": (0.6, 0.9), "test": (0.9, 1.0)}[split]
    ids = ids_of(task)
    part = ids[round(begin * len(ids)) : round(end * len(ids))]
    loader = task.loader(split, train=False)
    batches = [loader(step) for step in range(loader.steps_per_epoch)]
    windows = (len(part) - 1) // 8
    inputs, targets = (np.concatenate([b[i][b.mask.any(1)] for b in batches]) for i in range(2))
    np.testing.assert_array_equal(inputs.ravel(), part[: 8 * windows])
    np.testing.assert_array_equal(targets.ravel(), part[1 : 8 * windows + 1])
    assert all(batch.reset[batch.mask.any(1), 0].all() for batch in batches)


def test_for_training_a_split_is_drawn_as_the_layout_says(made):
    def pairs(batch):
        return {tuple(row) for row in np.concatenate([batch.inputs, batch.targets[:, -1:]], axis=1).tolist()}

    def windows_of(ids):
        return {tuple(row) for row in np.lib.stride_tricks.sliding_window_view(ids, 9).tolist()}

    for layout, kind in (("rows", RowLoader), ("windows", WindowLoader)):
        task = made(layout=layout)
        ids = ids_of(task)
        validation = ids[round(0.6 * len(ids)) : round(0.9 * len(ids))]
        loader = task.loader("validation", train=True)
        assert isinstance(loader, kind)
        assert loader.carried == (layout == "rows")
        batches = [loader(step) for step in range(loader.steps_per_epoch)]
        assert set().union(*map(pairs, batches)) <= windows_of(validation)
        assert all(batch.mask.all() for batch in batches)
        assert task.loader("train", train=True) is task.training_loader
    assert (loader(0).inputs != task.loader("validation", train=False)(0).inputs).any()  # shuffled


def test_the_training_loader_depends_on_the_seed_of_the_run(made):
    def first(seed):
        task = made(layout="windows", train=TrainConfig(epochs=1, devices=1, seed=seed))
        return task.loader("train", train=True)(0).inputs

    np.testing.assert_array_equal(first(0), first(0))
    assert (first(0) != first(1)).any()


def test_the_loss_is_that_of_its_batches_with_the_carry_where_rows_are_handed_on(made):
    for layout in ("rows", "windows"):
        task = made(layout=layout)
        variables, carry = task.init(jax.random.key(0)), task.initial_carry(4)
        assert (carry is None) == (layout == "windows")
        batch = task.loader("train", train=True)(0)
        output = jax.jit(partial(task.loss, context=EVALUATION))(variables, carry, batch)
        assert float(output.tallies["loss"].count) == 32
        logits, after = jax.jit(task.model.apply)(variables, batch.inputs)
        expected = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), batch.targets[..., None], 2).sum()
        assert float(output.tallies["loss"].total) == pytest.approx(float(expected), rel=1e-5)
        if layout == "rows":
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), output.carry, after)
        else:
            assert output.carry is None


def test_its_evaluations_are_one_with_the_carry_and_one_without(made):
    task = made()
    evaluations = task.evaluations("validation", rows=3)
    assert list(evaluations) == ["carried", "windows"]
    assert evaluations["carried"].loader.batch_size == 3
    assert task.evaluations("validation")["carried"].loader.batch_size == 1
    assert evaluations["carried"].initial_carry() is not None
    assert evaluations["windows"].initial_carry() is None
    with pytest.raises(InputError, match=r"--rows is 999, the test split has \d+ tokens: give a lower one"):
        task.evaluations("test", rows=999)


def test_bits_per_character_are_those_of_all_tokens_by_the_length_of_the_text(made):
    task = made("한글 값이\n" * 60, tokenizer="jamo")
    carried = task.evaluations("test")["carried"]
    part = ids_of(task)[round(0.9 * len(ids_of(task))) :]
    text = task.tokenizer.decode(part)
    found = carried.complete({}, {"bits_per_token": 2.0, "loss": 2.0 * math.log(2)}, lambda: None)
    assert found["bits_per_character"] == pytest.approx(2.0 * len(part) / len(text))
    assert found["split_tokens"] == len(part)
    assert found["bits_per_token"] == 2.0
    words = len(text.split()) + text.count("\n")
    assert found["perplexity_per_word"] == pytest.approx(2.0 ** (2.0 * len(part) / words))


def test_a_run_ends_with_a_sample_and_the_command_that_makes_more(made):
    task = made(task=LanguageModelingConfig(prompt="9 bottles", sample_length=11, temperature=0.5))
    assert (task.prompt, task.sample_length, task.temperature) == ("9 bottles", 11, 0.5)
    shown = task.showcase(task.init(jax.random.key(0)), jax.random.key(1), step=7)
    head, _, sample = shown.files["samples.txt"].decode().partition("\n\n")
    assert list(shown.files) == ["samples.txt"]
    assert head == "step 7, temperature 0.5"
    assert sample.startswith("9 bottles")
    assert len(sample) == 9 + 11 + 1
    assert shown.command == ("sample", "RUN", "--prompt", "9 bottles")
    again = task.showcase(task.init(jax.random.key(0)), jax.random.key(1), step=7)
    other = task.showcase(task.init(jax.random.key(0)), jax.random.key(2), step=7)
    assert again == shown
    assert other.files != shown.files


def test_a_prompt_that_looks_like_an_option_is_given_as_one_word(made):
    task = made(TEXT + "- x\n" * 9, task=LanguageModelingConfig(prompt="- x", sample_length=3))
    command = task.showcase(task.init(jax.random.key(0)), jax.random.key(0), step=1).command
    assert command == ("sample", "RUN", "--prompt=- x")


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("\n  to be,\nor not", "to be,"),
        ("to be, or not to be, that is the question", "to be, or not to be,"),
        ("x" * 30, "x" * 24),
        (" \n", ""),
        ("---\n-x - y", "x - y"),
    ],
)
def test_the_prompt_that_it_names_is_the_first_words_of_its_sample(text, beginning):
    assert _beginning(text) == beginning


def test_metrics_are_told_by_what_a_token_is(made):
    metrics = {"bits_per_token": 2.25, "loss": 2.25 * math.log(2), "accuracy": 0.5, "perplexity": 4.7}
    told = "loss 1.5596, accuracy 50.00%"
    assert made().describe(metrics) == f"2.2500 bits per character, {told}"
    assert made(tokenizer="byte").describe(metrics) == f"2.2500 bits per byte, {told}"


def test_a_prompt_that_cannot_be_read_is_refused_when_it_is_made(made):
    with pytest.raises(InputError, match=r"task\.prompt is 'Zebra': the prompt cannot be read: 'Z'"):
        made(task=LanguageModelingConfig(prompt="Zebra"))


def test_hangul_that_is_taken_apart_is_told_once_where_a_tokenizer_of_jamo_is_made(made):
    text = unicodedata.normalize("NFD", "한글 값이\n" * 40)
    told = []
    task = made(text, workspace=Workspace(tell=told.append), tokenizer="jamo")
    assert len(told) == 1
    assert "train with --data.normalize nfc" in told[0]
    made(text, workspace=Workspace(tell=told.append, artifacts=task.artifacts()), tokenizer="jamo")
    made(text, workspace=Workspace(tell=told.append), tokenizer="jamo", normalize=("nfc",))
    assert len(told) == 1


def test_what_keeps_one_waiting_is_waited_for_where_it_is_said(made, tmp_path):
    entered = []

    @contextlib.contextmanager
    def waiting():
        entered.append(True)
        yield

    made(workspace=Workspace(waiting=waiting))
    assert entered == []
    experiment = ExperimentConfig(data=CorpusConfig(source="-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", None)
        with pytest.raises(InputError):
            LanguageModeling.create(experiment, Workspace(waiting=waiting))
    assert entered == [True]


def test_token_ids_that_lie_where_nothing_may_be_written_are_made_in_the_scratch_directory(made, tmp_path):
    kept, scratch = tmp_path / "run", tmp_path / "scratch"
    kept.mkdir()
    scratch.mkdir()
    first = made(workspace=Workspace(directory=kept), memory_map=True)
    assert [path.name for path in kept.iterdir()] == ["tokens.npy"]
    by = first.artifacts()
    read = made(workspace=Workspace(directory=kept, artifacts=by, scratch=lambda: scratch), memory_map=True)
    assert list(scratch.iterdir()) == []
    assert read.has_fingerprint(first.fingerprint())
    other = made(TEXT * 2, workspace=Workspace(artifacts=by, scratch=lambda: scratch), memory_map=True)
    assert [path.name for path in scratch.iterdir()] == ["tokens.npy"]
    assert not other.has_fingerprint(first.fingerprint())


@pytest.fixture
def forgotten(monkeypatch):
    """What a test registers is forgotten with it."""
    monkeypatch.setattr(kinds, "_KINDS", {section: dict(known) for section, known in kinds._KINDS.items()})


def test_sections_of_another_kind_are_refused_by_name(made, forgotten):
    @register("task")
    @dataclass(frozen=True)
    class Other(TaskConfig):
        kind: ClassVar[str] = "other_task"

    task = made()
    experiment = dataclasses.replace(task.experiment, task=Other())
    with pytest.raises(
        ConfigError, match=r"task\.kind is 'other_task': there is no task for it, choose .*language_modeling"
    ):
        task_of(experiment)
    with pytest.raises(ConfigError, match=r"task\.kind is 'other_task': this task is language_modeling"):
        LanguageModeling.restore(experiment, task.artifacts())
    both_ways = dataclasses.replace(task.experiment, model=RNNConfig(features=8, bidirectional=True))
    with pytest.raises(ConfigError, match=r"model\.bidirectional is True"):
        LanguageModeling.restore(both_ways, task.artifacts())


def test_it_generates(made):
    task = made()
    assert isinstance(task, Generates)
    assert capable(task, Generates, run="runs/it") is task
    assert json.loads(task.artifacts()["tokenizer.json"])["kind"] == task.tokenizer.kind
