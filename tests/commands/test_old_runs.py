"""Run directories made by earlier versions, kept as those versions wrote them: they open for good.

In a folder of `old_runs/` stand the texts, a run directory for each family of models (two of them killed in mid-run),
and `expected.json` with what the version that made them said of each: a sample, the likeliest next tokens, the metrics
of the test split, and the metrics.csv that its run ended with when it was left alone.
"""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from command_line import jaxseq

OLD_RUNS = Path(__file__).parents[1] / "old_runs"
RUNS = [
    pytest.param(version.name, name, id=f"{version.name}-{name}")
    for version in sorted(OLD_RUNS.iterdir())
    for name in json.loads((version / "expected.json").read_text(encoding="utf-8"))
]
CLOSE = 2e-5  # the last digits hang on the processor


@pytest.fixture
def opened(request, tmp_path):
    """(a folder with the texts and runs/NAME, what is expected of the run)."""
    version, name = request.param
    old = OLD_RUNS / version
    expected = json.loads((old / "expected.json").read_text(encoding="utf-8"))[name]
    for text in old.glob("*.txt"):
        shutil.copy(text, tmp_path)
        os.utime(tmp_path / text.name, ns=(expected["source_mtime_ns"],) * 2)  # as the token file remembers it
    shutil.copytree(old / name, tmp_path / "runs" / name)
    return tmp_path, name, expected


def every_run(test):
    cases = [pytest.param(param.values, id=param.id) for param in RUNS]
    return pytest.mark.parametrize("opened", cases, indirect=True)(test)


@every_run
def test_it_samples_the_same_text(opened):
    folder, name, expected = opened
    words = ("sample", f"runs/{name}", "--prompt", expected["prompt"], "--json")
    code, out, err = jaxseq(*words, "--length", "60", "--seed", "7", folder=folder)
    assert (code, err) == (0, "")
    assert json.loads(out)["text"] == expected["sample"]
    (told,) = jaxseq(*words, "--next", "3", folder=folder).out.splitlines()
    for found, wanted in zip(json.loads(told)["next"], expected["next"], strict=True):
        assert (found["token"], found["id"]) == (wanted["token"], wanted["id"])
        assert found["probability"] == pytest.approx(wanted["probability"], rel=CLOSE)


@every_run
def test_it_evaluates_to_the_same_figures(opened):
    folder, name, expected = opened
    code, out, err = jaxseq("evaluate", f"runs/{name}", "--split", "test", "--json", folder=folder)
    assert (code, err) == (0, "")
    found = json.loads(out)
    for how, figures in expected["evaluate"].items():
        assert {figure: found[how][figure] for figure in figures} == pytest.approx(figures, rel=CLOSE)


@every_run
def test_it_goes_on_training_to_the_same_end(opened):
    folder, name, expected = opened
    (folder / "experiment.py").write_text(
        "from pathlib import Path\nfrom jaxseq.config import read_config\n"
        f"config = read_config(Path('runs/{name}/config.json'))\n"
    )
    code, _, err = jaxseq("train", "experiment.py", folder=folder)
    assert code == 0, err
    assert "going on from step" in err
    found = (folder / "runs" / name / "metrics.csv").read_text(encoding="utf-8")
    for row, wanted in zip(*map(rows, (found, expected["metrics.csv"])), strict=True):
        assert row == [pytest.approx(value, rel=CLOSE) if isinstance(value, float) else value for value in wanted]


def rows(text: str) -> list[list[float | str]]:
    """The rows of a metrics.csv, numbers as numbers."""

    def number(value: str) -> float | str:
        try:
            return float(value)
        except ValueError:
            return value

    return [[number(value) for value in row] for row in csv.reader(io.StringIO(text))]
