"""The files below a folder or in an archive of files, by their names; nothing is unpacked to a disk."""

import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from jaxseq.data.archives import hidden, must_begin_as, no_plain_file, open_streams, zip_streams
from jaxseq.data.pieces import ByteStream
from jaxseq.data.tar_members import tar_members
from jaxseq.data.text_files import files_below
from jaxseq.errors import InputError
from jaxseq.reading import reading, shown
from jaxseq.signals import Poll

Parts = tuple[str, ...]
"""A name below a folder: the folders on the way and the file, as ("train", "pos", "0_9.txt")."""
Streams = Callable[[], Iterator[tuple[str, ByteStream]]]
"""Opens a file: its documents, each by its name for messages, uncompressed."""

_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:[/\\]|(^|[/\\])\.\.([/\\]|$)")


def folder_files(folder: Path, wanted: Callable[[Parts], bool], poll: Poll) -> dict[Parts, Streams]:
    """The wanted files in a folder and below, links to folders not followed, nothing hidden, sorted by name.

    Raises:
        InputError: one may not look into one of the folders, or a name is no text.
    """
    found: dict[Parts, Streams] = {}
    with reading(folder):
        for file in files_below(folder):
            poll()
            parts = file.relative_to(folder).parts
            if wanted(parts) and file.is_file():
                _require_text(file, parts)
                found[parts] = partial(file_streams, file)
    return dict(sorted(found.items()))


def archive_files(path: Path, wanted: Callable[[Parts], bool], poll: Poll) -> dict[Parts, Streams]:
    """The wanted files of an archive, tar (plain, gzip, xz or bzip2) or zip, sorted by name, held in memory.

    Of two by one name the last one, which is the one that unpacking leaves. The archive is read once, to its end, so
    that its own check sums are checked.

    Raises:
        InputError: it is damaged, or holds what it must not: a name that leads out of the folder it would be unpacked
            to, a link, a device, a sparse file, or so much more than its size that it must be meant to harm.
    """
    found: dict[Parts, Streams] = {}
    for parts, place, data in archive_members(path, wanted, poll):
        found[parts] = partial(_held, place, data)
    return dict(sorted(found.items()))


def archive_members(path: Path, wanted: Callable[[Parts], bool], poll: Poll) -> Iterator[tuple[Parts, str, bytes]]:
    """The same files one after the other, in their order in the archive, each with its name for messages and its
    bytes. Of two by one name in a tar both come, the one that counts last.

    Raises:
        InputError: as in `archive_files`.
    """
    members = _zip_members if path.suffix.lower() == ".zip" else tar_members
    with reading(path):
        for name, data in members(path, partial(_wanted_name, path, wanted)):
            poll()
            yield _parts(name), f"{shown(path)}/{shown(name)}", data


def file_streams(path: Path) -> Iterator[tuple[str, ByteStream]]:
    """The documents of a file on a disk, as `open_streams`.

    Raises:
        InputError: it cannot be opened, or is damaged.
    """
    with reading(path):
        for name, stream in open_streams(path):
            yield name, _Told(stream, path)


class _Told:
    """A stream of what a file holds; what goes wrong while it is read is told in one line."""

    def __init__(self, stream: ByteStream, path: Path) -> None:
        self._stream, self._path = stream, path

    def read(self, size: int, /) -> bytes:
        with reading(self._path):
            return self._stream.read(size)


def _held(place: str, data: bytes) -> Iterator[tuple[str, ByteStream]]:
    yield place, io.BytesIO(data)


def _parts(name: str) -> Parts:
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _wanted_name(path: Path, wanted: Callable[[Parts], bool], name: str) -> bool:
    """Whether the member by this name is wanted. Refuses names that are a trap, wanted or not."""
    parts = _parts(name)
    if _OUTSIDE.search(name):
        raise InputError(
            f"{shown(path)}/{shown(name)} would lie outside the folder it is unpacked to: do not trust this archive, "
            "fetch it again from where it was published"
        )
    if not parts or hidden(parts) or not wanted(parts):
        return False
    _require_text(f"{path}/{name}", parts)
    return True


def _require_text(place: str | os.PathLike[str], parts: Iterable[str]) -> None:
    """Names of folders become labels, which are text."""
    try:
        "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the name {shown(place)} is not valid utf-8: rename the file or its folder") from error


def _zip_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if not zipfile.is_zipfile(path):
        must_begin_as(path, ".zip")
    with zipfile.ZipFile(path) as archive:
        members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):  # 0: written where files have no kinds
                what = "a link" if kind == stat.S_IFLNK else "a device or a pipe"
                raise no_plain_file(f"{shown(path)}/{shown(member.filename)}", what)
            if wanted(member.filename) and not member.is_dir():
                members.pop(member.filename, None)  # of two by one name the last one, in its place
                members[member.filename] = member
        kept = list(members.values())
        for member, (_, stream) in zip(kept, zip_streams(path, archive, kept), strict=True):
            yield member.filename, _read_whole(stream)


def _read_whole(stream: ByteStream) -> bytes:
    parts: list[bytes] = []
    while data := stream.read(2**20):
        parts.append(data)
    return b"".join(parts)
