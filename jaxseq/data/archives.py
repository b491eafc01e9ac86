"""The documents of a file: itself, plain or compressed, or the members of an archive, as streams of bytes."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from jaxseq.data.formats import HEAD, format_of
from jaxseq.data.pieces import ByteStream
from jaxseq.data.pipes import open_once
from jaxseq.errors import InputError
from jaxseq.reading import shown

COMPRESSED = {".gz": gzip.GzipFile, ".xz": lzma.LZMAFile, ".bz2": bz2.BZ2File}
COMPRESSED_SUFFIXES = (*COMPRESSED, ".zip")
TARS = (".tar", ".tgz", ".txz", ".tbz", ".tbz2", ".tzst")
_BOMB_SIZE, _BOMB_RATIO = 2**28, 200
# zipfile unpacks whole, however large that becomes, as many bytes of these as are asked for.
_PORTIONS = {zipfile.ZIP_BZIP2: 4096, zipfile.ZIP_LZMA: 4096}


def hidden(parts: tuple[str, ...]) -> bool:
    """Whether a file with these parts in its path is none of the texts: hidden, or what a Mac puts beside them."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def no_plain_file(place: str, what: str) -> InputError:
    """What to raise for a member that is neither a file nor a folder."""
    return InputError(f"{place} is {what}, no plain file, and is not read: unpack the archive and give the folder")


def open_streams(path: Path) -> Iterator[tuple[str, ByteStream]]:
    """Each document of a file as its name for messages and a stream of its uncompressed bytes.

    Of a .zip those are its .txt members, sorted by name, without hidden ones, or its only member whatever that is
    called. What it takes in memory does not depend on what a file says of its size.

    Raises:
        InputError: it is no file that can be read, or not of the format that its name says.
        OSError: it cannot be opened, or one of `jaxseq.reading.DAMAGE`: it is damaged.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-1] if suffixes else ""
    if not path.is_file():
        with open_once(path) as stream:
            yield shown(path), stream
    elif any(suffix in TARS for suffix in suffixes[-2:]):
        raise InputError(f"{shown(path)} is an archive of files: unpack it and give the folder")
    elif last in COMPRESSED:
        must_begin_as(path, last)
        with COMPRESSED[last](path) as stream:
            yield shown(path), Bounded(stream, path)
    elif last == ".zip":
        if not zipfile.is_zipfile(path):
            must_begin_as(path, last)
        with zipfile.ZipFile(path) as archive:
            yield from zip_streams(path, archive, _text_members(path, archive))
    else:
        with path.open("rb") as stream:
            yield shown(path), stream


class Bounded:
    """A stream of what one file holds, refused where it is so much more than the file that it must be meant to harm."""

    def __init__(self, stream: ByteStream, path: Path, *, before: int = 0, portion: int = 2**20) -> None:
        self._stream, self._path, self._portion = stream, path, portion
        self._most = max(_BOMB_SIZE, _BOMB_RATIO * path.stat().st_size)
        self.count = before

    def read(self, size: int, /) -> bytes:
        parts: list[bytes] = []
        while size > 0 and (data := self._stream.read(min(size, self._portion))):
            parts.append(data)
            size -= len(data)
            self.count += len(data)
        if self.count > self._most:
            raise InputError(
                f"{shown(self._path)} unpacks to more than {_BOMB_RATIO} times its size, beyond {_BOMB_SIZE:,} bytes: "
                "if that is right, unpack it first"
            )
        return b"".join(parts)


def must_begin_as(path: Path, suffix: str) -> None:
    """Refuses a file that is not compressed as its name says."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    found = format_of(head)
    if found is None or found.suffix != suffix:
        what = "is empty" if not head else "begins as text" if found is None else f"is {found.name} ({found.suffix})"
        raise InputError(
            f"{shown(path)} is damaged, or not what its name says (it {what}): rename it or fetch it again"
        )


def zip_streams(
    path: Path, archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo]
) -> Iterator[tuple[str, ByteStream]]:
    """Each of these members of the archive at `path` as its name for messages and a stream of its bytes.

    Raises:
        InputError: one is locked, or packed in a way that is not read, or together they are a bomb.
    """
    count = 0
    for member in members:
        name = f"{shown(path)}/{shown(member.filename)}"
        if member.flag_bits & 1:
            raise InputError(f"{name} is locked with a password: unpack {shown(path)} first")
        try:
            opened = archive.open(member)
        except NotImplementedError as error:
            raise InputError(f"{name} is compressed in a way that is not read ({error}): unpack it first") from error
        with opened as stream:
            bounded = Bounded(stream, path, before=count, portion=_PORTIONS.get(member.compress_type, 2**20))
            yield name, bounded
            count = bounded.count


def _text_members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The archive's .txt members, sorted by name, or the only member whatever it is called."""
    entries = archive.infolist()
    if any(not member.filename for member in entries):
        raise zipfile.BadZipFile("a member without a name")
    files = {
        member.filename: member  # of two by one name the last one, which is the one that unpacking leaves
        for member in entries
        if not member.is_dir() and not hidden(PurePosixPath(member.filename).parts)
    }
    members = [files[name] for name in sorted(files)]
    texts = [member for member in members if member.filename.lower().endswith(".txt")]
    if not texts and len(members) != 1:
        raise InputError(
            f"{shown(path)} holds {len(members)} files, none of them .txt: unpack it and name those to read"
        )
    return texts or members
