"""A trainer of a few lines to try the long checks out with, and one that resumes wrongly."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from orbax import checkpoint  # noqa: F401  # imported before the processes are forked

from jaxseq.storage.checkpoint import CheckpointStore


def resuming(argv: Sequence[str]) -> int:
    """Goes on exactly where it was killed."""
    return _train(argv, forgetful=False)


def forgetful(argv: Sequence[str]) -> int:
    """Goes on without its carry."""
    return _train(argv, forgetful=True)


def failing(argv: Sequence[str]) -> int:
    """Does nothing."""
    return 2


def _train(argv: Sequence[str], *, forgetful: bool) -> int:
    given = dict(word.lstrip("-").split("=", 1) for word in argv if "=" in word)
    run_dir, steps = Path(given["run-dir"]), int(given["train.steps"])
    store = CheckpointStore(run_dir / "checkpoints", keep=2)
    state = {"params": np.zeros(50, np.float32), "carry": np.zeros(3, np.float32)}
    restored = store.restore(state)
    step = 0
    if restored is not None:
        step, state = restored.step, dict(restored.arrays)
    if forgetful:
        state["carry"] = np.zeros(3, np.float32)
    while step < steps:
        step += 1
        noise = np.random.default_rng(step).standard_normal(3, np.float32)
        state["carry"] = np.float32(0.9) * state["carry"] + noise
        state["params"] = state["params"] + state["carry"].sum()
        time.sleep(0.002)
        if step % 10 == 0 or step == steps:
            store.save(step, state, {"loss": float(state["carry"][0])}, best=step == 20)
    with open(run_dir / "metrics.csv", "w", newline="") as file:
        csv.writer(file).writerow(state["params"].tolist())
    return 0
