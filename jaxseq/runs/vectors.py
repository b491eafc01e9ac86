"""The vectors that a run has learned for its tokens."""

from pathlib import Path
from typing import Literal

from jaxseq import console
from jaxseq.interop.vector_files import vector_file
from jaxseq.runs.load import load_run
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import replacing, writing
from jaxseq.tasks.capabilities import HasVectors, capable


def write_vectors(
    run_dir: Path, path: Path, *, checkpoint: Literal["best", "newest"] = "best", poll: Poll = never
) -> tuple[int, int]:
    """Writes them to `path`, .npz or .txt; how many there are, and how wide.

    Raises:
        InputError: the run cannot be read or has no embedding, or the file cannot be written.
    """
    run = load_run(run_dir, checkpoint=checkpoint)
    for line in run.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    words, vectors = capable(run.task, HasVectors, run=run_dir).learned_vectors(run.variables)
    content = list(vector_file(path, words, vectors))  # refuses before the file is there
    poll()
    with replacing(path) as file, writing(path):
        file.writelines(content)
    return vectors.shape
