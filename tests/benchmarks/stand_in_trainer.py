"""A trainer of a few lines to try out benchmarks/kill_runs.py with; with --forgetful one that resumes wrongly."""

import csv
import sys
import time
from pathlib import Path

import numpy as np

from jaxseq.training.checkpoint import CheckpointStore


def main(run_dir: Path, steps: int, forgetful: bool) -> None:
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


if __name__ == "__main__":
    given = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    main(Path(given["run-dir"]), int(given["train.steps"]), "--forgetful" in sys.argv)
