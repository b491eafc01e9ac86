"""The yardstick for loaders, on a small experiment."""

import sys
from pathlib import Path

import pytest

from benchmarks import loader_share

CONFIG = """
from jaxseq.config import CorpusConfig, ExperimentConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    data=CorpusConfig(source={source!r}, length=8, batch_size=4, layout="windows"),
    model=RNNConfig(features=8),
    train=TrainConfig(steps_per_dispatch=2),
)
"""


def small_config(folder: Path, source: Path) -> str:
    path = folder / "small.py"
    path.write_text(CONFIG.format(source=str(source)), encoding="utf-8")
    return str(path)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(loader_share.runtime, "configure", lambda: None)  # the process is the tests' own

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["loader_share.py", *arguments])
        return loader_share.main()

    return call


def test_it_tells_the_times_and_their_ratio(run, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("what is told three times is true. " * 20, encoding="utf-8")
    assert run(small_config(tmp_path, tmp_path / "text.txt"), "--dispatches", "3") == 0
    name, loader, _, step, _, share = capsys.readouterr().out.splitlines()[1].split()
    assert name == "small"
    assert float(loader) > 0
    assert float(step) > 0
    assert float(share.rstrip("%")) / 100 == pytest.approx(float(loader) / 1000 / float(step), rel=0.3)


def test_a_missing_text_is_one_line(run, tmp_path, capsys):
    assert run(small_config(tmp_path, tmp_path / "none.txt")) == 2
    assert capsys.readouterr().err.startswith("error: there is no file or folder ")
