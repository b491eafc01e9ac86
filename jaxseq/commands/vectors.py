"""`jaxseq vectors`: the table of embeddings of a run, as a file of word vectors."""

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
class VectorsArguments:
    """Write the vectors that a model has learned for its words, or whatever its tokens are."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/bag_lm."""
    output: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """File to write, which must not be there: .npz with "words" and "vectors", or .txt as word2vec writes it."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, writes, says what; returns the exit code."""
    arguments = parse(VectorsArguments, argv, program=program)
    run, output = run_path(arguments.run), new_file(arguments.output)
    runtime.configure(devices=1)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.vectors import write_vectors  # after that: it imports JAX

        try:
            count, width = write_vectors(run, output, checkpoint=arguments.checkpoint, poll=stop.poll)
        except Stopped as stopped:
            return stopped.exit_code
    console.show(f"{count:,} vectors of {width:,} numbers are in {arguments.output}")
    return 0
