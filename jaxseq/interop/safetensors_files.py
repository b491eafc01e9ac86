"""Named arrays in a .safetensors file, as Hugging Face's library of that name writes and reads it.

Tied weights, arrays of one memory under several names, are stored once. The other names stand in the file's metadata as
{other: first}, which is how `safetensors.torch.save_model` says it, and come back on reading as the same array.
"""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown
from jaxseq.storage.atomic import replacing, writing

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_TYPES = ("bool", *_INTEGERS, "float16", "bfloat16", "float32", "float64")
"""Those that can be written and read again."""
_FORMAT = "format"
"""The one key of metadata that others write ("pt", "np"); it is never the name of a tied array."""


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a .safetensors by name, in the order of their names.

    Every array has the type it has in the file: float16 stays float16, and bfloat16 is the NumPy type of that name of
    the package ml_dtypes, which JAX takes as it is. What is tied comes back as one array under each of its names.

    Raises:
        InputError: it cannot be read, is damaged or cut, holds a type that NumPy has not; or the library safetensors
            is missing.
    """
    import ml_dtypes  # noqa: F401  (NumPy knows bfloat16 once this is imported)

    path, library = Path(path), _library()
    with reading(path), open_regular(path):  # the library waits at a named pipe, and its errors have no numbers
        pass
    place = shown(path)
    try:
        with library.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: _tensor(place, file, name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (library.SafetensorError, OSError) as error:
        raise InputError(f"{place} is damaged, or no .safetensors ({shown(error)}): fetch it again") from error
    tied = {
        other: tensors[name]
        for other, name in metadata.items()
        if name in tensors and other not in tensors and other != _FORMAT
    }
    return dict(sorted((tensors | tied).items()))


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts by name that go with the arrays of a .safetensors, the names of tied arrays among them.

    Raises:
        InputError: as `read_safetensors`.
    """
    path, library = Path(path), _library()
    with reading(path), open_regular(path):
        pass
    try:
        with library.safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (library.SafetensorError, OSError) as error:
        raise InputError(f"{shown(path)} is damaged, or no .safetensors ({shown(error)}): fetch it again") from error


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes arrays by name to a .safetensors, whole or not at all; what was there before is replaced.

    Arrays in any order of memory (transposed, cut, reversed, repeated, big endian) are written row by row. The same
    arrays and metadata make the same file, byte for byte. For the while it takes twice the file's size in memory.

    Args:
        metadata: texts by name, to go with them.

    Raises:
        InputError: an array is of a type that the format has not, as complex numbers or texts; an entry of the
            metadata would be read as the name of a tied array; the file cannot be written; or the library safetensors
            is missing. What was there before still is.
    """
    _library()
    from safetensors.numpy import save

    arrays = {name: np.asarray(array) for name, array in tensors.items()}
    for name, array in arrays.items():
        if array.dtype.newbyteorder("=").name not in _TYPES:
            raise InputError(
                f"{shown(path)} cannot be written: {shown(name)} is {array.dtype}, which a .safetensors does not hold: "
                "give numbers, as float32"
            )
    tied, said = _tied(arrays), dict(metadata or {})
    for key, value in said.items():
        if key in tied or (value in arrays and key not in arrays and key != _FORMAT):
            raise InputError(
                f"{shown(path)} cannot be written: the entry {shown(key)!r} of its metadata would be read as the name "
                "of a tied array: call it otherwise"
            )
    # Of an array that is not contiguous the library stores the bytes in the order they lie in.
    kept = {name: np.asarray(array, order="C") for name, array in arrays.items() if name not in tied}
    content = save(kept, metadata=said | tied or None)
    with replacing(path) as file, writing(path):
        header, size = _header(content)
        file.write(header)
        file.write(memoryview(content)[size:])


def _tied(arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Names of arrays that lie where an earlier one lies, each with the name of that one."""
    first: dict[tuple[object, ...], str] = {}
    tied: dict[str, str] = {}
    for name, array in arrays.items():
        if not array.size:  # these have no memory
            continue
        where = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if where in first and name != _FORMAT:
            tied[name] = first[where]
        else:
            first.setdefault(where, name)
    return tied


def _header(content: bytes) -> tuple[bytes, int]:
    """The header with its entries in order, since the library writes metadata in another order each time; and the bytes
    that the library's header takes."""
    (length,) = struct.unpack_from("<Q", content)
    entries = json.loads(content[8 : 8 + length])
    header = json.dumps(entries, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the numbers begin at a multiple of 8
    return struct.pack("<Q", len(header)) + header, 8 + length


def _tensor(place: str, file: Any, name: str) -> NDArray[Any]:
    try:
        return file.get_tensor(name)
    except (TypeError, ValueError, AttributeError, OverflowError, KeyError) as error:  # a type that NumPy has not
        raise InputError(
            f"{place}: {shown(name)} is of a type that is not read ({shown(error)}): write it as float32"
        ) from error


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise InputError(".safetensors needs the library safetensors: pip install 'jaxseq[interop]'") from error
    return safetensors
