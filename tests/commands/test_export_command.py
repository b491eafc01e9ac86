"""`jaxseq export`: from a run to a file of vectors, and from there to another model's embedding."""

from importlib.util import find_spec

import numpy as np
import pytest
from command_line import TINY, jaxseq, refused

from jaxseq.interop.word_vectors import read_word_vectors
from jaxseq.runs.load import load_run

WORDS = ["--data.tokenizer", "word", "--data.max-words", "50", "--model.kind", "window_bag"]
ENDINGS = [".txt", ".vec", ".glove", ".bin", *([".safetensors"] if find_spec("safetensors") else [])]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    (folder / "text.txt").write_text("the film is good and the play is not\n" * 60)
    outcome = jaxseq("train", "--name", "words", *TINY, *WORDS, folder=folder)
    assert outcome.code == 0, outcome.err
    return folder


@pytest.mark.parametrize("name", ["a.npz", "a.txt"])
def test_the_vectors_are_the_embedding_and_another_model_starts_from_them(words, tmp_path, name):
    if name == "a.txt":  # which has no place for a line's end
        assert "holds white space" in refused("export", "runs/words", name, folder=words)
        return
    code, out, err = jaxseq("export", "runs/words", name, folder=words)
    assert (code, err) == (0, "")
    run = load_run(words / "runs/words")
    assert out == f"{run.task.tokenizer.vocabulary_size} vectors of 16 numbers are in {name}\n"
    with np.load(words / name) as file:
        assert tuple(file["words"]) == run.task.tokenizer.vocabulary.symbols
        np.testing.assert_array_equal(file["vectors"], run.params["embedding"])
    (words / "films.tsv").write_text("text\tlabel\n" + "a good film\tpos\nnot a film\tneg\n" * 20)
    more = ["--task.vectors", name, "--data.source", "films.tsv", "--train.steps", "1", "--train.devices", "1"]
    kinds = ["--task.kind", "classification", "--data.kind", "labelled", "--model.kind", "bag"]
    code, out, err = jaxseq("train", "--name", "films", *kinds, *more, "--model.features", "16", folder=words)
    assert code == 0, err
    assert "words (" in out + err
    assert "a.npz is there already" in refused("export", "runs/films", name, folder=words)
    films = load_run(words / "runs/films")
    symbols = films.task.tokenizer.vocabulary.symbols
    for ending in ENDINGS:
        assert jaxseq("export", "runs/films", f"films{ending}", folder=words).code == 0
        found = read_word_vectors(words / f"films{ending}")
        assert found.words == symbols
        np.testing.assert_array_equal(found.vectors, films.params["body"]["embedding"]["table"])


def test_one_hot_vectors_and_a_wrong_name_are_one_line(trained, words):
    folder = trained[0]
    assert "reads one-hot vectors and has no embedding" in refused("export", "runs/tiny", "b.npz", folder=folder)
    assert "b.csv ends in '.csv': what runs" in refused("export", "runs/words", "b.csv", folder=words)
    assert "holds no trained model" in refused("export", "runs/none", "b.npz", folder=folder)
