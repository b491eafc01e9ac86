"""Vectors of texts on disk, for who has them only after long work: an .npz of an array for each part of the data, and
of a fingerprint of all that they follow from."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.kept_file import keeping
from jaxseq.opening import open_regular
from jaxseq.reading import DAMAGE

_MARK, _ARCHIVE = "jaxseq", b"PK\x03\x04"
_PLACE_OF_NAME = 30
"""Where the name of its first member begins in an archive."""


def write_vector_file(path: Path, vectors: Mapping[str, NDArray[np.float32]], *, fingerprint: str) -> None:
    """Writes arrays [n, d] by name; the file appears when it is complete, and replaces one of its name.

    Raises:
        InputError: the disk is full or the folder cannot be written to.
    """
    with keeping(path, "file of vectors") as file:
        np.savez(file, allow_pickle=False, **{_MARK: np.array(fingerprint), **vectors})


def read_vector_file(path: Path, *, fingerprint: str) -> dict[str, NDArray[np.float32]] | None:
    """The arrays by name; None where there are none, the file is damaged, or they follow from something else."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (*DAMAGE, OSError, ValueError, KeyError):
        return None
    mark = found.pop(_MARK, None)
    return found if mark is not None and mark.shape == () and str(mark) == fingerprint else None


def is_vector_file(path: Path) -> bool:
    """Whether `path` is such a file, a damaged or unfinished one included."""
    try:
        with open_regular(path) as file:
            begin = file.read(_PLACE_OF_NAME + len(_MARK) + 4)
    except OSError:
        return False
    return begin.startswith(_ARCHIVE) and begin[_PLACE_OF_NAME:] == f"{_MARK}.npy".encode()
