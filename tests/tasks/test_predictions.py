"""What a classifier says of a text: by the text alone, in its place, from the tokens that it was trained on."""

import csv
import dataclasses
import shutil

import jax
import numpy as np
import pytest
from small_classifiers import every_model, experiment
from subjects import perturbed

from jaxseq.config import TrainConfig, from_json, to_json
from jaxseq.errors import ConfigError
from jaxseq.runs import load_run
from jaxseq.runs.prediction import read_texts
from jaxseq.runs.train import train_run
from jaxseq.sharding import DataParallel
from jaxseq.tasks import Classification, Workspace
from jaxseq.tasks.classification import text_outputs
from jaxseq.tasks.labelled_texts import encode, example_loader


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


@every_model
def test_a_prediction_is_to_the_last_bit_that_of_the_text_alone(name, tables):
    task = Classification.create(experiment(tables, name, lengths=4, length=150), Workspace())
    variables = task.init(jax.random.key(0))
    texts = [" ".join(["good film"] * (number * 7)) for number in range(9)]
    compiled = text_outputs._outputs._cache_size
    before = compiled()
    alone = [next(task.predict(variables, [text])) for text in texts]
    assert list(task.predict(variables, texts)) == alone
    assert list(task.predict(variables, reversed(texts))) == alone[::-1]
    assert compiled() <= before + 5  # and no text that is new takes a program of its own
    part = encode(task.data, task.tokenizer, texts)[0]
    expected = task.probabilities(variables, part)
    np.testing.assert_allclose([list(each.probabilities.values()) for each in alone], expected, atol=1e-6)


@every_model
def test_texts_are_shared_among_devices_and_come_out_the_same(name, tables, monkeypatch):
    if len(jax.devices()) < 2:
        pytest.skip("needs 2 devices")
    task = Classification.create(experiment(tables, name, lengths=4), Workspace())
    variables, tokens = perturbed(task.init(jax.random.key(0)), 0.3), task.part("test").tokens
    meshes = []
    sharing = DataParallel.sharing
    monkeypatch.setattr(DataParallel, "sharing", lambda *a, **k: meshes.append(sharing(*a, **k)) or meshes[-1])
    shared = task.probabilities(variables, tokens)
    monkeypatch.setattr(text_outputs, "_FEWEST_ROWS", 1000)
    np.testing.assert_allclose(task.probabilities(variables, tokens), shared, atol=1e-6)
    assert [each.mesh.size for each in meshes] == [min(4, len(jax.devices())), 1]


@pytest.mark.parametrize(("name", "length", "rows"), [("encoder", 512, 4), ("encoder", 128, 8), ("gru", 512, 256)])
def test_a_transformer_reads_few_texts_at_a_time_on_a_cpu(name, length, rows, tables):
    task = Classification.create(experiment(tables, name, length=length), Workspace())
    many = name == "gru" or jax.default_backend() != "cpu"
    assert task.probabilities.rows == (256 if many else rows * jax.local_device_count())


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("mask", [True, False])
def test_a_run_that_is_loaded_reads_a_text_as_training_did(mask, padding, tables, tmp_path):
    config = experiment(tables, "gru", padding=padding, truncating="pre", length=3, ngrams=2, characters=20)
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, mask=mask))
    config = dataclasses.replace(config, train=TrainConfig(steps=2, devices=1))
    train_run(config, tmp_path / "run")
    trained = Classification.create(config, Workspace())
    expected = trained.loader("test", train=False, rows=41)(0)
    shutil.rmtree(tables)
    run = load_run(tmp_path / "run")
    texts = trained.part("test").examples.texts
    loaded = Classification.restore(run.experiment, run.task.artifacts())
    tokens, report = encode(loaded.data, loaded.tokenizer, texts)
    batch = example_loader(loaded.data, tokens, np.zeros(41, np.int32), rows=41)(0)
    np.testing.assert_array_equal(batch.inputs, expected.inputs)
    np.testing.assert_array_equal(batch.mask, expected.mask)
    assert report == trained.part("test").lengths
    made = [list(each.probabilities.values()) for each in loaded.predict(run.variables, texts)]
    np.testing.assert_array_equal(made, trained.probabilities(run.variables, trained.part("test").tokens))


def test_padding_that_is_read_is_the_same_for_every_text(tables):
    config = experiment(tables, "gru", lengths=2)
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, mask=False))
    with pytest.raises(ConfigError, match=r"data\.lengths is 2 and padding is read.*set data\.lengths to 1"):
        Classification.create(config, Workspace())


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
        assert real.all()
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
    monkeypatch.setattr(text_outputs, "_AT_ONCE", 3)
    task = Classification.create(experiment(tables), Workspace())
    variables = task.init(jax.random.key(0))
    texts = ["good", "", " ", "zzz", "bad", "", "so bad"][:count]
    made = list(task.predict(variables, iter(texts)))
    assert [each.text for each in made] == texts
    for text, each in zip(texts, made, strict=True):
        (alone,) = task.predict(variables, [text])
        assert each.label == alone.label
        assert each.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
