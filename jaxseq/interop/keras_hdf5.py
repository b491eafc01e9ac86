"""What is read of an HDF5 file that may be a stranger's: groups, texts and arrays in the file itself, and none beyond.

HDF5 can lead out of a file (links to others, arrays whose numbers lie elsewhere) and around in circles, and can say to
hold far more than it does. Each of these ends in one line.
"""

import math
import mmap
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reading import shown

MAGIC = b"\x89HDF\r\n\x1a\n"
_BOMB_SIZE, _BOMB_RATIO = 2**28, 200
_MOST_GROUPS, _DEEPEST = 2**16, 32
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises on damage, by where it is."""
_HEAP = b"GCOL\x01\x00\x00\x00"
"""What a heap of texts begins with."""


@contextmanager
def open_hdf5(place: str, stream: IO[bytes], content: bytes | mmap.mmap) -> Iterator["Hdf5"]:
    """The file in a stream of this content.

    Raises:
        InputError: it is damaged, now or while it is read; or the library h5py is missing.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError("files of Keras's need the library h5py: pip install 'jaxseq[interop]'") from error
    if not _is_finite(content):
        raise InputError(f"{place} is damaged: its texts have no end: fetch it again")
    try:
        with h5py.File(stream, "r") as root:
            yield Hdf5(place, root, len(content))
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"{place} is damaged, or no HDF5 file ({shown(error)}): fetch it again") from error


def _is_finite(content: bytes | mmap.mmap) -> bool:
    """Whether every heap of texts can be walked through: HDF5 stays for ever at an object of no length.

    "HDF5 File Format Specification Version 3.0", III.E: the heap's length, and of each object an index, two more
    numbers, its length, its bytes, up to a multiple of 8. What is free has the index 0.
    """
    start = content.find(_HEAP)
    while start >= 0:
        head = content[start + 8 : start + 16]
        at, end = start + 16, start + int.from_bytes(head, "little")
        if end > len(content):
            return False
        while at + 16 <= end:
            index, _, length = struct.unpack("<HH4xQ", content[at : at + 16])
            step = length if index == 0 else 16 + (length + 7) // 8 * 8
            at += step
            if step < 16 or at > end:
                return False
        start = content.find(_HEAP, start + 1)
    return True


class Hdf5:
    """A file that is open. Groups are handles of h5py's, which are read through this class alone."""

    def __init__(self, place: str, root: Any, size: int) -> None:
        self.place, self.root = place, root
        self._bytes_left = max(_BOMB_SIZE, _BOMB_RATIO * size)
        self._groups_left = _MOST_GROUPS

    def names(self, group: Any) -> list[str]:
        """What lies in a group, "dense_2" before "dense_10"."""
        return sorted(group, key=lambda name: [part.zfill(20) for part in re.split(r"(\d+)", name)])

    def group(self, parent: Any, path: str) -> Any:
        """The group at a path below another.

        Raises:
            InputError: there is none, or the way leads out of the file, or there are too many.
        """
        found = self._child(parent, path)
        self._groups_left -= 1
        if not hasattr(found, "keys") or self._groups_left < 0 or found.name.count("/") > _DEEPEST:
            raise InputError(
                f"{self.place} is damaged: {shown(path)} is no group, or there are far too many: fetch it again"
            )
        return found

    def array(self, parent: Any, path: str) -> NDArray[Any]:
        """The array at a path below a group, in the order of bytes of this machine.

        Raises:
            InputError: there is none, it is not of numbers, or does not lie in the file.
        """
        data = self._child(parent, path)
        place = f"{self.place}: {shown(path)}"
        if not hasattr(data, "is_virtual") or data.shape is None:
            raise InputError(f"{place} is no array: fetch the file again")
        if data.is_virtual or data.external:
            raise InputError(f"{place} lies in another file: do not trust this one, and fetch it again")
        self._bytes_left -= math.prod(data.shape) * data.dtype.itemsize
        if self._bytes_left < 0:
            raise InputError(
                f"{place}, of shape {list(data.shape)}, unpacks to more than {_BOMB_RATIO} times the file: do not "
                "trust it, and fetch it again"
            )
        is_bfloat16 = data.dtype.kind == "V" and data.dtype.itemsize == 2 and self.text(data, "dtype") == "bfloat16"
        if data.dtype.kind not in "fiub" and not is_bfloat16:
            raise InputError(f"{place} is of type {data.dtype}, no numbers: save the weights as float32")
        values = np.asarray(data[()])
        if is_bfloat16:
            return values.view(ml_dtypes.bfloat16)
        return values.astype(values.dtype.newbyteorder("="), copy=False)

    def text(self, owner: Any, name: str) -> str:
        """An attribute as text; "" where there is none."""
        return _text(owner.attrs[name]) if name in owner.attrs else ""

    def texts(self, owner: Any, name: str) -> list[str] | None:
        """An attribute that is a list of texts, where it is long in name0, name1, ...; None if it is not there."""
        if name in owner.attrs:
            return [_text(value) for value in np.atleast_1d(owner.attrs[name])]
        found: list[str] = []
        number = 0
        while f"{name}{number}" in owner.attrs:
            found += [_text(value) for value in np.atleast_1d(owner.attrs[f"{name}{number}"])]
            number += 1
        return found if number else None

    def _child(self, parent: Any, path: str) -> Any:
        import h5py

        for part in path.split("/"):
            link = parent.get(part, getlink=True) if part and isinstance(parent, h5py.Group) else None
            if link is None:
                raise InputError(f"{self.place} is damaged: {shown(path)} is missing: fetch it again")
            if not isinstance(link, h5py.HardLink):
                raise InputError(
                    f"{self.place}: {shown(path)} is a link to elsewhere: do not trust this file, and fetch it again"
                )
            parent = parent[part]
        return parent


def _text(value: object) -> str:
    """Texts are str, or bytes in files of old; an empty list of them is one of numbers."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
