"""`jaxseq train`: from a configuration to a trained model, its curve and its sample."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxseq import processes, runtime
from jaxseq.commands.experiments import parse_experiment
from jaxseq.config import ExperimentConfig
from jaxseq.config.fields import Bounds
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.processes import Group
from jaxseq.signals import StopRequest, own_unless

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
    train = config.train
    group = Group(train.processes, train.process, train.coordinator, train.process_timeout)
    if group.count == 1:
        return _train(config, run_dir, arguments, program, stop)
    if arguments.seeds > 1:
        raise InputError(f"--seeds is {arguments.seeds}: several processes train with one seed; start them for each")

    def one_of_several(argv: Sequence[str], stop: StopRequest) -> int:
        runtime.configure(devices=train.devices, allocator=train.allocator, group=group)
        with _quiet_unless_first():
            try:
                code = _train_once(config, run_dir, arguments, program, stop)
            except (RuntimeError, ValueError) as error:  # XLA's errors are
                if isinstance(error, InputError) or not processes.is_loss(error):
                    raise
                raise InputError(
                    f"another of the {group.count} processes has ended: see what it said; the same command on all of "
                    "them goes on from the newest checkpoint"
                ) from error
        processes.leave()
        return code

    from jaxseq.commands.watched import watched

    with own_unless(stop) as stop:
        return watched(one_of_several, argv, stop, group)


def _train(
    config: ExperimentConfig, run_dir: Path, arguments: TrainArguments, program: str, stop: StopRequest | None
) -> int:
    """Trains in this process alone."""
    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    if arguments.seeds > 1:  # these import JAX
        from jaxseq.runs.seeds import train_seeds

        return train_seeds(config, run_dir, seeds=arguments.seeds, fresh=arguments.fresh, program=program, stop=stop)
    return _train_once(config, run_dir, arguments, program, stop)


def _train_once(
    config: ExperimentConfig, run_dir: Path, arguments: TrainArguments, program: str, stop: StopRequest | None
) -> int:
    from jaxseq.runs.train import train_run

    return train_run(config, run_dir, fresh=arguments.fresh, program=program, stop=stop).exit_code


@contextlib.contextmanager
def _quiet_unless_first() -> Iterator[None]:
    """Of several processes, the first one shows what all do; the others print their errors alone."""
    if processes.writes():
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
