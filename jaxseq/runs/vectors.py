"""The vectors of words that a run has learned, or that a file holds."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from jaxseq import console
from jaxseq.errors import InputError, NonFiniteError
from jaxseq.interop.word_vectors import WordVectors, read_word_vectors
from jaxseq.runs.load import load_run
from jaxseq.tasks.capabilities import Exports, capable


def read_vectors(path: Path, *, checkpoint: Literal["best", "newest"] = "best") -> WordVectors:
    """Those of a run directory, or of a file as `read_word_vectors` takes it. A run's words are what its vocabulary
    names, special symbols too.

    Raises:
        InputError: there are none, or they cannot be read.
    """
    vectors = _of_run(path, checkpoint) if path.is_dir() else _of_file(path)
    if not len(vectors.words):
        raise InputError(f"{vectors.source} holds no words: give a file that has some")
    return vectors


def _of_file(path: Path) -> WordVectors:
    line = console.ProgressLine()
    try:
        vectors = read_word_vectors(path, progress=line.show)
    finally:
        line.end()
    if vectors.remark:
        console.tell(vectors.remark)
    return vectors


def _of_run(path: Path, checkpoint: Literal["best", "newest"]) -> WordVectors:
    run = load_run(path, checkpoint=checkpoint)
    for line in run.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    exports = capable(run.task, Exports, run=path).exports(run.variables)
    found = next((export.vectors for export in exports.values() if export.vectors is not None), None)
    if found is None:
        raise InputError(f"the model in {path} has learned no vectors, but {', '.join(exports)}: give another run")
    table = np.asarray(found.vectors, np.float32)
    if not np.isfinite(table).all():
        at = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        raise NonFiniteError(f"the vector of {found.words[at]!r} in {path} is not finite: train anew with other values")
    return dataclasses.replace(found, vectors=table, source=str(path))
