"""Classification, from labelled texts to what a run shows."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest
from subjects import perturbed

from jaxseq.config import (
    AdamConfig,
    BagConfig,
    ClassificationConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    NBSVMConfig,
    RNNConfig,
    TrainConfig,
    from_json,
    to_json,
)
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import EVALUATION
from jaxseq.runs.evaluation import evaluate_run
from jaxseq.runs.prediction import predict_run, read_texts
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification, Workspace
from jaxseq.tasks import classification as classification_module
from jaxseq.tasks.labelled_texts import encode, example_loader

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "dull", "sad")
MODELS = {
    "bag": (BagConfig(features=8), ClassificationConfig(hidden=4)),
    "gru": (RNNConfig(cell="gru", features=8, embedding=4, layers=2), ClassificationConfig(pooling=("last",))),
    "birnn": (
        RNNConfig(cell="lstm", features=8, embedding=4, bidirectional=True),
        ClassificationConfig(pooling=("max", "mean")),
    ),
    "nbsvm": (NBSVMConfig(), ClassificationConfig(pooling=("sum",), head="bias")),
    "encoder": (EncoderConfig(features=8, layers=1, heads=2), ClassificationConfig(pooling=("attention",))),
}
every_model = pytest.mark.parametrize("name", MODELS)


def review(rng, label: str) -> str:
    words = [*["the", "film", "was", "so"][: rng.integers(0, 5)], str(rng.choice(GOOD if label == "pos" else BAD))]
    rng.shuffle(words)
    return " ".join(words)


def write_table(path, count: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(count):
            label = "pos" if index % 2 else "neg"
            writer.writerow([review(rng, label), label])


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    write_table(folder / "train.csv", 200)
    write_table(folder / "test.csv", 41, seed=1)
    return folder


def experiment(tables, name: str = "bag", **data) -> ExperimentConfig:
    model, task = MODELS[name]
    return ExperimentConfig(
        name=name,
        task=task,
        data=LabelledConfig(source=str(tables), **{"length": 8, "batch_size": 16, **data}),
        model=model,
        optimizer=AdamConfig(learning_rate=0.02),
        train=TrainConfig(epochs=5, log_every=10, devices=1),
    )


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


@every_model
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_predictions_depend_neither_on_batches_nor_on_order_nor_on_padding(name, padding, tables):
    task = Classification.create(experiment(tables, name, lengths=4, padding=padding), Workspace())
    variables = task.init(jax.random.key(0))
    part = task.part("test")
    alone = [task.probabilities(variables, _only(part.tokens, i))[0] for i in range(41)]
    for rows in (1, 7, 64):
        np.testing.assert_allclose(task.probabilities(variables, part.tokens, rows=rows), alone, atol=1e-6)
    other = dataclasses.replace(task.experiment, data=dataclasses.replace(task.data, lengths=1, length=30))
    longer = Classification.restore(other, task.artifacts())
    np.testing.assert_allclose(longer.probabilities(variables, part.tokens), alone, atol=1e-6)


def _only(tokens, index):
    start, end = tokens.offsets[index : index + 2]
    return type(tokens)(tokens.ids[start:end], np.array([0, end - start]))


def test_without_the_mask_padding_is_read(tables):
    config = experiment(tables, "gru")
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, mask=False))
    task = Classification.create(config, Workspace())
    variables, part = task.init(jax.random.key(0)), task.part("test")
    short = task.probabilities(variables, part.tokens)
    longer = Classification.restore(
        dataclasses.replace(config, data=dataclasses.replace(task.data, length=30)), task.artifacts()
    )
    assert np.abs(short - longer.probabilities(variables, part.tokens)).max() > 1e-3


def test_rows_that_fill_a_batch_up_count_for_nothing(tables):
    task = Classification.create(experiment(tables), Workspace())
    variables = task.init(jax.random.key(0))
    whole = task.loader("test", train=False, rows=64)(0)
    assert whole.valid.sum() == 41
    tallies = task.loss(variables, None, whole, EVALUATION).tallies
    assert float(tallies["loss"].count) == 41
    cut = jax.tree.map(lambda leaf: leaf[whole.valid], whole)
    assert float(tallies["loss"].total) == pytest.approx(
        float(task.loss(variables, None, cut, EVALUATION).tallies["loss"].total), rel=1e-6
    )


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


def test_a_label_of_the_test_split_that_none_to_train_on_has_is_an_error(tables):
    with open(tables / "test.csv", "a", encoding="utf-8") as file:
        file.write("so so,middling\n")
    with pytest.raises(InputError, match="middling"):
        Classification.create(experiment(tables), Workspace())


def test_another_kind_of_data_or_model_is_refused(tables):
    config = experiment(tables)
    with pytest.raises(ConfigError, match=r"data\.kind is 'corpus': classification reads labelled texts"):
        Classification.create(dataclasses.replace(config, data=ExperimentConfig().data), Workspace())
    with pytest.raises(ConfigError, match=r"data\.source is empty"):
        Classification.create(dataclasses.replace(config, data=LabelledConfig()), Workspace())


def test_the_embedding_starts_from_a_file_of_vectors(tables, tmp_path):
    (tmp_path / "vectors.txt").write_text("good 1 2 3 4 5 6 7 8\nbad -1 -2 -3 -4 -5 -6 -7 -8\n")
    config = experiment(tables)
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, vectors=str(tmp_path / "vectors.txt")))
    task = Classification.create(config, Workspace())
    table = task.init(jax.random.key(0))["params"]["body"]["embedding"]["table"]
    np.testing.assert_array_equal(table[task.tokenizer.vocabulary.id_of("good")], np.arange(1, 9))
    wrong = dataclasses.replace(config, model=BagConfig(features=7))
    with pytest.raises(InputError, match=r"8.*7"):
        Classification.create(wrong, Workspace()).init(jax.random.key(0))


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


TOKENIZERS = {
    "words": {},
    "few words": {"max_words": 3},
    "buckets": {"max_words": 3, "buckets": 5},
    "n-grams": {"ngrams": 3, "ngram_buckets": 7},
    "characters": {"tokenizer": "char", "min_count": 20},
    "jamo": {"tokenizer": "jamo"},
    "bytes": {"tokenizer": "byte"},
}
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)
ODD = ["a great film", "", "<pad> <unk> </s>", "<pad>", "so bad " * 9, " ", "zzz", "한 great", "good"]


def stored_and_read(task: Classification) -> Classification:
    """As a checkpoint gives it back: by its configuration and its artifacts, both as they are on disk."""
    return Classification.restore(from_json(to_json(task.experiment)), task.artifacts())


@every_tokenizer
@pytest.mark.parametrize("side", ["pre", "post"])
@pytest.mark.parametrize("lengths", [1, 2])
def test_a_task_that_was_stored_pads_to_the_same_lengths(name, side, lengths, tables):
    """keras#15382, tf#53339: a reloaded vectorizer forgets the length."""
    settings = {"length": 6, "lengths": lengths, "padding": side, "truncating": side, **TOKENIZERS[name]}
    task = Classification.create(experiment(tables, **settings), Workspace())
    batches = []
    for each in (task, stored_and_read(task)):
        tokens, _ = encode(each.data, each.tokenizer, ODD)
        loader = example_loader(each.data, tokens, np.zeros(len(ODD), np.int32), rows=4)
        batches.append([loader(step) for step in range(loader.steps_per_epoch)])
        assert loader.lengths[-1] == (6 + 5 + 4 if name == "n-grams" else 6)
        real = np.concatenate([batch.inputs[batch.mask] for batch in batches[-1]])
        assert len(real) == len(tokens.ids)  # what a text says of padding is no padding (tf#38043)
        assert name == "bytes" or real.all()
    jax.tree.map(np.testing.assert_array_equal, *batches)


@every_tokenizer
def test_the_embedding_has_a_row_for_every_id_and_none_beyond(name, tables):
    """tensorflow/docs#2260: the unknown word has the id of a word; tensorflow/docs#2261: v rows or v + 1?"""
    task = Classification.create(experiment(tables, **TOKENIZERS[name]), Workspace())
    rows = len(task.init(jax.random.key(0))["params"]["body"]["embedding"]["table"])
    symbols, size = task.tokenizer.vocabulary.symbols, task.tokenizer.vocabulary_size
    grams = 7 if name == "n-grams" else 0
    assert rows == size + grams == len(set(symbols)) + grams
    tokens, _ = encode(task.data, task.tokenizer, [*ODD, *task.part("train").examples.texts])
    assert tokens.ids.min() >= 0
    assert tokens.ids.max() < rows
    if name in ("words", "few words", "buckets"):
        words = symbols[task.tokenizer.options.reserved :][: len(task.tokenizer.words)]
        known = {id for word in words for id in task.tokenizer.encode(word).tolist()}
        other = set(task.tokenizer.encode("zzz 한 <pad> <unk>").tolist())
        assert len(known) == len(words)
        assert 0 not in known | other
        assert not known & other
    if grams:  # no n-gram has the id of a word
        texts, _ = encode(task.data, task.tokenizer, ["a great film"])
        assert (texts.ids[:3] < size).all()
        assert (texts.ids[3:] >= size).all()
        assert len(texts.ids) == 3 + 2 + 1


@every_tokenizer
def test_a_text_is_predicted_from_the_very_tokens_that_it_is_trained_on(name, tables, tmp_path):
    """salestock/fastText.py#108: `</s>` is added on one path alone; fastText#435: nor does a line end count."""
    with open(tables / "train.csv", "a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([text, "pos"] for text in ODD)
    config = experiment(tables, validation=0.0, characters=20, **TOKENIZERS[name])
    task = Classification.create(config, Workspace())
    # Far from where they start, so that a token more or less is noticed.
    part, variables = task.part("train"), perturbed(task.init(jax.random.key(0)), 1.0)
    expected = task.probabilities(variables, part.tokens)
    assert len(np.unique(expected[-len(ODD) :, 0])) > 2
    for end in ("", "\n"):
        (tmp_path / "texts.txt").write_text("\n".join(part.examples.texts) + end, encoding="utf-8")
        made = list(stored_and_read(task).predict(variables, read_texts(str(tmp_path / "texts.txt"))))
        found = [list(each.probabilities.values()) for each in made]
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("count", range(8))
def test_every_text_has_one_prediction_in_its_place(count, tables, monkeypatch):
    """fastText#344, fastText#97: fewer predictions than lines."""
    monkeypatch.setattr(classification_module, "_AT_ONCE", 3)
    task = Classification.create(experiment(tables), Workspace())
    variables = task.init(jax.random.key(0))
    texts = ["good", "", " ", "zzz", "bad", "", "so bad"][:count]
    made = list(task.predict(variables, iter(texts)))
    assert [each.text for each in made] == texts
    for text, each in zip(texts, made, strict=True):
        (alone,) = task.predict(variables, [text])
        assert each.label == alone.label
        assert each.probabilities == pytest.approx(alone.probabilities, abs=1e-6)


@pytest.mark.parametrize("label", ["", " "])
def test_a_text_without_a_label_is_told_by_its_line_before_anything_is_trained(label, tables, tmp_path):
    """fastText#192, fastText#205: missing labels give NaN."""
    with open(tables / "train.csv", "a", encoding="utf-8") as file:
        file.write(f"a great film,{label}\n")
    with pytest.raises(InputError, match=r"train\.csv, line 202 has no label"):
        train_run(experiment(tables), tmp_path / "run")
