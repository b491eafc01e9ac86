"""`jaxseq export`: from a run to a file of vectors, and from there to another model's embedding; and to a folder."""

import errno
import json
from importlib.util import find_spec

import numpy as np
import pytest
from command_line import TINY, jaxseq, refused
from jax_alone import run_script

from jaxseq.config import to_json
from jaxseq.interop import exported
from jaxseq.interop.exported_reader import read_functions
from jaxseq.interop.output_check import read_check
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
    assert "b.csv ends in '.csv': what runs/words has learned goes to .npz" in refused(
        "export", "runs/words", "b.csv", folder=words
    )
    assert "holds no trained model" in refused("export", "runs/none", "b.npz", folder=folder)


libraries = pytest.mark.skipif(
    not find_spec("safetensors") or not find_spec("flatbuffers"), reason="exporting functions needs both"
)


@libraries
@pytest.mark.usefixtures("unchecked")
def test_a_folder_has_the_run_s_weights_files_and_functions_and_jax_alone_runs_them(trained, tmp_path):
    out, run = tmp_path / "out", load_run(trained[0] / "runs/tiny")
    out.mkdir()  # an empty one gives place
    code, told, err = jaxseq("export", "runs/tiny", str(out), folder=trained[0])
    assert (code, err) == (0, "")
    assert told == f"5 arrays of weights and the functions initial_carry, logits, step are in {out}\n"
    assert (out / "config.json").read_text() == to_json(run.experiment)
    assert (out / "tokenizer.json").read_bytes() == run.task.artifacts()["tokenizer.json"]
    from safetensors.numpy import load_file

    weights = load_file(out / "model.safetensors")
    assert weights.keys() == {
        *("head.bias", "head.kernel", "layer_0.bias", "layer_0.input_kernel", "layer_0.recurrent_kernel")
    }
    np.testing.assert_array_equal(weights["layer_0.input_kernel"], run.params["layer_0"]["input_kernel"])

    functions = read_functions(out)
    assert functions.metadata["step"] == run.step
    check = read_check(out / "model.safetensors")
    tokens = check.inputs["tokens"]
    carry = functions.functions["initial_carry"](np.zeros(len(tokens), np.int32))
    logits, _ = functions.functions["logits"](tokens, carry)
    check.require({"logits": logits}, path=out)
    expected, _ = run.task.model.apply(run.variables, tokens)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)

    found = run_script(out, tmp_path)
    logits, carry = run.task.model.apply(run.variables, np.array([[1, 2, 3], [4, 5, 6]], np.int32))
    for _ in range(5):
        logits, carry = run.task.model.apply(run.variables, logits[:, -1:].argmax(-1).astype(np.int32), carry)
    np.testing.assert_allclose(found["logits"], logits[:, -1], rtol=1e-5, atol=1e-5)

    code, told, err = jaxseq("export", "runs/tiny", f"{tmp_path}/a.b/", "--weights-only", folder=trained[0])
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "a.b").iterdir()} == {
        *("config.json", "tokenizer.json", "export.json", "model.safetensors")
    }
    assert json.loads((tmp_path / "a.b" / "export.json").read_bytes())["functions"] == {}


@libraries
def test_what_cannot_be_written_is_one_line_and_leaves_nothing(trained, tmp_path, monkeypatch):
    folder, mine = trained[0], tmp_path / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text("mine")
    assert "mine is there already: give another name, or remove it" in refused(
        "export", "runs/tiny", str(mine), folder=folder
    )
    assert ". is there already" in refused("export", "runs/tiny", ".", folder=folder)
    assert "none/out: its directory is not there" in refused("export", "runs/tiny", "none/out", folder=folder)
    assert "holds no trained model" in refused("export", "runs/none", "out", folder=folder)
    assert "out/ is a folder, and --format is for files: name one, as model.weights.h5" in refused(
        "export", "runs/tiny", "out/", "--format", "keras", folder=folder
    )
    assert "a.npz is a file, and --weights-only is for folders" in refused(
        "export", "runs/tiny", "a.npz", "--weights-only", folder=folder
    )
    assert "a.pt is the name of a file of layers: give --format torch" in refused(
        "export", "runs/tiny", "a.pt", folder=folder
    )

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exported, "write_synced", full)
    told = refused("export", "runs/tiny", f"{tmp_path}/out", folder=folder)
    assert told.endswith("out: the disk is full: free some space, or choose another disk\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@libraries
def test_a_model_without_functions_is_its_weights_and_a_line(tmp_path):
    (tmp_path / "text.txt").write_text("the film is good and the play is not\n" * 20)
    kinds = ["--name", "counts", "--model.kind", "ngram", "--data.tokenizer", "word", "--data.source", "text.txt"]
    outcome = jaxseq("train", *kinds, "--data.length", "8", "--data.batch-size", "2", folder=tmp_path)
    assert outcome.code == 0, outcome.err
    code, told, err = jaxseq("export", "runs/counts", "out", folder=tmp_path)
    assert code == 0
    assert told.endswith("arrays of weights are in out\n")
    assert err == (
        "the model in runs/counts has no functions to export (task.kind language_modeling, model.kind ngram): its "
        "weights are written alone\n"
    )
    assert not list((tmp_path / "out").glob("*.jaxexport"))
    assert "counts, which Keras does not have" in refused(
        "export", "runs/counts", "a.h5", "--format", "keras", folder=tmp_path
    )


@libraries
@pytest.mark.skipif(not find_spec("h5py"), reason="Keras's files need it")
@pytest.mark.parametrize("format", ["keras", "torch", "safetensors"])
def test_a_file_for_another_library_is_written(trained, tmp_path, format):
    """What it holds is held against these libraries in tests/interop."""
    file = tmp_path / {"keras": "a.weights.h5", "torch": "a.pt", "safetensors": "a.safetensors"}[format]
    code, told, err = jaxseq("export", "runs/tiny", str(file), "--format", format, folder=trained[0])
    assert (code, err) == (0, "")
    what = {"keras": "2 layers for Keras", "torch": "2 layers for PyTorch", "safetensors": "5 arrays of weights"}
    assert told == f"{what[format]} are in {file}\n"
    if format == "safetensors":
        assert read_check(file).function == "logits"
    assert "is there already" in refused("export", "runs/tiny", str(file), "--format", format, folder=trained[0])
