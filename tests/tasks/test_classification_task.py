"""Classification, from labelled texts to what a run shows."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import MODELS, every_model, experiment, write_table

from jaxseq.config import ExperimentConfig, LabelledConfig, TrainConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.objective import EVALUATION, LossContext
from jaxseq.runs.evaluation import SplitEvaluator, evaluate_run
from jaxseq.runs.prediction import predict_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification, Workspace
from jaxseq.text.byte_pairs import BytePairTokenizer


@every_model
def test_a_run_learns_to_tell_good_reviews_from_bad_ones(name, tables, tmp_path, capsys):
    run_dir = tmp_path / "run"
    config = experiment(tables, name, lengths=2)
    result = train_run(config, run_dir)
    assert result.validation is not None
    assert result.validation["accuracy"] > 0.9
    (measured,) = evaluate_run(run_dir, split="test").values()
    assert measured.metrics["texts"] == 41
    assert measured.metrics["accuracy"] > 0.9
    assert measured.metrics["f1"] > 0.9
    report = (run_dir / "report.txt").read_text()
    assert f"{measured.metrics['accuracy']:.2%}" in report
    assert {"confusion.png", "calibration.png"} <= {path.name for path in run_dir.iterdir()}
    made = list(predict_run(run_dir, ["a great film", "awful, so awful", "", "zzz"]))
    assert [each.label for each in made[:2]] == ["pos", "neg"]
    assert made[0].unknown == ["a"]
    assert made[3].unknown == ["zzz"]
    assert all(np.isfinite(list(each.probabilities.values())).all() for each in made)
    assert all(sum(each.probabilities.values()) == pytest.approx(1, abs=1e-6) for each in made)


def test_rows_that_fill_a_batch_up_count_for_nothing(tables):
    task = Classification.create(experiment(tables), Workspace())
    variables = task.init(jax.random.key(0))
    whole = task.loader("test", train=False, rows=64)(0)
    assert whole.valid.sum() == 41
    loss = jax.jit(lambda batch: task.loss(variables, None, batch, EVALUATION).tallies["loss"])
    assert float(loss(whole).count) == 41
    cut = jax.tree.map(lambda leaf: leaf[whole.valid], whole)
    assert float(loss(whole).total) == pytest.approx(float(loss(cut).total), rel=1e-6)


@every_model
def test_evaluating_reads_each_text_once_and_measures_the_loss_that_is_trained(name, tables):
    task = Classification.create(experiment(tables, name, lengths=2), Workspace())
    variables, polled = task.init(jax.random.key(0)), []
    (evaluation,) = task.evaluations("test", rows=7).values()
    measured = SplitEvaluator(evaluation)(variables, poll=lambda: polled.append(None))
    assert len(polled) == evaluation.loader.steps_per_epoch
    tallies = [
        task.loss(variables, None, evaluation.loader(step), EVALUATION).tallies
        for step in range(evaluation.loader.steps_per_epoch)
    ]
    for metric in ("loss", "accuracy"):
        mean = sum(float(each[metric].total) for each in tallies) / sum(float(each[metric].count) for each in tallies)
        assert measured[metric] == pytest.approx(mean, rel=1e-5)


def test_artifacts_alone_give_the_task_back(tables):
    task = Classification.create(experiment(tables), Workspace())
    again = Classification.restore(task.experiment, task.artifacts())
    assert again == task
    assert hash(again) == hash(task)
    assert again.texts is None


def test_a_vocabulary_is_learned_from_the_texts_to_train_on_alone(tables):
    task = Classification.create(experiment(tables), Workspace())
    train = " ".join(task.part("train").examples.texts)
    assert set(task.tokenizer.vocabulary.ranked) == set(train.split())


def test_padding_that_is_read_needs_an_id_of_its_own(tables, tmp_path):
    pieces = BytePairTokenizer.train(["good bad film!"], size=270, padding=False)
    (tmp_path / "pieces.json").write_text(json.dumps(pieces.to_json()))
    config = experiment(tables)
    data = dataclasses.replace(config.data, tokenizer="bpe", tokenizer_file=str(tmp_path / "pieces.json"), lengths=1)
    config = dataclasses.replace(config, data=data)
    assert Classification.create(config, Workspace()).tokenizer.vocabulary.symbols[0] == pieces.vocabulary.symbols[0]
    reading = dataclasses.replace(config, task=dataclasses.replace(config.task, mask=False))
    told = r"task\.mask is False and data\.tokenizer_file .*pieces\.json has no id for padding"
    with pytest.raises(ConfigError, match=told):
        Classification.create(reading, Workspace())


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_label_that_no_text_to_train_on_has_is_told_with_its_part_and_text(part, tables):
    write_table(tables / "validation.csv", 20)
    with open(tables / f"{part}.csv", "a", encoding="utf-8") as file:
        file.write("so so,middling\n")
    number = {"validation": 21, "test": 42}[part]
    with pytest.raises(InputError) as caught:
        Classification.create(experiment(tables), Workspace())
    assert str(caught.value) == (
        f"example {number} of the {part} part of {tables}, 'so so', has the label 'middling', which no example to "
        "train on has (those have neg, pos): correct the label, leave the example out or train with it"
    )


def test_of_a_rare_class_all_texts_may_be_drawn_for_validation(tables):
    with open(tables / "train.csv", "a", encoding="utf-8") as file:
        file.write("so so,middling\n")
    for seed in range(20):
        config = experiment(tables, validation=0.5)
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
        task = Classification.create(config, Workspace())
        assert task.classes == ("middling", "neg", "pos")
        if "middling" in task.part("validation").examples.labels:
            return
    raise AssertionError("it was never drawn")


def test_what_becomes_of_texts_to_train_on_is_told_with_the_overview_and_in_the_report(vectors, tmp_path, capsys):
    config = vectors("bag")
    short = dataclasses.replace(config.data, length=3)
    train_run(dataclasses.replace(config, data=short, train=TrainConfig(steps=2, devices=1)), tmp_path / "run")
    out, err = capsys.readouterr()
    texts = Classification.create(dataclasses.replace(config, data=short), Workspace()).part("train").examples.texts
    counts = np.array([len(text.split()) for text in texts])
    told = (
        f"{(counts > 3).sum()} of 180 texts truncated to 3 tokens, {(counts < 3).sum()} padded, {(counts == 3).sum()} "
        f"exact; {counts.mean():.1f} tokens on average"
    )
    lines = out.splitlines()
    assert lines[0].startswith("bag: 180 train, 20 validation, 41 test texts in 2 classes, vocabulary ")
    assert lines[1] == f"to train on: {told}"
    assert lines[2].endswith(f"words (14.3%) have a vector in {tmp_path / 'vectors.txt'}")
    assert "truncated" not in err
    assert f"  trained on         {told}\n" in (tmp_path / "run" / "report.txt").read_text()


def test_another_kind_of_data_or_model_is_refused(tables):
    config = experiment(tables)
    with pytest.raises(ConfigError, match=r"data\.kind is 'corpus': classification reads labelled texts"):
        Classification.create(dataclasses.replace(config, data=ExperimentConfig().data), Workspace())
    with pytest.raises(ConfigError, match=r"data\.source is empty"):
        Classification.create(dataclasses.replace(config, data=LabelledConfig()), Workspace())


@pytest.fixture
def vectors(tables, tmp_path):
    """Gives an experiment by the name of its model, whose embedding starts from a file of vectors."""
    file = tmp_path / "vectors.txt"
    file.write_text("never 0 0 0 0 0 0 0 0\ngood 1 2 3 4 5 6 7 8\nbad -1 -2 -3 -4 -5 -6 -7 -8\n")

    def with_vectors(name: str) -> ExperimentConfig:
        config = experiment(tables, name)
        return dataclasses.replace(config, task=dataclasses.replace(config.task, vectors=str(file)))

    return with_vectors


def test_the_embedding_starts_from_a_file_of_vectors(vectors):
    task = Classification.create(vectors("bag"), Workspace())
    table = task.init(jax.random.key(0))["params"]["body"]["embedding"]["table"]
    np.testing.assert_array_equal(table[task.tokenizer.vocabulary.id_of("good")], np.arange(1, 9))
    assert task.vectors is not None
    assert task.vectors.words == ("good", "bad")  # those of the vocabulary, and no others


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        ("bag", {"features": 7}, "8 numbers, the model's embedding is 7 wide: give --model.features 8, or other"),
        ("encoder", {"features": 4}, "8 numbers, the model's embedding is 4 wide: give --model.features 8, or other"),
        ("gru", {"embedding": 3}, "8 numbers, the model's embedding is 3 wide: give --model.embedding 8, or other"),
        ("gru", {"embedding": 0}, "task.vectors is given and model.embedding is 0: give the width of the vectors"),
        ("nbsvm", {}, "task.vectors is given and model.kind is 'nbsvm': it has no embedding, leave them out"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_before_anything_is_written(name, model, told, vectors, tmp_path, capsys):
    config = dataclasses.replace(vectors(name), model=dataclasses.replace(MODELS[name][0], **model))
    with pytest.raises(InputError) as caught:
        train_run(config, tmp_path / "run")
    assert told in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr() == ("", "")


def test_a_run_that_was_begun_needs_its_vectors_no_more(vectors, tmp_path):
    config = vectors("bag")
    train_run(dataclasses.replace(config, train=TrainConfig(steps=3, devices=1)), tmp_path / "run")
    (tmp_path / "vectors.txt").unlink()
    result = train_run(dataclasses.replace(config, train=TrainConfig(steps=5, devices=1)), tmp_path / "run")
    assert result.step == 5
    assert evaluate_run(tmp_path / "run", split="test")


def test_a_run_goes_on_to_the_same_end_bit_by_bit(tables, tmp_path):
    config = experiment(tables, "birnn", lengths=3)
    whole = dataclasses.replace(config, train=TrainConfig(steps=30, log_every=5, devices=1))
    train_run(whole, tmp_path / "whole")
    half = dataclasses.replace(config, train=TrainConfig(steps=13, log_every=5, devices=1))
    train_run(half, tmp_path / "parts")
    train_run(whole, tmp_path / "parts")
    read = [(tmp_path / name / "metrics.csv").read_text().splitlines()[-1] for name in ("whole", "parts")]
    assert read[0] == read[1]


def test_json_of_the_classes_is_checked(tables):
    task = Classification.create(experiment(tables), Workspace())
    for content, told in [(b"{", "no JSON"), (b'["a"]', "two labels"), (json.dumps(["a", "b", "a"]).encode(), "twice")]:
        with pytest.raises(InputError, match=told):
            Classification.restore(task.experiment, {**task.artifacts(), "classes.json": content})


@pytest.mark.parametrize("label", ["", " "])
def test_a_text_without_a_label_is_told_by_its_line_before_anything_is_trained(label, tables, tmp_path):
    """fastText#192, fastText#205: missing labels give NaN."""
    with open(tables / "train.csv", "a", encoding="utf-8") as file:
        file.write(f"a great film,{label}\n")
    with pytest.raises(InputError, match=r"train\.csv, line 202 has no label"):
        train_run(experiment(tables), tmp_path / "run")


def test_words_are_dropped_in_training_alone_as_if_they_were_padding(tables):
    task = Classification.create(experiment(tables, length=30), Workspace())
    section = dataclasses.replace(task.section, word_dropout=0.4)
    dropping = dataclasses.replace(task, experiment=dataclasses.replace(task.experiment, task=section))
    variables, batch = task.init(jax.random.key(0)), task.training_loader(0)
    context = LossContext(jnp.int32(0), jax.random.key(3))
    words = context.rngs("words")
    assert words is not None
    kept = batch._replace(mask=batch.mask & (np.asarray(dropout_mask(words["words"], 0.4, batch.mask.shape)) > 0))
    assert 0.4 < kept.mask.sum() / batch.mask.sum() < 0.8
    trained, expected = dropping.loss(variables, None, batch, context), task.loss(variables, None, kept, context)
    jax.tree.map(np.testing.assert_array_equal, trained.tallies, expected.tallies)
    measured = dropping.loss(variables, None, batch, EVALUATION)
    jax.tree.map(np.testing.assert_array_equal, measured.tallies, task.loss(variables, None, batch, EVALUATION).tallies)
    with pytest.raises(ConfigError, match=r"task\.word_dropout is 0\.4: without task\.mask"):
        dataclasses.replace(section, mask=False)
