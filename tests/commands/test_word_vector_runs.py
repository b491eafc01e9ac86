"""Runs of word vectors by the commands: they go on exactly, whatever the devices, and give files that gensim reads."""

import json

import gensim
import numpy as np
import pytest
from command_line import jaxseq, refused
from pulled_plug import assert_goes_on_exactly
from small_words import write_words

from jaxseq.data.word_windows import WordWindowLoader
from jaxseq.runs import load_run

WORDS = [
    *("--task.kind", "word_vectors", "--data.source", "a.txt", "--data.kind", "lines", "--data.tokenizer", "word"),
    *("--data.splitter", "whitespace", "--data.length", "8", "--data.batch-size", "4", "--model.kind", "vectors"),
    *("--model.features", "5", "--model.buckets", "30", "--task.window", "2", "--task.shared", "5"),
    *("--task.subsample", "0.05", "--optimizer.kind", "sgd", "--optimizer.schedule", "linear"),
    *("--optimizer.learning-rate", "2", "--optimizer.momentum", "0.5", "--train.epochs", "2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    write_words(folder / "a.txt", 60)
    outcome = jaxseq("train", *WORDS, "--name", "whole", "--train.devices", "2", folder=folder)
    assert outcome.code == 0, outcome.err
    assert "\nstep " in outcome.out
    assert ", nearest by cosine\n" in outcome.out
    return folder


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(folder):
    words = [*WORDS, "--train.devices", "2"]
    assert_goes_on_exactly(words, loader=WordWindowLoader, whole="whole", folder=folder)


def test_vectors_are_the_same_on_any_number_of_devices(folder):
    assert jaxseq("train", *WORDS, "--name", "one", "--train.devices", "1", folder=folder).code == 0
    one, two = (load_run(folder / "runs" / name).variables["params"] for name in ("one", "whole"))
    for table in ("input", "output"):
        np.testing.assert_allclose(one[table]["table"], two[table]["table"], rtol=1e-4, atol=1e-6)
        assert np.ptp(one[table]["table"]) > 0.01


def test_the_vectors_are_written_to_a_file_that_gensim_reads(folder):
    code, out, err = jaxseq("export", "runs/whole", "vectors.txt", folder=folder)
    assert (code, err) == (0, "")
    run = load_run(folder / "runs/whole")
    assert out == f"{len(run.task.words)} vectors of 5 numbers are in vectors.txt\n"
    theirs = gensim.models.KeyedVectors.load_word2vec_format(folder / "vectors.txt")
    ours = run.task.vectors(run.variables).find(theirs.index_to_key)
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)


def test_a_run_with_ngrams_is_asked_for_words_that_it_lacks(folder):
    code, out, err = jaxseq("nearest", "runs/whole", "unseen", "--count", "3", "--json", folder=folder)
    assert (code, err) == (0, "")
    run = load_run(folder / "runs/whole")
    vectors = run.task.vectors(run.variables)
    asked = vectors.find(["unseen"]).vectors[0]
    cosines = vectors.vectors @ asked / np.linalg.norm(vectors.vectors, axis=1) / np.linalg.norm(asked)
    best = np.argsort(-cosines)[:3]
    found = json.loads(out)
    assert found["unknown"] == []
    assert [each["word"] for each in found["nearest"]] == [vectors.words[row] for row in best]
    np.testing.assert_allclose([each["value"] for each in found["nearest"]], cosines[best], rtol=1e-4)


def test_it_is_measured_by_all_negatives_and_predicts_nothing(folder):
    first, second = (jaxseq("evaluate", "runs/whole", "--json", folder=folder).out for _ in range(2))
    assert first == second
    measured = json.loads(first)
    assert measured["pairs"]["pairs"] > 10
    assert 0 < measured["pairs"]["loss"] < 10
    assert "use `jaxseq export`" in refused("predict", "runs/whole", "a text", folder=folder)
    longer = ("--train.devices", "2", "--train.epochs", "3")
    told = refused("train", *WORDS, "--name", "whole", *longer, folder=folder)
    assert "optimizer.schedule is linear, which ends with the run" in told
