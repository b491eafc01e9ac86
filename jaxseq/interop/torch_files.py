"""The state_dict in a file of PyTorch's, without PyTorch, and without running anything that the file names.

Such a file is an archive (https://docs.pytorch.org/docs/stable/notes/serialization.html), a .zip in which nothing is
compressed: NAME/data.pkl, a pickle of the dict in which each tensor is a view of a storage; NAME/data/KEY, the numbers
of each storage; NAME/byteorder, "little" or "big".
"""

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.torch_pickle import LARGEST_PICKLE, Tensor, read_pickle
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown

_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""What files of PyTorch's former format begin with: a pickle of a number."""
_NAMES = ("state_dict", "model_state_dict", "model")
"""What the state_dict in a checkpoint is called, most of the time."""
_LARGEST_REPEATED = 2**28
"""Bytes of the largest tensor that repeats numbers (`expand`), of which the file has fewer."""
_ANEW = "torch.save(model.state_dict(), FILE)"


def read_torch(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors of a state_dict that `torch.save` has written, by name, in their order.

    The arrays are read-only, and have the types they have in the file; bfloat16 and the floats of 8 bits are those of
    the package ml_dtypes. They look into the storages as the tensors did: tied weights are one memory, and what was
    transposed, cut or expanded is so again.

    Of a checkpoint, a dict that holds more than one state_dict or other things beside, it is

    1. the dict of tensors called "state_dict", "model_state_dict" or "model", the first one there is; else
    2. the tensors of the dict itself; else
    3. those of each dict of tensors in it, all names with that of the dict before: "encoder.weight". Of an optimizer,
       whose tensors lie deeper, nothing is read.

    Raises:
        InputError: it cannot be read, is damaged, of the format before PyTorch 1.6, a TorchScript program, or no file
            of PyTorch's; it would run something; it holds no tensors by name; or one that is sparse, quantized, on no
            device (meta), conjugated, or larger than its storage.
    """
    path = Path(path)
    with reading(path), open_regular(path) as stream:
        _must_be_an_archive(path, stream)
        try:
            with zipfile.ZipFile(stream) as archive:
                file = _Archive(path, archive, os.fstat(stream.fileno()).st_size)
                found = read_pickle(file.place, file.member("data.pkl", most=LARGEST_PICKLE))
                return {name: file.array(name, tensor) for name, tensor in _state_dict(file.place, found).items()}
        except (ValueError, RuntimeError) as error:  # of zipfile, on places and sizes that cannot be
            if isinstance(error, InputError):
                raise
            raise InputError(f"{shown(path)} is damaged ({shown(error)}): fetch it again") from error


def _must_be_an_archive(path: Path, stream: IO[bytes]) -> None:
    place, head = shown(path), stream.read(16)
    if head.startswith(_LEGACY):
        raise InputError(
            f"{place} is of PyTorch's format before 1.6, which is not read: write it anew with PyTorch, "
            f"torch.save(torch.load({path.name!r}, weights_only=True), FILE)"
        )
    if head.startswith(b"\x80"):
        raise InputError(f"{place} is a pickle, which can run anything, and is not read: write it anew with {_ANEW}")
    if not head.startswith(b"PK\x03\x04"):
        raise InputError(f"{place} is no file of PyTorch's, or damaged: give one written with {_ANEW}")


class _Archive:
    """The members of a file, each looked at once."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, size: int) -> None:
        self.place = shown(path)
        self._archive = archive
        self._members = {member.filename: member for member in archive.infolist()}
        if len(self._members) < len(archive.infolist()) or self._size() > size:
            raise InputError(f"{self.place} is damaged: it says to hold more than it can: fetch it again")
        self._root = next(iter(self._members), "").partition("/")[0]
        if f"{self._root}/constants.pkl" in self._members:
            raise InputError(
                f"{self.place} is a TorchScript program, which is not read: write its tensors with {_ANEW}"
            )
        if f"{self._root}/data.pkl" not in self._members:
            raise InputError(f"{self.place} is no file of PyTorch's, or damaged: give one written with {_ANEW}")
        order = f"{self._root}/byteorder" in self._members and self.member("byteorder", most=64)
        if order not in (False, b"little", b"big"):
            raise InputError(f"{self.place} is damaged: its order of bytes is neither little nor big: fetch it again")
        self._is_swapped = order == b"big"
        self._storages: dict[tuple[str, str], NDArray[Any]] = {}
        self._contents: dict[str, bytes] = {}

    def _size(self) -> int:
        return sum(member.file_size for member in self._members.values())

    def member(self, name: str, *, most: int) -> bytes:
        """The bytes of a member, at most so many.

        Raises:
            InputError: it has more, is missing, or compressed.
        """
        member = self._members.get(f"{self._root}/{name}")
        if member is None:
            raise InputError(f"{self.place} is damaged: {shown(name)} is missing: fetch it again")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise InputError(f"{self.place} has been packed by something else than PyTorch: write it anew with {_ANEW}")
        if member.file_size > most:
            raise InputError(
                f"{self.place}: {shown(name)} has more than {most:,} bytes: write the tensors with {_ANEW}"
            )
        return self._archive.read(member)

    def array(self, name: str, tensor: Tensor) -> NDArray[Any]:
        """The numbers of a tensor, a view of its storage.

        Raises:
            InputError: it is larger than its storage, or the storage than the file.
        """
        place, offset, shape = f"{self.place}: {shown(name)}", tensor.offset, tensor.shape
        if len(shape) > 64 or math.prod(count or 1 for count in shape) >= 2**60:
            raise InputError(f"{place} is of a shape too large for an array: fetch the file again")
        numbers = self._storage(name, tensor)
        size, kept = math.prod(shape), len(numbers)
        end = offset + sum((count - 1) * stride for count, stride in zip(shape, tensor.strides, strict=True))
        if size and end >= kept:
            raise InputError(f"{place} needs {end + 1:,} numbers, and its storage has {kept:,}: fetch the file again")
        if size * numbers.itemsize > max(_LARGEST_REPEATED, numbers.nbytes):
            raise InputError(f"{place} repeats {kept:,} numbers to {size:,}: save what it repeats instead")
        if not size:
            return _frozen(np.empty(shape, numbers.dtype))
        # Along an axis of one step its length is nothing that counts, and may be any number.
        steps = [
            numbers.itemsize * (stride if count > 1 else 1) for count, stride in zip(shape, tensor.strides, strict=True)
        ]
        memory, start = numbers.view(np.uint8), offset * numbers.itemsize
        return _frozen(np.ndarray(shape, numbers.dtype, memory, start, steps))

    def _storage(self, name: str, tensor: Tensor) -> NDArray[Any]:
        """All numbers of the storage a tensor looks into, in the order of bytes of this machine."""
        storage, dtype = tensor.storage, _dtype(tensor.dtype)
        if (storage.key, tensor.dtype) in self._storages:
            return self._storages[storage.key, tensor.dtype]
        if storage.key not in self._contents:
            self._contents[storage.key] = self.member(f"data/{storage.key}", most=2**63)
        content = self._contents[storage.key]
        wanted = storage.size * (1 if storage.dtype is None else dtype.itemsize)
        if wanted != len(content) or len(content) % dtype.itemsize:
            raise InputError(
                f"{self.place}: the storage of {shown(name)} must have {wanted:,} bytes, it has {len(content):,}: "
                "fetch the file again"
            )
        if dtype == np.bool_:  # other bytes than 0 and 1 are none in NumPy
            numbers = np.frombuffer(content, np.uint8) != 0
        else:
            unit = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
            words = np.frombuffer(content, f"<u{unit}" if not self._is_swapped else f">u{unit}")
            numbers = words.astype(f"=u{unit}", copy=False).view(dtype)
        return self._storages.setdefault((storage.key, tensor.dtype), numbers)


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _state_dict(place: str, found: object) -> Mapping[str, Tensor]:
    if not isinstance(found, dict):
        what = "one tensor" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise InputError(f"{place} holds {what}, no tensors by name: write it with {_ANEW}")
    for name in _NAMES:
        if tensors := _tensors(found.get(name)):
            return tensors
    if tensors := _tensors(found):
        return tensors
    parts = {f"{outer}.{name}": tensor for outer, inner in found.items() for name, tensor in _tensors(inner).items()}
    if not parts:
        raise InputError(f"{place} holds no tensors by name: write it with {_ANEW}")
    return parts


def _tensors(found: object) -> dict[str, Tensor]:
    """The tensors that lie in a dict by a name."""
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)}
