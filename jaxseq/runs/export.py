"""What a run has learned, written to a file that other programs read."""

from pathlib import Path
from typing import Literal

from jaxseq import console
from jaxseq.errors import InputError
from jaxseq.runs.load import load_run
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import replacing, writing
from jaxseq.tasks.capabilities import Exports, capable


def export_run(run_dir: Path, path: Path, *, checkpoint: Literal["best", "newest"] = "best", poll: Poll = never) -> str:
    """Writes the file, which appears when it is whole; what it holds, in words.

    Args:
        poll: called between two pieces of it.

    Raises:
        InputError: the run cannot be read, has nothing to write to a file of such a name, or it cannot be written.
    """
    run = load_run(run_dir, checkpoint=checkpoint)
    for line in run.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    exports = capable(run.task, Exports, run=run_dir).exports(run.variables)
    chosen = exports.get(path.suffix.lower())
    if chosen is None:
        raise InputError(
            f"{path.name} ends in {path.suffix!r}: what {run_dir} has learned is written to {', '.join(exports)}"
        )
    pieces = chosen.content()
    first = next(pieces, b"")  # what cannot be written is refused before the file is there
    with replacing(path) as file, writing(path):
        file.write(first)
        for piece in pieces:
            poll()
            file.write(piece)
    return chosen.what
