"""`jaxseq train`: from a configuration to a trained model, its curve and its sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxseq import runtime
from jaxseq.commands.experiments import parse_experiment
from jaxseq.config import ExperimentConfig
from jaxseq.config.fields import Bounds
from jaxseq.paths import run_path
from jaxseq.signals import StopRequest

_QUICKSTART = "Trains a character model on Python's own manual; no download. Give a file of configs/ for another one."


@dataclass(frozen=True)
class TrainArguments(ExperimentConfig):
    """An experiment, and where and how it runs."""

    run_dir: Path | None = None
    """Run directory; by default runs/NAME."""
    fresh: bool = False
    """Start anew, instead of going on where the run stopped; what the run directory holds of it is deleted."""
    seeds: Annotated[int, Bounds(1, 1000)] = 1
    """Train with so many seeds, from train.seed on, each in a directory of its own under the run directory, and end
    with mean and spread of what they reach."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, trains, reports; returns the exit code."""
    config, arguments = parse_experiment(
        TrainArguments, argv, program=program, usage="[configs/NAME.py]", description=_QUICKSTART
    )
    run_dir = run_path(arguments.run_dir or Path("runs") / config.name)
    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    # After that: they import JAX.
    if arguments.seeds > 1:
        from jaxseq.runs.seeds import train_seeds

        return train_seeds(config, run_dir, seeds=arguments.seeds, fresh=arguments.fresh, program=program, stop=stop)
    from jaxseq.runs.train import train_run

    return train_run(config, run_dir, fresh=arguments.fresh, program=program, stop=stop).exit_code
