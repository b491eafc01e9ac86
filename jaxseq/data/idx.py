"""IDX files, the format of MNIST: arrays of bytes behind a header of a few numbers."""

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.archives import COMPRESSED, Bounded
from jaxseq.data.formats import HEAD, format_of
from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown

_BYTES = 0x08
"""The type of values that are unsigned bytes."""
_AT_ONCE = 2**20


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """The array of a file as `train-images-idx3-ubyte` [n, h, w] or `train-labels-idx1-ubyte` [n].

    Compressed or not is told by its first bytes, whatever its name.

    Raises:
        InputError: there is no such file, it is damaged, or it is no such file of bytes; or it has fewer or more bytes
            than its header says. A header that claims more than there is takes no memory.
    """
    path = Path(path)
    with reading(path), ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        packed = format_of(file.peek(HEAD)[:HEAD])
        stream: ByteStream = file
        if packed is not None and packed.suffix in COMPRESSED:
            stream = Bounded(stack.enter_context(COMPRESSED[packed.suffix](path)), path)
        return _array(stream, path)


def _array(stream: ByteStream, path: Path) -> NDArray[np.uint8]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        begins = f"begins with {magic.hex(' ')}" if magic else "is empty"
        raise InputError(
            f"{shown(path)} {begins}, and an IDX file of bytes with 00 00 08: give the file as it was published"
        )
    if magic[2] != _BYTES:
        raise InputError(f"{shown(path)} holds values of the type 0x{magic[2]:02x}: files of bytes, 0x08, are read")
    axes = magic[3]
    if axes not in (1, 3):
        raise InputError(f"{shown(path)} has {axes} axes: labels have one, and pictures three")
    header = stream.read(4 * axes)
    if len(header) < 4 * axes:
        raise InputError(f"{shown(path)} ends within its header: fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    count = math.prod(shape)
    said = f"its header says {' x '.join(f'{size:,}' for size in shape)}"
    parts, missing = [], count
    while missing > 0 and (data := stream.read(min(missing, _AT_ONCE))):
        parts.append(data)
        missing -= len(data)
    if missing:
        raise InputError(f"{shown(path)} has {count - missing:,} bytes of values, {said}: fetch it again")
    if stream.read(1):
        raise InputError(f"{shown(path)} goes on behind its {count:,} bytes of values, {said}: fetch it again")
    return np.frombuffer(b"".join(parts), np.uint8).reshape(shape)
