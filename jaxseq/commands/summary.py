"""`jaxseq summary`: the layers of a model, their outputs, parameters and multiply-adds, without training it."""

import os
from collections.abc import Sequence

from jaxseq import console, runtime
from jaxseq.commands.experiments import parse_experiment
from jaxseq.config import ExperimentConfig, load_config, read_config
from jaxseq.paths import expanded
from jaxseq.signals import PATIENCE, StopRequest, own_unless

_CONFIG = "config.json"
_QUICKSTART = "Prints the layers of the quickstart. Give a file of configs/ for another one, or the directory of a run."


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, reads the data, prints; returns the exit code."""
    config, _ = parse_experiment(
        ExperimentConfig, argv, program=program, usage="[configs/NAME.py | RUN]", description=_QUICKSTART, read=_read
    )
    run_dir = expanded(argv[0]) if argv and os.path.isdir(expanded(argv[0])) else None
    with own_unless(stop) as stop:
        runtime.configure(devices=1)
        from jaxseq.runs.summary import summarize  # after that: it imports JAX

        stop.patience = PATIENCE
        console.show(summarize(config, run_dir, stop=stop))
    return 0


def _read(name: str) -> tuple[ExperimentConfig, str]:
    """The configuration of a run or in a file, and what is told of it."""
    path = expanded(name)
    if os.path.isdir(path):
        return read_config(path / _CONFIG), f"The run in {name}."
    if path.suffix == ".json":
        return read_config(path), f"The experiment in {name}."
    return load_config(name)
