"""From text without labels to a classifier: pretrained, exported, and tuned or left as it is."""

from pathlib import Path

import numpy as np
from command_line import jaxseq
from small_classifiers import write_table

from jaxseq.runs.load import load_run

TEXTS = ["the film was great", "awful", ""]
ENCODER = ["--model.kind", "encoder", "--model.features", "8", "--model.layers", "1", "--model.heads", "2"]
WORDPIECE = ["--data.tokenizer", "wordpiece", "--data.length", "12", "--data.batch-size", "8", "--train.devices", "1"]


def vectors(folder: Path, run: str) -> np.ndarray:
    code, _, err = jaxseq("embed", run, "--text", *TEXTS, "--output", f"{Path(run).name}.npz", folder=folder)
    assert (code, err) == (0, "")
    with np.load(folder / f"{Path(run).name}.npz") as made:
        return made["vectors"]


def test_an_exported_masked_language_model_is_what_a_classifier_starts_with(tmp_path):
    write_table(tmp_path / "train.csv", 60)
    texts = [line.split(",")[0] for line in (tmp_path / "train.csv").read_text().splitlines()[1:]]
    (tmp_path / "lines.txt").write_text("\n".join(texts) + "\n")
    task = ["--task.kind", "masked_language_modeling", "--data.kind", "documents", "--data.form", "lines"]
    data = ["--data.source", "lines.txt", "--data.pieces", "60", "--data.split", "1", "0", "0", "--train.steps", "3"]
    own = ["--task.examples", "0", "--name", "first"]
    code, _, err = jaxseq("train", *task, *ENCODER, *WORDPIECE, *data, *own, folder=tmp_path)
    assert code == 0, err
    code, _, err = jaxseq("export", "runs/first", "encoder/", "--weights-only", folder=tmp_path)
    assert code == 0, err

    task = ["--task.kind", "classification", "--data.kind", "labelled", "--data.source", "train.csv", "--data.delimit"]
    start = ["--task.weights", "encoder", "--task.freeze-weights", "--data.validation", "0"]
    code, _, err = jaxseq(
        "train", *task, *start, *ENCODER, *WORDPIECE, "--train.steps", "2", "--name", "then", folder=tmp_path
    )
    assert code == 0, err
    first, then = (load_run(tmp_path / "runs" / name) for name in ("first", "then"))
    np.testing.assert_array_equal(then.variables["frozen"]["body"]["embedding"], first.params["body"]["embedding"])
    np.testing.assert_allclose(vectors(tmp_path, "runs/then"), vectors(tmp_path, "runs/first"), atol=1e-6)
