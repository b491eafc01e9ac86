"""The vectors that a trained model gives texts, in a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from jaxseq.errors import InputError
from jaxseq.interop.text_vectors import write_text_vectors
from jaxseq.runs.prediction import run_that
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import replacing, writing
from jaxseq.tasks.capabilities import Embeds


def embed_run(
    run_dir: Path,
    texts: Iterable[str],
    path: Path,
    *,
    unit: bool = False,
    checkpoint: Literal["best", "newest"] = "best",
    poll: Poll = never,
) -> str:
    """Writes an .npz of the texts and the vector of each, which appears when it is whole; what it holds, in words.

    Args:
        unit: bring the vectors to length 1; one that is zero stays so.

    Raises:
        InputError: the run cannot be read, its task gives no vectors, there is no text, or the file cannot be written.
    """
    task, variables = run_that(Embeds, run_dir, checkpoint=checkpoint)
    read: list[str] = []
    made = list(task.embed(variables, _kept(texts, read), poll=poll))
    if not made:
        raise InputError("there is no text to give a vector: give a file that has lines, or --text")
    vectors = np.stack(made)
    if unit:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    with replacing(path) as file, writing(path):
        write_text_vectors(file, read, vectors)
    return f"{len(read):,} vectors of {vectors.shape[1]:,} numbers are"


def _kept(texts: Iterable[str], read: list[str]) -> Iterable[str]:
    for text in texts:
        read.append(text)
        yield text
