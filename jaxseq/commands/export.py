"""`jaxseq export`: what a run has learned, as a file that other programs read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import new_file, parse
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class ExportArguments:
    """Write what a model has learned to a file, in the format that its name says: the vectors of its words, or whatever
    its tokens are, as .npz or .safetensors ("words" and "vectors"), .txt or .vec (as word2vec writes text), .glove (as
    GloVe does) or .bin (word2vec's binary format, or fastText's where n-grams have vectors); n-grams as .arpa."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/bag_lm."""
    output: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """File to write, which must not be there."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, writes, says what; returns the exit code."""
    arguments = parse(ExportArguments, argv, program=program)
    run, output = run_path(arguments.run), new_file(arguments.output)
    runtime.configure(devices=1)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.export import export_run  # after that: it imports JAX

        try:
            what = export_run(run, output, checkpoint=arguments.checkpoint, poll=stop.poll)
        except Stopped as stopped:
            return stopped.exit_code
    console.show(f"{what} in {arguments.output}")
    return 0
