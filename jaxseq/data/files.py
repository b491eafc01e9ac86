"""Text files, plain or compressed, as pieces of decoded text that never hold more than a piece in memory."""

import codecs
import glob
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from jaxseq.errors import InputError
from jaxseq.paths import expanded

_TEXT_SUFFIXES = (".txt", ".txt.gz", ".txt.xz", ".txt.zip")
_DAMAGED = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError, NotImplementedError)


class ByteStream(Protocol):
    """What is read from: an open file, plain or compressed."""

    def read(self, size: int, /) -> bytes: ...


class TextPiece(NamedTuple):
    """A part of a document; a document's pieces follow each other, and the next document starts a piece of its own."""

    text: str
    starts_document: bool


def find_files(source: str) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    A folder stands for every `.txt` file in it and below, compressed ones (`.txt.gz`, `.txt.xz`, `.txt.zip`)
    included, hidden ones not. A glob (`**` goes into folders) stands for every file it matches.

    Raises:
        InputError: nothing is there, or one may not look.
    """
    if not source:
        raise InputError("--data.source is empty: name a file, a folder or another source of text")
    try:
        return _found(source)
    except OSError as error:
        raise InputError(f"{source} cannot be looked up ({error.strerror}): check the name and permissions") from error


def _found(source: str) -> list[Path]:
    path = expanded(source)
    if path.is_dir():
        below = (file for file in path.rglob("*") if not any(p.startswith(".") for p in file.relative_to(path).parts))
        files = sorted(file for file in below if file.name.lower().endswith(_TEXT_SUFFIXES) and file.is_file())
        if not files:
            raise InputError(f'the folder {source} holds no .txt file: name other files by a glob, "{source}/**/*.md"')
        return files
    if path.exists():
        return [path]
    files = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
    if not files:
        what = f"no file matches {source}" if glob.has_magic(source) else f"there is no file or folder {source}"
        raise InputError(
            f'{what} (from {Path.cwd()}): --data.source takes a path, a glob, "-", "python-manual" or "tfds:NAME"'
        )
    return files


def read_file(path: Path, *, encoding: str, piece_size: int) -> Iterator[TextPiece]:
    """The documents of one file: itself, or for a .zip its members. Documents without text are left out.

    Raises:
        InputError: it cannot be opened, is damaged, or is not valid in `encoding`.
    """
    try:
        for place, stream in _open_streams(path):
            starts_document = True
            for text in decode(stream, place=place, encoding=encoding, piece_size=piece_size):
                yield TextPiece(text, starts_document)
                starts_document = False
    except _DAMAGED as error:
        raise InputError(f"{path} is damaged, or not what its name says ({error}): fetch it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the file and its permissions") from error


def decode(stream: ByteStream, *, place: str, encoding: str, piece_size: int = 2**20) -> Iterator[str]:
    """The text of a stream of bytes in pieces of about `piece_size` bytes, none of them empty.

    A piece ends before the first character of a line, or where lines are longer than pieces before that of a word, so
    that normalising piece by piece gives what normalising the whole would; a longer run without white space is cut
    anywhere.

    Raises:
        InputError: the bytes are not valid; the offset named counts from the start of the (uncompressed) stream.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    except LookupError as error:
        raise InputError(f"{error}: give an encoding that Python knows as --data.encoding") from error
    decoder = codecs.getincrementaldecoder(encoding)()
    pending, consumed, data = "", 0, b"start"
    while data:
        data = stream.read(piece_size)
        consumed += len(data)
        try:
            pending += decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            # What the decoder refused is a suffix of everything read so far, kept-back bytes included.
            offset = consumed - len(error.object) + error.start
            raise InputError(
                f"{place} is not valid {encoding}: byte 0x{error.object[error.start]:02x} at offset {offset} "
                f"({error.reason}): repair the file or give its encoding as --data.encoding"
            ) from error
        except UnicodeError as error:
            raise InputError(f"{place} is not valid {encoding} ({error}): give its --data.encoding") from error
        end = _piece_end(pending) if data else len(pending)
        if end:
            yield pending[:end]
            pending = pending[end:]


def _piece_end(text: str) -> int:
    """Where the last line of `text` begins, or its last word, or its end; 0 for no text."""
    for separator in ("\n", " "):
        at = text.rfind(separator, 0, -1)
        while at >= 0 and text[at + 1].isspace():
            at = text.rfind(separator, 0, at)
        if at >= 0:
            return at + 1
    return len(text)


def _open_streams(path: Path) -> Iterator[tuple[str, ByteStream]]:
    """Each document of a file as its name for messages and a stream of its uncompressed bytes."""
    if ".tar" in path.suffixes or path.suffix in (".tgz", ".txz"):
        raise InputError(f"{path} is an archive of files: unpack it and give the folder")
    match path.suffix.lower():
        case ".gz":
            with gzip.open(path) as stream:
                yield str(path), stream
        case ".xz":
            with lzma.open(path) as stream:
                yield str(path), stream
        case ".zip":
            with zipfile.ZipFile(path) as archive:
                for member in _text_members(path, archive):
                    with archive.open(member) as stream:
                        yield f"{path}/{member.filename}", stream
        case _:
            with path.open("rb") as stream:
                yield str(path), stream


def _text_members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The archive's .txt members, sorted by name, or the only member whatever it is called."""
    members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda member: member.filename)
    texts = [member for member in members if member.filename.lower().endswith(".txt")]
    if not texts and len(members) != 1:
        raise InputError(f"{path} holds {len(members)} files, none of them .txt: unpack it and name those to read")
    if any(member.flag_bits & 1 for member in texts or members):
        raise InputError(f"{path} is locked with a password: unpack it first")
    return texts or members
