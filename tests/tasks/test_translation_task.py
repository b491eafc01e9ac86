"""Translation as a task: what it makes of pairs, what is trained on, and how its splits are measured."""

import dataclasses
import sys

import jax
import numpy as np
import pytest
from small_translators import (
    experiment_of,
    made,
    made_up_data,
    pairs_data,
    random_variables,
    translated_sentences,
    write_sides,
)

from jaxseq.config import CorpusConfig, LanguageModelingConfig, RNNConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.metrics.translation import translation_scores
from jaxseq.ops.objective import LossContext
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.tasks import TranslationTask
from jaxseq.tasks.translation import translation
from jaxseq.tasks.translation.translation import ATTENTION, TOKENIZERS

MEASURING = LossContext(None, None)
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def task() -> TranslationTask:
    """Letters of a joint vocabulary, to be reversed."""
    return made(experiment_of(made_up_data()))


@pytest.fixture(scope="module")
def variables(task):
    return random_variables(task)


@pytest.fixture(scope="module")
def logits_of(task, variables):
    """(batch) -> logits [b, t, v]; compiled once."""

    @jax.jit
    def logits(batch):
        return task.model.apply(variables, batch.source, batch.inputs, source_mask=batch.source_mask, mask=batch.mask)

    return lambda batch: np.asarray(logits(batch))


@pytest.fixture(scope="module")
def loss_of(task, variables):
    """(batch) -> {"loss": (total, count), ...}, as a training measures."""
    loss = jax.jit(lambda batch: task.loss(variables, None, batch, MEASURING).tallies)
    return lambda batch: jax.tree.map(np.asarray, loss(batch))


@pytest.fixture
def table(tmp_path):
    """A table of pairs, some of whose sources have two translations."""
    pairs = translated_sentences(80)
    pairs += [(source, target.replace("a ", "one ")) for source, target in pairs if "ein " in source]
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def test_a_batch_is_shifted_once_and_its_first_target_is_trained_on(task, variables, logits_of, loss_of):
    """huggingface/transformers#5987: labels that were shifted once more in the model, the first one lost."""
    batch = task.loader("train", train=True)(0)
    (row,) = task.loader("train", train=True).rows(0)[:1]
    target = task.texts["train"]["train"].pairs.targets[row]
    ids = task.tokenizers.encode_target(target)
    assert batch.inputs[0, : len(ids) - 1].tolist() == ids[:-1].tolist()
    assert batch.targets[0, : len(ids) - 1].tolist() == ids[1:].tolist()
    assert (ids[0], ids[-1]) == (task.tokenizers.target.start, task.tokenizers.target.end)
    logits = logits_of(batch).astype(float)
    likely = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(likely, batch.targets[..., None], axis=-1)[..., 0][batch.mask]
    total, count = loss_of(batch)["loss"]
    assert count == batch.mask.sum() == sum(len(t) - 1 for t in map(task.tokenizers.encode_target, _targets(task, 0)))
    np.testing.assert_allclose(total, losses.sum(), rtol=1e-5)
    first = batch.targets.copy()
    first[:, 0] = np.where(first[:, 0] == 2, 3, 2)
    assert loss_of(batch._replace(targets=first))["loss"].total != total


def _targets(task, step):
    return [task.texts["train"]["train"].pairs.targets[row] for row in task.loader("train", train=True).rows(step)]


def test_a_later_target_changes_no_earlier_logit(task, logits_of):
    """attention-is-all-you-need-pytorch#19: an accuracy of 98 % by looking ahead."""
    batch = task.loader("train", train=True)(0)
    expected = logits_of(batch)
    for at in range(1, batch.inputs.shape[1]):
        inputs = batch.inputs.copy()
        inputs[:, at:] = 2 + inputs[:, at:] % 5
        changed = logits_of(batch._replace(inputs=inputs))
        np.testing.assert_array_equal(changed[:, :at], expected[:, :at])
        if batch.mask[:, at].any():
            assert (changed[:, at] != expected[:, at]).any()


def test_neither_what_pads_a_source_nor_how_much_changes_the_loss(task, loss_of):
    """huggingface/transformers#36293: a decoder that did not see the mask of the source."""
    batch = task.loader("train", train=True)(0)
    expected = loss_of(batch)["loss"].total
    assert not batch.source_mask.all()
    rubbish = np.where(batch.source_mask, batch.source, np.int32(2**31 - 1))
    assert loss_of(batch._replace(source=rubbish))["loss"].total == expected
    source, source_mask = (np.pad(each, [(0, 0), (0, 5)]) for each in (batch.source, batch.source_mask))
    wider = loss_of(batch._replace(source=source, source_mask=source_mask))["loss"].total
    np.testing.assert_allclose(wider, expected, rtol=1e-5)


def test_every_pair_is_measured_once_and_rows_without_a_pair_are_not(task, loss_of):
    loader = task.loader("validation", train=False, rows=16)
    assert [loader(step).mask.any(axis=1).sum() for step in range(loader.steps_per_epoch)] == [9]
    pairs = task.texts["validation"]["validation"].pairs
    assert loss_of(loader(0))["loss"].count == sum(len(target) + 1 for target in pairs.targets)


def test_the_scores_of_a_split_are_those_of_its_translations_on_any_number_of_devices(task, variables):
    """bentrevett/pytorch-seq2seq#62: hypotheses and references were swapped."""
    ((name, evaluation),) = task.evaluations("test", rows=16).items()
    assert (name, evaluation.title) == ("test", "test, beam 3")
    one, two = (SplitEvaluator(evaluation, devices=devices)(variables) for devices in (1, 2))
    assert one == pytest.approx(two, rel=1e-4)
    assert [metric.name for metric in evaluation.metrics] == ["loss", "accuracy", "bleu", "chrf", "exact"]
    pairs = task.texts["test"]["test"].pairs
    texts = [one.hypotheses[0].text for one in task.translate(variables, pairs.sources)]
    scores = translation_scores(hypotheses=texts, references=pairs.targets, tokenize="char")
    assert {name: one[name] for name in ("bleu", "chrf", "exact")} == scores.summary()
    assert one["tokens"] == sum(len(target) + 1 for target in pairs.targets)
    assert scores.chrf.value > 0
    assert task.describe(one).startswith(f"BLEU {scores.bleu.value:.2f}, chrF {scores.chrf.value:.2f}, ")
    assert task.validation().title == "validation, beam 1"


def test_shares_of_a_table_have_each_source_once_with_all_its_translations(table):
    task = made(experiment_of(pairs_data(table)))
    parts = {name: split[name] for name, split in task.texts.items()}
    assert list(parts) == list(task.splits()) == ["train", "validation", "test"]
    sides = [{*part.pairs.sources} for part in parts.values()]
    assert len(set.union(*sides)) == sum(map(len, sides))
    for part in parts.values():
        assert [one.source for one in part.scored] == list(dict.fromkeys(part.pairs.sources))
        several = {source: set() for source in part.pairs.sources}
        for source, target in zip(part.pairs.sources, part.pairs.targets, strict=True):
            several[source].add(target)
        assert {one.source: {*one.references} for one in part.scored} == several
    assert max(len(one.references) for one in parts["test"].scored) == 2
    (evaluation,) = task.evaluations("test").values()
    assert evaluation.loader.pairs == len(parts["test"].pairs.sources) > len(parts["test"].scored)


def test_files_of_their_own_have_every_line_and_each_of_a_glob_is_measured_by_its_name(tmp_path):
    source, target = write_sides(tmp_path, "train", 40)
    for seed, name in enumerate(("test_2016", "test_2017", "val"), 1):
        write_sides(tmp_path, name, 6 * seed, seed=seed)
    fields = {"target": str(target), "split": (1.0, 0.0, 0.0)}
    for split, name in (("validation", "val"), ("test", "test_*")):
        fields |= {f"{split}_source": f"{tmp_path}/{name}.de", f"{split}_target": f"{tmp_path}/{name}.en"}
    experiment = experiment_of(pairs_data(source, **fields))
    task = made(experiment)
    assert "40 train, 18 validation, 18 test pairs, vocabularies 11 and 11" in task.overview()
    assert {name: one.loader.pairs for name, one in task.evaluations("test").items()} == {
        "test_2016": 6,
        "test_2017": 12,
    }
    assert [len(one.scored) for one in task.texts["test"].values()] == [6, 12]
    assert [one.references for one in task.texts["test"]["test_2016"].scored] == [
        (target,) for _, target in translated_sentences(6, seed=1)
    ]
    before = task.fingerprint()
    write_sides(tmp_path, "test_2016", 6, seed=7)
    assert made(experiment).fingerprint() == before
    write_sides(tmp_path, "val", 18, seed=7)
    assert made(experiment).fingerprint() != before
    with pytest.raises(InputError, match="there is no held-out split: choose train or validation or test"):
        task.evaluations("held-out")


def test_pairs_measured_whose_source_is_trained_on_are_told(tmp_path, table):
    source, target = write_sides(tmp_path, "train", 40)
    fields = {"target": str(target), "split": (1.0, 0.0, 0.0)}
    fields |= {"test_source": f"{tmp_path}/test_*.de", "test_target": f"{tmp_path}/test_*.en"}
    for name, lines in (("test_old", [source.read_text().splitlines()[0].upper(), "neu"]), ("test_new", ["neu"])):
        for side in ("de", "en"):
            (tmp_path / f"{name}.{side}").write_text("\n".join(lines), encoding="utf-8")
    told = []
    made(experiment_of(pairs_data(source, **fields)), tell=told.append)
    assert told == ["test_old: 1 of 2 pairs have a source that is trained on too"]
    told.clear()
    made(experiment_of(pairs_data(table)), tell=told.append)  # of shares none is in two splits
    assert told == []


@pytest.mark.parametrize("joint", [True, False])
def test_the_task_is_restored_from_its_artifacts_alone(table, joint):
    experiment = experiment_of(pairs_data(table, joint=joint, reverse_source=not joint))
    task = made(experiment)
    restored = TranslationTask.restore(experiment, task.artifacts())
    assert (restored.experiment, restored.tokenizers) == (task.experiment, task.tokenizers)
    assert restored == task  # so that nothing is compiled anew
    assert hash(restored.model) == hash(task.model)
    assert restored.tokenizers.joint == joint
    assert list(restored.splits()) == ["train", "validation", "test"]
    again = made(experiment, artifacts=task.artifacts())
    assert (again.tokenizers, again.fingerprint()) == (task.tokenizers, task.fingerprint())
    params = jax.eval_shape(task.init, KEY)["params"]
    assert ("source_embedding" in params) == (not joint)
    for made_by in (restored.fingerprint, restored.overview, lambda: restored.loader("train", train=True)):
        with pytest.raises(ValueError, match="restored without data"):
            made_by()


def test_a_source_is_read_backwards_where_asked_for_and_a_target_never(table):
    words = "der hund rennt"
    ids = {}
    for turned in (False, True):
        tokenizers = made(experiment_of(pairs_data(table, reverse_source=turned))).tokenizers
        ids[turned] = tokenizers.encode_source(words).tolist()
        assert tokenizers.decode(tokenizers.encode_target("the dog runs")) == "the dog runs"
    *read, end = ids[False]
    assert ids[True] == [*reversed(read), end]


def test_a_source_with_a_tokenizer_of_its_own_has_its_ids(table):
    task = made(experiment_of(pairs_data(table, source_tokenizer="char")))
    assert len(task.tokenizers.encode_source("der hund")) == 9
    assert len(task.tokenizers.encode_target("the dog")) == 4


def test_pairs_too_long_to_train_on_are_told_and_measured_all_the_same(table):
    told = []
    task = made(experiment_of(pairs_data(table, source_length=4, target_length=4)), tell=told.append)
    (line,) = told
    assert " pairs are left out of training, which have more than 4 tokens in the source or 4 in the target" in line
    trained, measured = task.loader("train", train=True), task.loader("test", train=False)
    assert max(s for _, (s, _) in trained.shapes) == 4
    assert sum(measured(step).source_mask[:, 4].sum() for step in range(measured.steps_per_epoch)) > 0


def test_what_a_run_ends_with_are_scores_examples_and_a_picture_of_attention(task, variables):
    shown = task.showcase(variables, KEY, step=7)
    report = shown.files["translations.txt"].decode()
    assert report.startswith("translations by the parameters of step 7, beam 3\n")
    assert "|tok:char|" in report
    assert report.count("source ") == 2
    sources = task.texts["test"]["test"].pairs.sources
    assert shown.command == ("translate", "RUN", sources[0])
    assert f"source     {sources[0]}\n" in report
    for name, content in shown.files.items():
        assert task.showcase_files[name](content[:1000])
    assert list(shown.files) == ["translations.txt", ATTENTION]


def test_a_run_ends_without_a_picture_where_sentences_have_more_words_than_it_has_room_for(
    task, variables, monkeypatch
):
    monkeypatch.setattr(translation, "MOST_WORDS", 1)
    assert list(task.showcase(variables, KEY, step=7).files) == ["translations.txt"]


def test_packages_that_scores_need_are_asked_for_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(InputError, match=r"pip install 'jaxseq\[translation\]'"):
        made(experiment_of(made_up_data()))


def test_the_table_of_layers_has_both_halves(task):
    shapes = task.layer_outputs().shapes
    assert {"encoder", "decoder", "embedding"} <= set(shapes)
    assert [part.size > 0 for part in task.training_memory(batches=3)] == [True, True]


def test_sections_that_do_not_fit_and_artifacts_that_were_changed_are_told(task, table):
    for message, fields in {
        r"model\.kind is 'rnn': a model that goes on from a source is seq2seq or seq2seq_transformer": {
            "model": RNNConfig()
        },
        r"task\.kind is 'language_modeling': this task is translation": {"task": LanguageModelingConfig()},
        r"data\.kind is 'corpus': translation reads pairs, take pairs or made_up": {
            "data": CorpusConfig(source=str(table))
        },
        r"data\.source is empty: give sentences": {"data": pairs_data("")},
    }.items():
        with pytest.raises(ConfigError, match=message):
            made(dataclasses.replace(task.experiment, **fields))
    for content, message in (
        (b"", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "tokenizers of pairs"),
        (b'{"source": 1, "target": null, "reverse_source": false}', "tokenizer"),
    ):
        with pytest.raises(InputError, match=message):
            TranslationTask.restore(task.experiment, {TOKENIZERS: content})
    with pytest.raises(InputError, match=r"there is no tokenizers\.json"):
        TranslationTask.restore(task.experiment, {})
