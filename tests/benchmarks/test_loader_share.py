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


CLASSIFIER = """
from jaxseq.config import BagConfig, ClassificationConfig, ExperimentConfig, LabelledConfig

config = ExperimentConfig(
    task=ClassificationConfig(pooling=("mean",)),
    data=LabelledConfig(source={source!r}, length=40, lengths=4, batch_size=4),
    model=BagConfig(features=8),
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


def test_batches_of_several_lengths_go_one_to_a_call(run, tmp_path, capsys):
    rows = [f"{'word ' * length}\t{length % 2}" for length in range(1, 41)]
    (tmp_path / "texts.tsv").write_text("\n".join(["text\tlabel", *rows]), encoding="utf-8")
    path = tmp_path / "classifier.py"
    path.write_text(CLASSIFIER.format(source=str(tmp_path / "texts.tsv")), encoding="utf-8")
    assert run(str(path), "--dispatches", "6") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "classifier"


def test_a_missing_text_is_one_line(run, tmp_path, capsys):
    assert run(small_config(tmp_path, tmp_path / "none.txt")) == 2
    assert capsys.readouterr().err.startswith("error: there is no file or folder ")
