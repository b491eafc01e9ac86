"""What docs/adding-a-task.md says is so."""

from pathlib import Path

import pytest
from pages import blocks, read_page

from jaxseq.commands import train
from jaxseq.errors import InputError
from jaxseq.runs.evaluation import evaluate_run
from jaxseq.runs.load import load_run
from jaxseq.tasks.capabilities import Generates, capable

PAGE = read_page("adding-a-task.md")


@pytest.fixture
def waves(tmp_path, monkeypatch) -> Path:
    (code,) = blocks(PAGE)
    (tmp_path / "waves.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxseq.runtime.configure", lambda **_: None)
    return tmp_path / "waves.py"


def test_its_task_is_trained_measured_and_gone_on_with_from_one_file(waves, capsys):
    words = [str(waves), "--train.devices", "1", "--data.noise", "0.05"]
    assert train.main([*words, "--train.epochs", "1"], program="train.py") == 0
    assert "waves of 32 values" in capsys.readouterr().out
    assert train.main([*words, "--train.epochs", "3"], program="train.py") == 0
    (measured,) = evaluate_run(Path("runs/waves"), split="test").values()
    assert measured.metrics["loss"] < 0.1
    assert measured.metrics["values"] == 10 * 16 * 32
    run = load_run("runs/waves")
    assert run.step == 300
    with pytest.raises(InputError, match="generates no text"):
        capable(run.task, Generates, run="runs/waves")


def test_an_option_of_its_own_is_held_to_its_bounds(waves, capsys):
    with pytest.raises(SystemExit):
        train.main([str(waves), "--data.noise", "11"], program="train.py")
    assert "data.noise is 11" in capsys.readouterr().err
