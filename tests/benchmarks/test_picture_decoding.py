"""The yardstick for the decoding of pictures, on a few small ones."""

import sys

import numpy as np
import pytest

from benchmarks import picture_decoding

image_module = pytest.importorskip("PIL.Image")

CONFIG = """
from jaxseq.config import CaptionerConfig, CaptioningConfig, CaptionsConfig, ExperimentConfig, TrainConfig

config = ExperimentConfig(
    task=CaptioningConfig(),
    data=CaptionsConfig(source={source!r}, split=(0.8, 0.1, 0.1), batch_size=4, lengths=1),
    model=CaptionerConfig(filters=(4,), poolings=1, features=8, embedding=5),
    train=TrainConfig(devices=1, metric="chrf"),
)
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(picture_decoding.runtime, "configure", lambda: None)  # the process is the tests' own
    rng, rows = np.random.default_rng(0), ["image\tcaption"]
    (tmp_path / "pictures").mkdir()
    for i in range(40):
        picture = rng.integers(0, 256, (12, 10, 3), np.uint8)
        image_module.fromarray(picture).save(tmp_path / "pictures" / f"{i}.png")
        rows.append(f"{i}.png\tpicture number {i % 5}")
    (tmp_path / "pictures" / "captions.tsv").write_text("\n".join(rows), encoding="utf-8")
    path = tmp_path / "small.py"
    path.write_text(CONFIG.format(source=str(tmp_path / "pictures")), encoding="utf-8")

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["picture_decoding.py", *arguments, "--dispatches", "2"])
        return picture_decoding.main()

    return lambda *arguments: call(str(path), *arguments)


def test_it_tells_what_decoding_a_batch_takes_beside_a_step(run, capsys):
    assert run() == 0
    name, decoding, _, batch, _, step, _, share, loader, _, last = capsys.readouterr().out.splitlines()[1].split()
    assert name == "small"
    assert float(batch) == pytest.approx(4 * float(decoding) / 1000, abs=0.02)
    assert float(share.rstrip("%")) / 100 == pytest.approx(float(batch) / float(step), rel=0.3, abs=0.02)
    assert float(loader) > 0
    assert last.endswith("%")


def test_a_configuration_without_files_is_one_line(run, monkeypatch, capsys, tmp_path):
    path = tmp_path / "other.py"
    path.write_text("from jaxseq.config import ExperimentConfig\n\nconfig = ExperimentConfig()\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["picture_decoding.py", str(path)])
    assert picture_decoding.main() == 2
    assert "has no files of pictures" in capsys.readouterr().err
