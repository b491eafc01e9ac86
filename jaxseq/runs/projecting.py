"""Word vectors for the eye: a picture in two dimensions, or a folder for TensorBoard's projector."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxseq.console import escaped_line
from jaxseq.interop.projector import projector_files
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.ops.distances import unit
from jaxseq.reporting.projections import Method, project
from jaxseq.reporting.vector_pictures import is_words_picture, words_picture
from jaxseq.runs.asking import nearest, unknown
from jaxseq.runs.drawing import require_place
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import write_atomic, writing


class Placed(NamedTuple):
    """Words that are to be shown."""

    rows: list[int]
    groups: list[int | None]
    """Of each, which of the words asked for it belongs to; None where to none."""


def placed(
    vectors: WordVectors, words: Sequence[str], *, neighbours: int = 0, most_frequent: int = 0, poll: Poll = never
) -> Placed:
    """`words`, behind them their nearest `neighbours`, and the first `most_frequent` of the vocabulary; each once,
    where it comes first.

    Raises:
        InputError: a word is unknown, or its vector is zero where neighbours are asked for.
    """
    at = vectors.rows
    groups: dict[int, int | None] = {}
    for number, word in enumerate(words):
        if word not in at:
            raise unknown(vectors, word)
        groups.setdefault(at[word], number)
    for number, word in enumerate(words if neighbours else ()):
        found, _ = nearest(vectors, [word], count=neighbours, poll=poll)
        for neighbour in found:
            groups.setdefault(at[neighbour.word], number)
    for row in range(min(most_frequent, len(vectors.words))):
        groups.setdefault(row, None)
    return Placed(list(groups), list(groups.values()))


def draw_words(vectors: WordVectors, shown: Placed, picture: Path, *, method: Method = "pca") -> None:
    """Draws the words by the directions of their vectors, so that those are near whose cosine is large, as a PNG at
    `picture`; what is there is overwritten if it is one too.

    Raises:
        InputError: it cannot be drawn or written, or something else has its name.
    """
    require_place(picture, is_words_picture, command="project", option="--picture")
    units = np.asarray(unit(jnp.asarray(vectors.vectors[shown.rows])))
    words = [vectors.words[row] for row in shown.rows]
    title = f"{len(words):,} of {len(vectors.words):,} words of {escaped_line(vectors.source)}"
    projection = project(units, method=method)
    write_atomic(picture, words_picture(projection, words, shown.groups, name=picture.name, title=title))


def write_projector(vectors: WordVectors, shown: Placed, folder: Path, *, poll: Poll = never) -> None:
    """Writes the folder that `tensorboard --logdir` shows, which appears when it is whole.

    Args:
        poll: called between two pieces of it.

    Raises:
        InputError: it cannot be written.
    """
    words = [vectors.words[row] for row in shown.rows]
    with _new_folder(folder) as unfinished:
        for name, pieces in projector_files(words, vectors.vectors[shown.rows]).items():
            with (unfinished / name).open("wb") as file:
                for piece in pieces:
                    poll()
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `path` where all goes well inside, and is removed where not."""
    unfinished = path.with_name(f".{path.name}.tmp")
    with writing(path):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            yield unfinished
            os.rename(unfinished, path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
