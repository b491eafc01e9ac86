"""Runs of text vectors by the commands: they go on exactly, tell of texts, and flag those without a known word."""

import csv
import io
import json

import gensim
import numpy as np
import pytest
from command_line import jaxseq, refused
from pulled_plug import assert_goes_on_exactly
from small_texts import write_texts

from jaxseq.commands import predict
from jaxseq.data.text_windows import TextWindowLoader
from jaxseq.runs import load_run
from jaxseq.tasks.capabilities import NearText, Prediction
from jaxseq.tasks.vectors.text_vectors import text_table

TEXTS = [
    *(
        "--task.kind",
        "text_vectors",
        "--data.kind",
        "labelled",
        "--data.source",
        "a.tsv",
        "--data.test-source",
        "b.tsv",
    ),
    *("--data.splitter", "whitespace", "--data.batch-size", "4", "--data.validation", "0.2", "--model.kind", "vectors"),
    *("--model.features", "5", "--task.shared", "5", "--task.algorithm", "dm", "--task.window", "2"),
    *("--task.inference-steps", "20", "--optimizer.kind", "adagrad", "--optimizer.schedule", "linear"),
    *("--optimizer.learning-rate", "0.3", "--train.epochs", "3", "--task.subsample", "0", "--optimizer.rows"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    write_texts(folder / "a.tsv", 60)
    write_texts(folder / "b.tsv", 20, seed=1)
    outcome = jaxseq("train", *TEXTS, "--name", "whole", "--train.devices", "2", folder=folder)
    assert outcome.code == 0, outcome.err
    assert "\nstep " in outcome.out
    assert ", nearest texts by cosine\n" in outcome.out
    assert "a linear classifier of the vectors gets " in outcome.out
    return folder


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(folder):
    words = [*TEXTS, "--train.devices", "2"]
    assert_goes_on_exactly(words, loader=TextWindowLoader, whole="whole", folder=folder)


def test_vectors_are_the_same_on_any_number_of_devices(folder):
    assert jaxseq("train", *TEXTS, "--name", "one", "--train.devices", "1", folder=folder).code == 0
    one, two = (load_run(folder / "runs" / name).variables["params"] for name in ("one", "whole"))
    for table in ("text", "input", "output"):
        np.testing.assert_allclose(one[table]["table"], two[table]["table"], rtol=1e-4, atol=1e-6)
        assert np.ptp(one[table]["table"]) > 0.01


def test_it_is_measured_by_the_error_of_a_classifier(folder):
    code, out, err = jaxseq("evaluate", "runs/whole", "--split", "test", "--json", folder=folder)
    assert (code, err) == (0, "")
    measured = json.loads(out)["texts"]
    run = load_run(folder / "runs/whole")
    texts = [line.split("\t") for line in (folder / "b.tsv").read_text().splitlines()[1:]]
    made = run.task.predict(run.variables, [text for text, _ in texts])
    wrong = np.mean([each.label != label for each, (_, label) in zip(made, texts, strict=True)])
    assert measured["error"] == pytest.approx(100 * wrong)
    assert measured["words"] == sum(len(text.split()) for text, _ in texts)
    table = jaxseq("evaluate", "runs/whole", "--split", "test", folder=folder).out
    assert "error (%)" in table.splitlines()[0]


def test_a_text_is_answered_with_its_vector_and_the_nearest_texts(folder):
    asked = ("ship sail ship", "zzz", "")
    (folder / "asked.txt").write_text("".join(f"{text}\n" for text in asked))
    lines = jaxseq("predict", "runs/whole", "--file", "asked.txt", "--format", "jsonl", folder=folder).out.splitlines()
    known, unknown, empty = map(json.loads, lines)
    assert [known["has_vector"], unknown["has_vector"], empty["has_vector"]] == [True, False, False]
    assert unknown["vector"] == empty["vector"] == [0.0] * 5
    assert (unknown["unknown"], unknown["nearest"]) == (["zzz"], [])
    table = text_table(load_run(folder / "runs/whole").variables)
    vector = np.array(known["vector"])
    cosines = table @ vector / np.linalg.norm(table, axis=1) / np.linalg.norm(vector)
    best = np.argsort(-cosines)[:5]
    assert [near["number"] for near in known["nearest"]] == best.tolist()
    np.testing.assert_allclose([near["similarity"] for near in known["nearest"]], cosines[best], rtol=1e-4)
    alone = json.loads(jaxseq("predict", "runs/whole", asked[0], "--format", "jsonl", folder=folder).out)
    assert alone.pop("probabilities") == pytest.approx(known.pop("probabilities"))
    assert alone == known
    rows = list(
        csv.reader(io.StringIO(jaxseq("predict", "runs/whole", *asked[:2], "--format", "csv", folder=folder).out))
    )
    assert rows[0][-6:] == ["has a vector", *(f"vector {at}" for at in range(5))]
    assert [float(cell) for cell in rows[1][-5:]] == known["vector"]
    assert [rows[1][-6], rows[2][-6]] == ["true", "false"]
    said = jaxseq("predict", "runs/whole", *asked[:2], folder=folder).out
    assert said.count("no vector: no word of it is known") == 1
    assert f"{cosines[best[0]]:.4f}" in said


def test_texts_and_words_are_written_to_a_file_that_gensim_reads(folder):
    code, out, err = jaxseq("export", "runs/whole", "vectors.txt", folder=folder)
    assert (code, err) == (0, "")
    run = load_run(folder / "runs/whole")
    assert out == f"{48 + 14} vectors of 5 numbers are in vectors.txt\n"
    theirs = gensim.models.KeyedVectors.load_word2vec_format(folder / "vectors.txt")
    np.testing.assert_array_equal(theirs["*dt_7"], text_table(run.variables)[7])
    assert "ship" in theirs
    assert jaxseq("nearest", "runs/whole", "*dt_7", folder=folder).code == 0


def test_what_it_cannot_do_is_told(folder):
    assert "use `jaxseq predict`" in refused("sample", "runs/whole", folder=folder)
    assert "use `jaxseq predict`" in refused("mix", "runs/whole", "runs/whole", folder=folder)


def test_a_text_without_classes_is_said_by_itself_and_has_no_column_of_labels():
    near = NearText(4, "the ship\x07", "", 0.75)
    made = [
        Prediction("a ship\n", "", {}, ["zzz"], np.array([0.5, -1.0], np.float32), [near]),
        Prediction("zzz", "", {}, ["zzz"], np.zeros(2, np.float32)),
    ]
    assert list(predict._as_text(made)) == [
        *("a ship\\n  unknown: zzz", "  0.7500  the ship\\x07"),
        *("zzz  unknown: zzz", "  no vector: no word of it is known"),
    ]
    header = "unknown words,has a vector,vector 0,vector 1"
    assert list(predict._as_csv(made)) == [header, "zzz,true,0.5,-1.0", "zzz,false,0.0,0.0"]
    known, unknown = map(json.loads, predict._as_json(made))
    assert known == {
        "unknown": ["zzz"],
        "has_vector": True,
        "vector": [0.5, -1.0],
        "nearest": [{"number": 4, "begin": "the ship\x07", "label": "", "similarity": 0.75}],
    }
    assert (unknown["has_vector"], unknown["vector"], unknown["nearest"]) == (False, [0.0, 0.0], [])
