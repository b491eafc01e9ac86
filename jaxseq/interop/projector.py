"""The files that TensorBoard's embedding projector reads."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

VECTORS, METADATA, CONFIG = "vectors.tsv", "metadata.tsv", "projector_config.pbtxt"
"""Names of the files."""
_TOGETHER = 1024  # rows


def projector_files(words: Sequence[str], vectors: NDArray[np.float32]) -> dict[str, Iterator[bytes]]:
    """The content of the files of a folder that `tensorboard --logdir` shows, by their names: vectors [v, d], a line a
    word, their words, and what says where these stand. projector.tensorflow.org takes the first two.

    A word that its line cannot show, for it is empty, has white space around it or a character that does not print, is
    in Python's notation.
    """
    return {VECTORS: _vectors(vectors), METADATA: _metadata(words), CONFIG: iter([_config().encode()])}


def _vectors(vectors: NDArray[np.float32]) -> Iterator[bytes]:
    for at in range(0, len(vectors), _TOGETHER):
        rows = vectors[at : at + _TOGETHER].tolist()
        yield "".join("\t".join(f"{x:.9g}" for x in row) + "\n" for row in rows).encode()  # float32 comes back


def _metadata(words: Sequence[str]) -> Iterator[bytes]:
    for at in range(0, len(words), _TOGETHER):
        yield "".join(f"{_label(word)}\n" for word in words[at : at + _TOGETHER]).encode()


def _label(word: str) -> str:
    return word if word and word == word.strip() and word.isprintable() else repr(word)


def _config() -> str:
    return f'embeddings {{\n  tensor_name: "vectors"\n  tensor_path: "{VECTORS}"\n  metadata_path: "{METADATA}"\n}}\n'
