"""`jaxseq embed`: the vectors that a trained model gives texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxseq import console, runtime
from jaxseq.commands.answering import TextsArguments
from jaxseq.commands.arguments import new_file, parse
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class EmbedArguments(TextsArguments):
    """Write the vector of each text to a NumPy archive, "vectors" [n, d] and "texts" [n]: of an encoder the mean over
    the tokens, of a classifier what its head sees."""

    file: tyro.conf.Positional[str] = ""
    """File of texts, compressed or not: one on each line, an empty line too; or a .csv, .tsv or .jsonl with a column of
    texts. "-" is standard input."""
    texts: Annotated[tuple[str, ...], tyro.conf.arg(name="text")] = ()
    """Texts instead, each in quotes."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE.npz")] = Path("vectors.npz")
    """File to write, which must not be there."""
    unit: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Bring each vector to length 1, so that products of vectors are cosines."""

    def __post_init__(self) -> None:
        if bool(self.texts) == bool(self.file):
            what = "both a file and --text are" if self.texts else "neither a file nor --text is"
            raise InputError(f"{what} given: give a file of texts (- is standard input), or --text and texts")
        if self.output.suffix != ".npz":
            raise InputError(f"--output is {self.output}: vectors are written to an .npz, give such a name")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, embeds, writes, says what; returns the exit code."""
    arguments = parse(EmbedArguments, argv, program=program)
    run, output = run_path(arguments.run), new_file(arguments.output)
    runtime.configure()
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.embedding import embed_run  # after that: it imports JAX

        try:
            what = embed_run(
                run,
                arguments.given(),
                output,
                unit=arguments.unit,
                checkpoint=arguments.checkpoint,
                poll=stop.poll,
            )
        except Stopped as stopped:
            return stopped.exit_code
    console.show(f"{what} in {arguments.output}")
    return 0
