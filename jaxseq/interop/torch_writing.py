"""A state_dict in a file that `torch.load(path, weights_only=True)` reads, written without PyTorch.

The file is what `jaxseq.interop.torch_files` reads: an archive with a pickle of a dict, in which each tensor is a view
of a storage, and the numbers of each storage. Tensors of one memory, as tied weights are, have one storage.
"""

import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.storage.atomic import replacing, writing

_STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "bool": "BoolStorage",
}
_ROOT, _DATE = "archive", (1980, 1, 1, 0, 0, 0)


def write_torch(path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Writes tensors by name, whole or not at all; what was there before is replaced. The same tensors make the same
    file, byte for byte.

    Raises:
        InputError: a tensor is of a type that is not written; or the file cannot be.
    """
    numbers: dict[tuple[object, ...], int] = {}
    storages: list[NDArray[Any]] = []
    pickled = [b"\x80\x02}("]  # a dict, whose entries are between a mark and "u"
    for name, tensor in tensors.items():
        kind = _STORAGES.get(tensor.dtype.name)
        if kind is None:
            raise InputError(
                f"{shown(path)} cannot be written: {shown(name)} is {tensor.dtype}, which is none of "
                f"{', '.join(_STORAGES)}"
            )
        memory = (tensor.__array_interface__["data"][0], tensor.shape, tensor.strides, kind)
        number = numbers.get(memory, len(storages))
        if number == len(storages):
            storages.append(tensor)
        if tensor.size:  # an empty array may lie anywhere
            numbers[memory] = number
        pickled += [_text(name), _rebuilt(kind, number, tensor)]
    pickled.append(b"u.")
    with replacing(path) as stream, writing(path), zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        contents = {"data.pkl": b"".join(pickled), "byteorder": b"little", "version": b"3\n"}
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(f"{_ROOT}/{name}", _DATE), content)
        for number, storage in enumerate(storages):
            little = storage.astype(storage.dtype.newbyteorder("<"), order="C", copy=False)
            archive.writestr(zipfile.ZipInfo(f"{_ROOT}/data/{number}", _DATE), little.tobytes())


def _rebuilt(kind: str, number: int, tensor: NDArray[Any]) -> bytes:
    """The call that makes a tensor of a storage; its strides are those of rows one after the other."""
    strides = [int(np.prod(tensor.shape[at + 1 :], dtype=np.int64)) for at in range(tensor.ndim)]
    storage = (
        b"("
        + _text("storage")
        + f"ctorch\n{kind}\n".encode()
        + _text(str(number))
        + _text("cpu")
        + _number(tensor.size)
    )
    view = storage + b"tQ" + _number(0) + _tuple(tensor.shape) + _tuple(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"\x89ccollections\nOrderedDict\n)RtR"


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]  # without what begins and ends a pickle


def _tuple(values: Any) -> bytes:
    return b"(" + b"".join(_number(int(value)) for value in values) + b"t"
