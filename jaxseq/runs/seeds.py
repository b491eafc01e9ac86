"""The same experiment with several seeds, and what its figures are worth."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from jaxseq import console
from jaxseq.config import ExperimentConfig
from jaxseq.runs.compare import spread
from jaxseq.runs.evaluation import Measured, evaluate_run
from jaxseq.runs.train import train_run
from jaxseq.signals import StopRequest, own_unless


def train_seeds(
    config: ExperimentConfig,
    run_dir: Path,
    *,
    seeds: int,
    fresh: bool = False,
    program: str = "jaxseq train",
    stop: StopRequest | None = None,
) -> int:
    """Trains `config` with the seeds from its own on, each in run_dir/seed_N, and shows mean and spread of what they
    reach on the test split, or else on that of validation; the exit code.

    What is there is gone on with, so the same command after an interruption does the rest.

    Raises:
        InputError: as `train_run`.
    """
    directories: list[Path] = []
    with own_unless(stop) as stop:
        for seed in range(config.train.seed, config.train.seed + seeds):
            one = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
            directories.append(run_dir / f"seed_{seed}")
            console.show(f"--- seed {seed}, {len(directories)} of {seeds} ---")
            result = train_run(one, directories[-1], fresh=fresh, program=program, stop=stop)
            if result.stopped == "signal":
                return result.exit_code
        found = [evaluate_run(each, split=("test", "validation", "train"), stop=stop) for each in directories]
        console.show(f"\n{seeds} seeds, the last split there is of train, validation and test:\n{_table(found)}")
    return 0


def _table(found: Sequence[dict[str, Measured]]) -> str:
    """A line for each metric of each evaluation: mean, sample standard deviation, least and most."""
    lines = [f"{'':40}{'mean':>10}{'deviation':>11}{'least':>10}{'most':>10}"]
    for name, (evaluation, _) in found[0].items():
        for metric in evaluation.shown:
            values = spread([each[name].metrics[metric.name] for each in found])
            shown = [f"{value:{metric.form}}" for value in (values.mean, values.deviation, values.least, values.most)]
            title = f"{evaluation.title or name}, {metric.label}"
            lines.append(f"{title:40}{shown[0]:>10}{shown[1]:>11}{shown[2]:>10}{shown[3]:>10}")
    return "\n".join(lines)
