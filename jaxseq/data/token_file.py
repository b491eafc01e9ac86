"""Token ids on disk: written once, memory-mapped ever after.

The file is a valid .npy of the ids, so `np.load(path, mmap_mode="r")` reads it anywhere. Behind the ids follow the
document starts (int64), a JSON record, its length (uint64) and eight bytes that say the file is complete, all
little-endian.
"""

import json
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxseq.data.corpus import Corpus, DocumentStarts, TokenChunk
from jaxseq.errors import InputError
from jaxseq.opening import open_new, open_regular

_END = struct.Struct("<Q8s")
_MAGIC = b"jaxseq\x00\x01"


class StaleTokenFileError(InputError):
    """A token file was made from another source or by another tokenizer."""


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
        InputError: the disk is full or the folder cannot be written to, or there is not one token.
        ValueError: an id is negative or not below `vocab_size`.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open_new(partial) as file:
            _write(file, chunks, vocab_size, {"tokenizer": tokenizer, "source": source}, progress)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"the token file {path} cannot be written ({error.strerror}): free space or choose another folder"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def open_token_file(path: str | Path, *, tokenizer: str | None = None, source: str | None = None) -> Corpus:
    """The corpus in a token file, its ids a read-only memory map.

    Args:
        path: what `write_token_file` wrote.
        tokenizer: fingerprint that the file must have been written with; None does not ask.
        source: likewise.

    Raises:
        StaleTokenFileError: a fingerprint differs.
        InputError: there is no such file, or it is no complete token file.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            record, starts = _read_trailer(file)
    except OSError as error:
        raise InputError(f"the token file {path} cannot be read ({error.strerror}): write it again") from error
    except (ValueError, KeyError, struct.error) as error:
        raise InputError(f"{path} is damaged or no token file ({error}): delete it and write it again") from error
    for name, wanted in (("tokenizer", tokenizer), ("source", source)):
        if wanted is not None and record[name] != wanted:
            raise StaleTokenFileError(
                f"the token file {path} was written for {name} {record[name]}, this is {wanted}: delete it and write "
                "it again"
            )
    return Corpus(np.load(path, mmap_mode="r"), starts)


def _write(
    file: IO[bytes],
    chunks: Iterable[TokenChunk],
    vocab_size: int,
    record: dict[str, Any],
    progress: Callable[[int], None] | None,
) -> None:
    dtype = _smallest_dtype(vocab_size)
    starts = DocumentStarts()
    _write_header(file, dtype, 0)
    data_begins = file.tell()
    for chunk in chunks:
        if len(chunk.ids) and (chunk.ids.min() < 0 or chunk.ids.max() >= vocab_size):
            raise ValueError(f"ids run from {chunk.ids.min()} to {chunk.ids.max()}, the vocabulary has {vocab_size}")
        starts.add(chunk)
        file.write(chunk.ids.astype(dtype).tobytes())
        if progress is not None:
            progress(starts.count)
    if starts.count == 0:
        raise InputError("the text has no tokens: give --data.source a source that holds text")
    documents = starts.array()
    file.write(documents.astype("<i8").tobytes())
    record = {"count": starts.count, "documents": len(documents), "vocab_size": vocab_size, **record}
    text = json.dumps(record).encode()
    file.write(text + _END.pack(len(text), _MAGIC))
    # NumPy pads headers so that the count can grow in place.
    file.seek(0)
    _write_header(file, dtype, starts.count)
    assert file.tell() == data_begins


def _smallest_dtype(vocab_size: int) -> np.dtype:
    return np.dtype("u1" if vocab_size <= 2**8 else "<u2" if vocab_size <= 2**16 else "<i4")


def _write_header(file: IO[bytes], dtype: np.dtype, count: int) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, description)


def _read_trailer(file: IO[bytes]) -> tuple[dict[str, Any], np.ndarray]:
    """The record and the document starts; ValueError, KeyError or struct.error where the file is not complete."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is of another version")
    (count,), _, dtype = np.lib.format.read_array_header_1_0(file)
    data_begins = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END.size, 0))
    text_size, magic = _END.unpack(file.read())
    if magic != _MAGIC:
        raise ValueError("its end is missing")
    file.seek(max(size - _END.size - text_size, 0))
    record = json.loads(file.read(text_size))
    starts_begin = data_begins + count * dtype.itemsize
    if record["count"] != count or starts_begin + 8 * record["documents"] + text_size + _END.size != size:
        raise ValueError("its size is not the one it was written with")
    file.seek(starts_begin)
    return record, np.frombuffer(file.read(8 * record["documents"]), "<i8").astype(np.int64)
