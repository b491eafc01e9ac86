"""Token ids on disk: written once, memory-mapped ever after.

The file is a valid .npy of the ids, so `np.load(path, mmap_mode="r")` reads it anywhere. Behind the ids follow the
document starts (int64), a JSON record, and the end: the record's length (uint64), a CRC-32 of ids, document starts and
record (uint32), and eight bytes that say the file is complete, all little-endian. The header follows from the record.
So every byte is accounted for, and whoever opens the file reads it through once.
"""

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxseq.data.corpus import Corpus, DocumentStarts, TokenChunk, require_ids
from jaxseq.data.kept_file import keeping
from jaxseq.errors import InputError
from jaxseq.opening import open_regular

_END = struct.Struct("<QI8s")
_MAGIC = b"jaxseq-2"
_WITHOUT_CHECKSUM = b"jaxseq\x00\x01"
_RECORD = {"count": int, "documents": int, "vocab_size": int, "tokenizer": str, "source": str}
_LONGEST_RECORD = 2**16
_HEADER_SIZE = 128
_AT_ONCE = 2**20


class StaleTokenFileError(InputError):
    """A token file was made from another source, by another tokenizer, or by a version that wrote no checksum."""


class DamagedTokenFileError(InputError):
    """A token file is not, to the last byte, what was written."""


class _Damage(Exception):
    """What is wrong with a file."""


def write_token_file(
    path: str | Path,
    chunks: Iterable[TokenChunk],
    *,
    vocab_size: int,
    tokenizer: str,
    source: str,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Writes the ids of `chunks`, one at a time, in the smallest of uint8, uint16 and int32 that holds `vocab_size`.

    The file appears under its name when it is complete; whatever goes wrong before, nothing is left behind.

    Args:
        path: where; a file of that name is replaced.
        chunks: taken one by one and not kept.
        vocab_size: every id is below it.
        tokenizer: fingerprint of the tokenizer, compared by `open_token_file`.
        source: fingerprint of the source, likewise.
        progress: called with the number of tokens written so far after every chunk.

    Raises:
        InputError: the disk is full or the folder cannot be written to, there is not one token, or an id is negative
            or not below `vocab_size`.
    """
    path = Path(path)
    with keeping(path, "token file") as file:
        _write(file, chunks, vocab_size, {"tokenizer": tokenizer, "source": source}, progress)


def open_token_file(
    path: str | Path, *, tokenizer: str | None = None, source: str | None = None, vocab_size: int | None = None
) -> Corpus:
    """The corpus in a token file, its ids a read-only memory map; the file has been read through and found whole.

    Args:
        path: what `write_token_file` wrote.
        tokenizer: fingerprint that the file must have been written with; None does not ask.
        source: likewise.
        vocab_size: likewise.

    Raises:
        StaleTokenFileError: a fingerprint differs, or the file is of a version that wrote no checksum.
        DamagedTokenFileError: a byte was changed, added or lost, an id is outside the vocabulary, or it is another
            file altogether.
        InputError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            record = _read_record(file, path)
            starts, checksum = _read_through(file, record)
            for name, wanted in (("tokenizer", tokenizer), ("source", source)):
                if wanted is not None and record[name] != wanted:
                    raise StaleTokenFileError(
                        f"the token file {path} was written for {name} {record[name]}, this is {wanted}: delete it "
                        "and write it again"
                    )
            if vocab_size is not None and record["vocab_size"] != vocab_size:
                raise _Damage(f"it says a vocabulary of {record['vocab_size']}, the tokenizer has {vocab_size}")
            dtype = _smallest_dtype(record["vocab_size"])
            ids = np.memmap(file, dtype=dtype, mode="r", offset=_HEADER_SIZE, shape=(record["count"],))
    except OSError as error:
        raise InputError(f"the token file {path} cannot be read ({error.strerror}): write it again") from error
    except _Damage as damage:
        raise DamagedTokenFileError(
            f"the token file {path} is damaged ({damage}): delete it, for it is written again from the text, or train "
            "anew with --fresh"
        ) from damage
    return Corpus(ids, starts, record["vocab_size"], checksum)


def _write(
    file: IO[bytes],
    chunks: Iterable[TokenChunk],
    vocab_size: int,
    record: dict[str, Any],
    progress: Callable[[int], None] | None,
) -> None:
    dtype = _smallest_dtype(vocab_size)
    starts, checksum = DocumentStarts(), 0
    file.write(_header(dtype, 0))
    for chunk in chunks:
        require_ids(chunk.ids, vocab_size=vocab_size)
        starts.add(chunk)
        data = chunk.ids.astype(dtype).tobytes()
        checksum = zlib.crc32(data, checksum)
        file.write(data)
        if progress is not None:
            progress(starts.count)
    if starts.count == 0:
        raise InputError("the text has no tokens: give --data.source a source that holds text")
    documents = starts.array()
    record = {"count": starts.count, "documents": len(documents), "vocab_size": vocab_size, **record}
    text = json.dumps(record).encode()
    rest = documents.astype("<i8").tobytes() + text
    file.write(rest + _END.pack(len(text), zlib.crc32(rest, checksum), _MAGIC))
    file.seek(0)
    file.write(_header(dtype, starts.count))


def _smallest_dtype(vocab_size: int) -> np.dtype:
    return np.dtype("u1" if vocab_size <= 2**8 else "<u2" if vocab_size <= 2**16 else "<i4")


def _header(dtype: np.dtype, count: int) -> bytes:
    """The header of a .npy of version 1.0, as long for any count; NumPy's own differs from version to version."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': ({count},), }}"
    magic = b"\x93NUMPY\x01\x00"
    room = _HEADER_SIZE - len(magic) - 2
    return magic + struct.pack("<H", room) + text.ljust(room - 1).encode() + b"\n"


def _read_record(file: IO[bytes], path: Path) -> dict[str, Any]:
    """The record of a file whose header and size are what it says.

    Raises:
        StaleTokenFileError: it is of a version that wrote no checksum.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END.size, 0))
    end = file.read(_END.size)
    if end.endswith(_WITHOUT_CHECKSUM):
        raise StaleTokenFileError(
            f"the token file {path} is of an earlier version, without a checksum: delete it and write it again"
        )
    if len(end) < _END.size or not end.endswith(_MAGIC):
        raise _Damage("its end is missing, or it is no token file")
    text_size = _END.unpack(end)[0]
    if text_size > min(size - _END.size, _LONGEST_RECORD):
        raise _Damage("its record is not whole")
    file.seek(size - _END.size - text_size)
    try:
        record = json.loads(file.read(text_size))
    except (ValueError, RecursionError) as error:
        raise _Damage("its record is not whole") from error
    if not isinstance(record, dict) or {name: type(value) for name, value in record.items()} != _RECORD:
        raise _Damage("its record is not whole")
    count, documents, vocab_size = record["count"], record["documents"], record["vocab_size"]
    if count < 1 or not 0 <= documents <= count or not 1 <= vocab_size <= 2**31:
        raise _Damage("its record is not whole")
    dtype = _smallest_dtype(vocab_size)
    if size != _HEADER_SIZE + count * dtype.itemsize + 8 * documents + text_size + _END.size:
        raise _Damage("its size is not the one it was written with")
    file.seek(0)
    if file.read(_HEADER_SIZE) != _header(dtype, count):
        raise _Damage("its header is not the one it was written with")
    return record


def _read_through(file: IO[bytes], record: dict[str, Any]) -> tuple[np.ndarray, int]:
    """The document starts and the checksum of the ids, after all bytes behind the header have been looked at."""
    dtype = _smallest_dtype(record["vocab_size"])
    left, checksum, low, high = record["count"] * dtype.itemsize, 0, 0, 0
    file.seek(_HEADER_SIZE)
    while left > 0:
        data = file.read(min(left, _AT_ONCE))
        if not data or len(data) % dtype.itemsize:
            raise _Damage("it was cut short while it was read")
        ids = np.frombuffer(data, dtype)
        low, high = min(low, int(ids.min())), max(high, int(ids.max()))
        checksum, left = zlib.crc32(data, checksum), left - len(data)
    rest = file.read()
    if len(rest) < 8 * record["documents"] + _END.size:
        raise _Damage("it was cut short while it was read")
    documents, end = rest[: 8 * record["documents"]], rest[-_END.size :]
    if zlib.crc32(rest[: -_END.size], checksum) != _END.unpack(end)[1]:
        raise _Damage("its content is not what was written: the checksum differs")
    if low < 0 or high >= record["vocab_size"]:
        raise _Damage(f"its ids run from {low} to {high}, its vocabulary has {record['vocab_size']}")
    starts = np.frombuffer(documents, "<i8").astype(np.int64)
    if len(starts) and (starts[0] < 0 or starts[-1] >= record["count"] or (np.diff(starts) <= 0).any()):
        raise _Damage("its document starts are not in order")
    return starts, checksum
