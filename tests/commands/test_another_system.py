"""A system that is no language model, in a file of its own, goes through the same commands."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import arrays_of, assert_same_arrays, jaxseq, refused

from jaxseq.config import kinds
from jaxseq.runs import load_run, ownership
from jaxseq.runs.load import files_of
from jaxseq.tasks import task

LINE = Path(__file__).parents[1] / "systems" / "line.py"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where points.csv and line.py lie; what the system registers is forgotten afterwards."""
    monkeypatch.setattr(kinds, "_KINDS", {section: dict(known) for section, known in kinds._KINDS.items()})
    monkeypatch.setattr(task, "_TASKS", dict(task._TASKS))
    x = np.random.default_rng(0).uniform(-2, 2, 60)
    (tmp_path / "points.csv").write_text("".join(f"{a},{3 * a + 1}\n" for a in x), encoding="utf-8")
    shutil.copy(LINE, tmp_path)
    return tmp_path


def test_it_trains_and_ends_with_what_its_task_shows(folder):
    seldom = ("--train.evaluate-every", "400", "--train.log-every", "20")
    code, out, err = jaxseq("train", "line.py", *seldom, folder=folder)
    assert code == 0, err
    assert "line: 60 points\n" in out
    assert "validation: squared error 0.0000" in out
    assert "\ny = 3.00 x + 1.00\n\neverything is in runs/line\n" in out
    assert "points/s" in err
    run = folder / "runs" / "line"
    assert (run / "line.txt").read_text() == "y = 3.00 x + 1.00\n"
    assert (run / "raw.bin").read_bytes() == b"\xff"
    assert (run / "curves.png").is_file()
    head = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"loss", "near"} <= set(head)
    loaded = load_run(run)
    assert loaded.task.artifacts() == {"scale.json": files_of(run)["scale.json"]}
    assert loaded.experiment.task.kind == "line"
    code, again, err = jaxseq("train", "line.py", *seldom, folder=folder)
    assert (code, again) == (0, out)
    assert "going on from step" in err


def test_what_it_ends_with_is_cleared_and_somebody_s_own_of_that_name_is_moved_aside(folder):
    run = folder / "runs" / "line"
    words = ("train", "line.py", "--train.steps", "2")
    assert jaxseq(*words, folder=folder).code == 0
    (run / "line.txt").write_text("a line of mine", encoding="utf-8")
    assert {"raw.bin"} < {path.name for path in ownership.written(run)}
    assert run / "line.txt" not in set(ownership.written(run))
    code, _, err = jaxseq(*words, "--fresh", folder=folder)
    assert code == 0, err
    assert "runs/line/line.txt is none that jaxseq wrote, or damaged: it is line.txt.aside now" in err
    assert (run / "line.txt.aside").read_text(encoding="utf-8") == "a line of mine"
    assert {"line.txt", "raw.bin"} < {path.name for path in ownership.written(run)}


def test_a_file_that_a_task_has_not_declared_is_not_written(folder):
    text = (folder / "line.py").read_text(encoding="utf-8").replace('"raw.bin": lambda', '"row.bin": lambda')
    (folder / "line.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"Line\.showcase gives raw\.bin, which its showcase_files does not name"):
        jaxseq("train", "line.py", "--train.steps", "2", folder=folder)
    assert not (folder / "runs" / "line" / "line.txt").exists()


def test_it_goes_on_as_if_it_had_never_stopped(folder):
    for words in (["--train.steps", "7"], ["--train.steps", "25"], ["--train.steps", "25", "--run-dir", "whole"]):
        assert jaxseq("train", "line.py", "--optimizer.momentum", "0.5", *words, folder=folder).code == 0
    assert_same_arrays(folder / "runs" / "line", folder / "whole")
    assert arrays_of(folder / "whole")[0] == 25


def test_it_is_measured_in_the_ways_of_its_task(folder):
    assert jaxseq("train", "line.py", folder=folder).code == 0
    code, out, err = jaxseq("evaluate", "runs/line", folder=folder)
    assert (code, err) == (0, "")
    heading, line = out.splitlines()
    assert heading.split() == ["loss", "near", "points"]
    assert line.split() == ["all", "0.0000", "100%", "20"]
    measured = json.loads(jaxseq("evaluate", "runs/line", "--split", "train", "--json", folder=folder).out)
    assert list(measured) == ["all"]
    assert measured["all"]["points"] == 40
    assert "runs/line has no test split: choose train or validation" in refused(
        "evaluate", "runs/line", "--split", "test", folder=folder
    )


def test_other_data_are_measured_and_have_no_encoding_where_their_kind_has_none(folder):
    assert jaxseq("train", "line.py", folder=folder).code == 0
    (folder / "other.csv").write_text("1,5\n" * 30, encoding="utf-8")
    code, out, err = jaxseq("evaluate", "runs/line", "--source", "other.csv", "--json", folder=folder)
    assert (code, err) == (0, "")
    scale = json.loads(files_of(folder / "runs" / "line")["scale.json"])
    assert json.loads(out)["all"]["loss"] == pytest.approx(((5 - 4) / scale) ** 2, rel=1e-3)
    words = ("evaluate", "runs/line", "--source", "other.csv", "--encoding", "latin-1")
    assert "--encoding is latin-1: data of kind points have none" in refused(*words, folder=folder)
    shutil.move(folder / "other.csv", folder / "points.csv")
    assert "points.csv has changed since runs/line was trained" in refused("evaluate", "runs/line", folder=folder)
    assert "points.csv has changed since runs/line was begun" in refused("train", "line.py", folder=folder)


def test_it_generates_no_text_and_sample_names_the_command_that_fits(folder):
    assert jaxseq("train", "line.py", "--train.steps", "2", folder=folder).code == 0
    told = refused("sample", "runs/line", folder=folder)
    assert told == "error: the model in runs/line generates no text: use `jaxseq evaluate`\n"


def test_its_metrics_can_be_chosen_to_select_by(folder):
    assert jaxseq("train", "line.py", "--train.metric", "near", folder=folder).code == 0
    told = refused("train", "line.py", "--name", "x", "--train.metric", "perplexity", folder=folder)
    assert "train.metric is 'perplexity': choose loss, near" in told
