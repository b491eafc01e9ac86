"""From the name of a source to its documents, whole or in pieces."""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxseq.data.encodings import Encoding
from jaxseq.data.pieces import TextPiece, decode
from jaxseq.data.text_archives import members_of, read_members
from jaxseq.data.text_files import find_files, read_file
from jaxseq.data.tfds_source import read_tfds, tfds_identity
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown

PYTHON_MANUAL = "python-manual"
STANDARD_INPUT = "-"
TFDS_PREFIX = "tfds:"
_READING = 2  # of files: counted up when the same bytes come out as another text than before


def read_documents(source: str, *, encoding: str = "utf-8") -> Iterator[str]:
    """The documents of a source, each as one string; for text larger than memory see `read_pieces`.

    Args:
        source: a file (`.gz`, `.xz`, `.bz2` and `.zip` are read as they are), a pipe, a glob, a folder (its `.txt`
            files, recursively, sorted), a tar archive (its `.txt` members, or as "a.tar.xz/*/train/*.txt" those with
            such names), "-" for standard input, "python-manual" for the reference manual that ships
            with Python, or "tfds:NAME[/config][:version][:split][#feature]" for a text data set of tensorflow-datasets.
        encoding: of files and of standard input. Line ends stay as they are; a byte-order mark that a document begins
            with is left out.

    Raises:
        InputError: there is no such source, it holds no text, or its bytes are damaged or not valid in `encoding`.
    """
    parts: list[str] = []
    for piece in read_pieces(source, encoding=encoding):
        if piece.starts_document and parts:
            yield "".join(parts)
            parts = []
        parts.append(piece.text)
    yield "".join(parts)


def read_pieces(source: str, *, encoding: str = "utf-8", piece_size: int = 2**20) -> Iterator[TextPiece]:
    """The same text in pieces of about `piece_size` bytes, so that a corpus never lies in memory whole.

    Raises:
        InputError: as in `read_documents`.
    """
    Encoding(encoding)  # a wrong one is told for every source
    piece = None
    for piece in _open_source(source, encoding, piece_size):
        yield piece
    if piece is None:
        name = "standard input" if source == STANDARD_INPUT else source
        raise InputError(f"{name} is empty: give --data.source a source that holds text")


def waits(source: str) -> bool:
    """Whether reading `source` may wait for whoever writes there: it is standard input, or a named pipe."""
    if source == STANDARD_INPUT or source.startswith(TFDS_PREFIX):
        return source == STANDARD_INPUT
    try:
        return expanded(source).is_fifo()
    except OSError:  # whoever opens it will say so
        return False


def source_fingerprint(source: str, *, encoding: str = "utf-8") -> str:
    """A short hash that changes when the source does, told by names, sizes and times of files, not their content.

    Raises:
        InputError: there is no such source, or it is a pipe or standard input, which cannot be read twice.
    """
    if source == STANDARD_INPUT:
        raise InputError("standard input can be read only once: save it to a file and give that as --data.source")
    if source == PYTHON_MANUAL:
        identity: object = _python_manual()
    elif source.startswith(TFDS_PREFIX):
        identity = tfds_identity(source.removeprefix(TFDS_PREFIX))
    elif (members := members_of(source)) is not None:
        files = _file_identities([members.archive], source)
        identity = [_READING, Encoding(encoding).name, files, members.pattern]
    else:
        identity = [_READING, Encoding(encoding).name, _file_identities(find_files(source), source)]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def _file_identities(files: list[Path], source: str) -> list[tuple[str, int, int, int]]:
    """Names from where they differ on, sizes and times: of content and of anything else, which no program sets back."""
    above = os.path.commonpath([file.parent for file in files])
    identities: list[tuple[str, int, int, int]] = []
    for file in files:
        try:
            found = file.stat()
        except OSError as error:
            raise InputError(f"{shown(file)} cannot be read ({error.strerror}): check the file") from error
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{shown(source)} is no file, so it can be read only once: save it to a file, or leave out "
                "--data.memory-map"
            )
        name = os.path.relpath(file, above)
        identities.append((name, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return identities


def _open_source(source: str, encoding: str, piece_size: int) -> Iterator[TextPiece]:
    if source == PYTHON_MANUAL:
        yield TextPiece(_python_manual(), True)
    elif source == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed: give --data.source a file, or send it the text")
        yield from _standard_input(encoding, piece_size)
    elif source.startswith(TFDS_PREFIX):
        for text in read_tfds(source.removeprefix(TFDS_PREFIX)):
            yield TextPiece(text, True)
    elif (members := members_of(source)) is not None:
        yield from read_members(members, encoding=encoding, piece_size=piece_size)
    else:
        for file in find_files(source):
            yield from read_file(file, encoding=encoding, piece_size=piece_size)


def _standard_input(encoding: str, piece_size: int) -> Iterator[TextPiece]:
    texts = decode(sys.stdin.buffer, place="standard input", encoding=encoding, piece_size=piece_size)
    try:
        for index, text in enumerate(texts):
            yield TextPiece(text, index == 0)
    except OSError as error:  # a folder, or a terminal that is gone
        raise InputError(f"standard input cannot be read ({error.strerror}): send it the text of a file") from error


def _python_manual() -> str:
    """The topics of Python's reference manual in the order of their names, an empty line between two of them."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise InputError(
            "this Python comes without its manual (pydoc_data): give a text file as --data.source"
        ) from error
    return "\n".join(topics[name] for name in sorted(topics))
