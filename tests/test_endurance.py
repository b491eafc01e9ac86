"""The long checks in tests/endurance judge rightly: that they find what is wrong, and nothing where nothing is."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import judging
import numpy as np
import pytest
from fuzz_values import mutated_tree
from processes import Outcome

from jaxseq.storage.checkpoint import CheckpointStore

ROOT = Path(__file__).parents[1]


def _kills(trainer: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What kills.py says of a stand-in for jaxseq, in a process that may fork."""
    program = f"import sys, kills, stand_in_trainer as s; sys.exit(kills.main(sys.argv[1:], trainer=s.{trainer}))"
    return subprocess.run(
        [sys.executable, "-c", program, "--only=lstm, bfloat16", *options],
        cwd=ROOT / "tests" / "endurance",
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


def test_a_trainer_that_resumes_exactly_passes() -> None:
    done = _kills("resuming", "--kills=2", "--jobs=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("0 runs ended otherwise than the reference or with a fault")


def test_a_trainer_that_forgets_its_carry_is_found_out() -> None:
    done = _kills("forgetful", "--kills=8", "--jobs=1")
    assert done.returncode == 1
    assert "different: newest: carry" in done.stdout, done.stdout + done.stderr


def test_a_trainer_that_fails_ends_it_with_the_reason() -> None:
    done = _kills("failing")
    assert done.returncode == 1
    assert "lstm, bfloat16: the reference: exit code 2" in done.stdout


def _finished(directory: Path, *, carry: float = -0.0, loss: float = 1.5, step: int = 9) -> Path:
    directory.mkdir()
    (directory / "metrics.csv").write_text(f"{loss}\n")
    store = CheckpointStore(directory / "checkpoints")
    store.save(4, {"params": np.ones(3)}, {}, best=True)
    store.save(step, {"params": np.ones(3), "carry": np.float32(carry)}, {"loss": loss}, files={"config.json": "{}"})
    return directory


def test_differences_of_a_single_bit_are_named(tmp_path: Path) -> None:
    reference = _finished(tmp_path / "reference")
    assert judging.differences(reference, _finished(tmp_path / "same")) == []
    assert judging.differences(reference, _finished(tmp_path / "sign", carry=0.0)) == ["different: newest: carry"]
    assert judging.differences(reference, _finished(tmp_path / "loss", loss=1.6)) == [
        "different: metrics.csv",
        "different: newest: meta of the manifest",
    ]
    assert judging.differences(reference, _finished(tmp_path / "step", step=8)) == [
        "different: newest: step of the manifest"
    ]
    (tmp_path / "same" / "checkpoints" / ".building").mkdir()
    assert judging.differences(reference, tmp_path / "same") == ["left over: checkpoints/.building"]


def test_a_manifest_sealed_again_after_an_edit_opens(tmp_path: Path) -> None:
    run = _finished(tmp_path / "run")
    folder = run / "checkpoints" / "00000009"
    raw = (folder / "meta.json").read_bytes()
    judging.reseal(folder)
    assert (folder / "meta.json").read_bytes() == raw
    (folder / "config.json").write_text('{"other": 1}')
    judging.reseal(folder, lambda content: content["meta"].update(loss=2.5))
    opened = CheckpointStore(run / "checkpoints").open()
    assert opened is not None
    assert (opened[0].meta, opened[0].files, opened[1]) == ({"loss": 2.5}, {"config.json": b'{"other": 1}'}, [])
    with pytest.raises(RuntimeError, match="sealed in another way"):
        judging.resealed(raw.replace(b"1.5", b"1.6"), json.loads(raw))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(0, 1, b"", b""), None),
        (Outcome(0, 1, b"", b"a note\n"), None),
        (Outcome(2, 1, b"", b"a note\nerror: what, where, what to do\n"), None),
        (Outcome(0, 1, b"", b"", ended="asked"), None),
        (Outcome(143, 1, b"", b"", ended="asked"), None),
        (Outcome(143, 1, b"", b""), "exit code 143"),
        (Outcome(1, 1, b"", b""), "exit code 1"),
        (Outcome(-9, 1, b"", b""), "signal"),
        (Outcome(2, 1, b"", b"error: two\nlines\n"), "not one line"),
        (Outcome(2, 1, b"", b"error: two\nerror: errors\n"), "not one line"),
        (Outcome(2, 1, b"", b""), "not one line"),
        (Outcome(0, 1, b"", b"Exception ignored in: x\n"), "traceback"),
        (Outcome(1, 1, b"", b"Traceback (most recent call last):\n  File\nValueError: x\n"), "traceback"),
        (Outcome(0, 1, b"", b"\x1b[31mred\n"), "control character"),
        (Outcome(-9, 20, b"", b"", ended="hang"), "hang"),
    ],
)
def test_a_command_is_judged_by_how_it_ends(outcome: Outcome, kind: str | None) -> None:
    assert [fault.split(":")[0] for fault in judging.faults(outcome)] == ([kind] if kind else [])


def test_anything_made_changed_or_deleted_outside_is_seen(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("same", "touched", "gone"):
        (tmp_path / name).write_text("content")
    before = judging.snapshot(tmp_path, without={tmp_path / "run"})
    (tmp_path / "run" / "new").write_text("allowed")
    assert judging.changed(before, judging.snapshot(tmp_path, without={tmp_path / "run"})) == []
    os.utime(tmp_path / "touched", (1, 1))
    (tmp_path / "gone").unlink()
    (tmp_path / "new").symlink_to("same")
    found = judging.changed(before, judging.snapshot(tmp_path, without={tmp_path / "run"}))
    assert [line.split()[1] for line in found] == ["deleted", "made", "changed"]


def test_a_tree_changed_again_and_again_can_still_be_written() -> None:
    chance = random.Random(0)
    for _ in range(300):
        tree: Any = {"a": [{"b": 1}], "c": "d"}
        for _ in range(6):
            tree = mutated_tree(tree, chance)
            json.dumps(tree)
