"""`jaxseq embed`: the vectors of texts, in a file."""

from pathlib import Path

import numpy as np
import pytest
from command_line import jaxseq, refused
from small_classifiers import experiment, write_table

from jaxseq.runs.load import load_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification

OLD = Path(__file__).parents[1] / "old_runs" / "version_1" / "lstm_rows"
TEXTS = ["a great film", "", "awful ☃", "so sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a run of a classifier, and a file of texts."""
    folder = tmp_path_factory.mktemp("embed")
    (folder / "tables").mkdir()
    write_table(folder / "tables" / "train.csv", 60)
    config = experiment(folder / "tables", "bag", validation=0.0)
    train_run(config, folder / "run")
    (folder / "lines.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    (folder / "none.txt").write_text("")
    return folder


def test_a_file_of_texts_becomes_an_archive_of_their_vectors(folder, monkeypatch):
    code, out, err = jaxseq("embed", "run", "lines.txt", "--output", "lines.npz", folder=folder)
    assert (code, out, err) == (0, "4 vectors of 8 numbers are in lines.npz\n", "")
    with np.load(folder / "lines.npz", allow_pickle=False) as made:
        assert made.files == ["vectors", "texts"]
        vectors, texts = made["vectors"], made["texts"]
    assert texts.tolist() == TEXTS
    assert vectors.dtype == np.float32
    run = load_run(folder / "run")
    assert isinstance(run.task, Classification)
    table, vocabulary = np.asarray(run.params["body"]["embedding"]["table"]), run.task.tokenizer.vocabulary
    known = [[vocabulary.id_of(word) for word in text.split() if word in vocabulary] for text in TEXTS]
    unknown = vocabulary.id_of("<unk>")
    for vector, text, ids in zip(vectors, TEXTS, known, strict=True):
        ids = ids + [unknown] * (len(text.split()) - len(ids))
        wanted = table[ids].mean(0) if ids else np.zeros(8)
        np.testing.assert_allclose(vector, wanted, atol=1e-6)

    given = ("embed", "run", "--output", "unit.npz", "--unit", "--text", *TEXTS)
    assert jaxseq(*given, folder=folder).code == 0
    with np.load(folder / "unit.npz") as made:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.testing.assert_allclose(made["vectors"], vectors / np.maximum(lengths, 1e-9), atol=1e-6)
    with (folder / "lines.txt").open(encoding="utf-8") as lines:
        monkeypatch.setattr("sys.stdin", lines)
        assert jaxseq("embed", "run", "-", "--output", "piped.npz", folder=folder).code == 0
    with np.load(folder / "piped.npz") as made:
        np.testing.assert_array_equal(made["vectors"], vectors)
    assert "is there already" in refused("embed", "run", "lines.txt", "--output", "lines.npz", folder=folder)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "neither a file nor --text is given"),
        (("run", "lines.txt", "--text", "a"), "both a file and --text are given"),
        (("run", "lines.txt", "--output", "made.txt"), "--output is made.txt: vectors are written to an .npz"),
        (("run", "none.txt"), "there is no text to give a vector"),
        (("run", "missing.txt"), "missing.txt"),
        (("nothing", "lines.txt"), "nothing holds no trained model"),
        ((str(OLD), "lines.txt"), "gives no text a vector: use `jaxseq sample`"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(folder, words, told):
    assert told in refused("embed", *words, folder=folder)
