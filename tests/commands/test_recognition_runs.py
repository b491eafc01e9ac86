"""Runs that tell two classes apart, as a person types their commands, and the page that says what they cost."""

import json
import re
from pathlib import Path

import pytest
from command_line import assert_same_arrays, jaxseq, refused
from pages import read_page

from jaxseq.runs import load_run
from jaxseq.tasks.picture_form import PictureForm
from jaxseq.tasks.recognition import recognition

ROOT = Path(__file__).parents[2]
PAGE = read_page("convolution-costs.md")
RECTANGLES, HANDS = (str(ROOT / "configs" / f"{name}.py") for name in ("rectangles", "hand_detector"))
SHORT = {
    "rectangles": (RECTANGLES, "--data.examples", "400", "--train.devices", "1", "--train.evaluate-every", "0"),
    "hands": (
        HANDS,
        "--data.size",
        "36",
        "64",
        "--data.examples",
        "64",
        "--data.held-out",
        "10",
        "--train.devices",
        "1",
    ),
}
every_kind = pytest.mark.parametrize("kind", SHORT)


@every_kind
def test_a_run_that_is_stopped_and_goes_on_is_the_run_left_alone(kind, tmp_path):
    for steps, run in (("3", "stopped"), ("11", "stopped"), ("11", "whole")):
        words = ("--train.steps", steps, "--run-dir", run, "--optimizer.schedule", "constant")
        code, out, err = jaxseq("train", *SHORT[kind], *words, folder=tmp_path)
        assert code == 0, err
    assert "validation: accuracy " in out
    assert "\nrecognition of the test split, by the parameters of step " in out
    assert_same_arrays(tmp_path / "stopped", tmp_path / "whole")


@every_kind
def test_a_run_is_measured_by_what_it_was_trained_on_and_nothing_else(kind, tmp_path):
    assert jaxseq("train", *SHORT[kind], "--train.steps", "2", "--run-dir", "run", folder=tmp_path).code == 0
    code, out, err = jaxseq("evaluate", "run", "--split", "test", folder=tmp_path)
    assert (code, err) == (0, "")
    heading, line = out.splitlines()
    assert heading.split() == ["loss", "accuracy", "examples"]
    assert line.startswith("every example once  ")
    measured = json.loads(jaxseq("evaluate", "run", "--split", "test", "--json", folder=tmp_path).out)["examples"]
    assert measured["examples"] == load_run(tmp_path / "run").experiment.data.held_out
    report = (tmp_path / "run" / "recognition.txt").read_text(encoding="utf-8")
    assert f": {measured['accuracy']:.2%} of " in report
    told = refused("evaluate", "run", "--source", "other.csv", folder=tmp_path)
    assert "examples are made up and read from no file, leave 'other.csv' out" in told
    told = refused("sample", "run", folder=tmp_path)
    assert told == "error: the model in run generates no text: use `jaxseq evaluate`\n"
    told = refused(
        "train", *SHORT[kind], "--train.steps", "9", "--run-dir", "run", "--train.seed", "1", folder=tmp_path
    )
    assert "train.seed" in told


@pytest.fixture
def undrawn(monkeypatch):
    """What pixels are scaled by is given: no picture is drawn."""
    form = PictureForm(1080, 1920, 3, (0.5,) * 3, (0.25,) * 3)
    monkeypatch.setattr(recognition, "form_of", lambda data, seed: form)


def rows_of(out):
    """Of a table of layers: name, output, parameters and multiply-adds."""
    lines = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    cells = [line for line in lines if re.fullmatch(r"[\d,]+", line[-1])]
    return {name: (rest[1] if len(rest) == 4 else "", *rest[-2:]) for name, *rest in cells}


def test_the_layers_of_the_hand_detector_are_told_with_their_published_sizes(undrawn, tmp_path):
    code, out, err = jaxseq("summary", HANDS, folder=tmp_path)
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert rows["convolution_0"][:2] == ("(8, 216, 384, 16)", "1,200")
    assert rows["unit"] == ("(8, 1)", "1,327,104", "1,327,104")
    assert rows["total"][1] == "1,328,304"


TABLE = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")][2:]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].strip())
def test_each_line_of_the_page_is_what_its_command_prints(row, undrawn, tmp_path):
    _, option, outputs, parameters, products = (cell.strip() for cell in row)
    code, out, err = jaxseq("summary", HANDS, *option.strip("`").split(), folder=tmp_path)
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert rows["total"][1:] == (parameters, products)
    found = [output for name, (output, *_) in rows.items() if name.startswith("convolution_")]
    shown = [f"(8, {shape.replace(' x ', ', ')})" for shape in outputs.split(", ") if shape]
    assert found == shown
