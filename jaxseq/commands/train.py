"""`jaxseq train`: from a configuration to a trained model, its curve and its sample."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxseq import runtime
from jaxseq.commands.arguments import parse
from jaxseq.commands.kinds import choose_kinds, list_kinds
from jaxseq.config import ExperimentConfig, load_config
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
    argv, named = list(argv), ""
    config, description = ExperimentConfig(), _QUICKSTART
    if argv and not argv[0].startswith("-"):
        named = argv.pop(0)
        config, description = load_config(named)
    config, argv = choose_kinds(config, argv)
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    arguments = parse(
        TrainArguments,
        argv,
        program=f"{program} {named}".rstrip(),
        usage="" if named else "[configs/NAME.py]",
        description=f"{description.rstrip()}\n\n{list_kinds()}",
        default=TrainArguments(**fields),
    )
    config = ExperimentConfig(**{name: getattr(arguments, name) for name in fields})
    run_dir = run_path(arguments.run_dir or Path("runs") / config.name)
    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    # After that: they import JAX.
    if arguments.seeds > 1:
        from jaxseq.runs.seeds import train_seeds

        return train_seeds(config, run_dir, seeds=arguments.seeds, fresh=arguments.fresh, program=program, stop=stop)
    from jaxseq.runs.train import train_run

    return train_run(config, run_dir, fresh=arguments.fresh, program=program, stop=stop).exit_code
