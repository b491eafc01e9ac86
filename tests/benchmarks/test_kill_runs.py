import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill_runs import differences, main
from jaxseq.training.checkpoint import CheckpointStore

_STAND_IN = str(Path(__file__).with_name("stand_in_trainer.py"))


@pytest.fixture(autouse=True)
def _import_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def test_a_trainer_that_resumes_exactly_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kills=1", "--steps=40"], trainer=(sys.executable, _STAND_IN)) == 0
    *runs, summary = capsys.readouterr().out.splitlines()[1:]
    assert all(line.endswith(": identical") for line in runs)
    assert summary.endswith("0 runs ended differently from the reference")


def test_a_trainer_that_forgets_its_carry_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    # Seed 5: the first run is killed three times, each in a save, so at least twice with a checkpoint to go on from.
    assert main(["--kills=3", "--steps=60", "--seed=5"], trainer=(sys.executable, _STAND_IN, "--forgetful")) == 1
    assert (
        "DIFFERENT: metrics.csv, newest: step, meta or texts, newest: carry, newest: params" in capsys.readouterr().out
    )


def test_a_trainer_that_fails_ends_it_with_the_reason() -> None:
    with pytest.raises(RuntimeError, match="exit code 2"):
        main([], trainer=(sys.executable, "-c", "import sys; sys.exit(2)"))


def _finished(directory: Path, *, carry: float = -0.0, loss: float = 1.5, step: int = 9) -> Path:
    directory.mkdir()
    (directory / "metrics.csv").write_text(f"{loss}\n")
    store = CheckpointStore(directory / "checkpoints")
    store.save(4, {"params": np.ones(3)}, {}, best=True)
    store.save(step, {"params": np.ones(3), "carry": np.float32(carry)}, {"loss": loss})
    return directory


def test_differences_of_a_single_bit_are_named(tmp_path: Path) -> None:
    reference = _finished(tmp_path / "reference")
    assert differences(reference, _finished(tmp_path / "same")) == []
    assert differences(reference, _finished(tmp_path / "sign", carry=0.0)) == ["newest: carry"]
    assert differences(reference, _finished(tmp_path / "loss", loss=1.6)) == [
        "metrics.csv",
        "newest: step, meta or texts",
    ]
    assert differences(reference, _finished(tmp_path / "step", step=8)) == ["newest: step, meta or texts"]
    (tmp_path / "same" / "checkpoints" / ".building").mkdir()
    assert differences(reference, tmp_path / "same") == ["left over: .building"]
