"""The commands as a person types them, run in this process, and what a run leaves behind."""

import contextlib
import io
import random
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq.commands.main import main
from jaxseq.storage.checkpoint import CheckpointStore

TINY = [
    "--data.source",
    "text.txt",
    "--data.length",
    "16",
    "--data.batch-size",
    "4",
    "--model.features",
    "16",
    "--train.steps",
    "20",
    "--train.log-every",
    "5",
    "--train.checkpoint-every",
    "8",
    "--task.sample-length",
    "20",
    "--optimizer.warmup-steps",
    "0",
    "--train.devices",
    "2",
]


class Outcome(NamedTuple):
    code: Any
    out: str
    err: str


def jaxseq(*words: str, folder: Path) -> Outcome:
    """What `jaxseq WORDS` typed in `folder` comes to."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
    return Outcome(code, out.getvalue(), err.getvalue())


def refused(*words: str, folder: Path) -> str:
    """The error of a command line that is refused as it must be: one line, exit code 2, nothing written."""
    before = snapshot(folder)
    code, out, err = jaxseq(*words, folder=folder)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert out == ""
    assert snapshot(folder) == before
    return err


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything under `folder`, by path; None for directories. Whose process held a run is no one's concern."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name != "lock"
    }


def prose(length: int = 4000, *, seed: int = 0) -> str:
    """Words and lines, always the same for a seed."""
    draw = random.Random(seed)
    words = [
        "the",
        "with",
        "statement",
        "is",
        "used",
        "to",
        "wrap",
        "the",
        "execution",
        "of",
        "a",
        "block",
        "with",
        "methods",
    ]
    return "".join(draw.choice(words) + draw.choice("  \n") for _ in range(length))[:length]


def arrays_of(run_dir: Path) -> tuple[int, dict[str, Any]]:
    """Step, parameters, optimizer state and carry of the newest checkpoint."""
    store = CheckpointStore(run_dir / "checkpoints")
    opened = store.open()
    assert opened is not None
    names = {full.split("/")[0] for full in opened[0].specs if "/" in full}
    assert {"params", "opt_state"} <= names
    return opened[0].step, {name: opened[0].restore_subtree(name) for name in names}


def assert_same_arrays(one: Path, other: Path) -> None:
    """The newest checkpoints of two runs are of one step and bit for bit the same."""
    (step, arrays), (other_step, other_arrays) = arrays_of(one), arrays_of(other)
    assert step == other_step
    jax.tree.map(np.testing.assert_array_equal, arrays, other_arrays)


def assert_same_run(one: Path, other: Path) -> None:
    """Every number that training leaves behind is the same, bit for bit."""
    assert_same_arrays(one, other)
    for name in ("metrics.csv", "samples.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
