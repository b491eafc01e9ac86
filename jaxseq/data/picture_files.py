"""The pictures of a folder or an archive by their names, and the tables that lie among them."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from jaxseq.data.archives import TARS
from jaxseq.data.members import Parts, Streams, archive_files, archive_members, file_streams, folder_files
from jaxseq.data.pictures import LARGEST, is_picture
from jaxseq.data.tables import TABLES, suffix_of
from jaxseq.data.text_archives import members_of
from jaxseq.errors import InputError
from jaxseq.opening import read_bytes
from jaxseq.paths import expanded
from jaxseq.reading import reading, shown
from jaxseq.signals import Poll

_ARCHIVES = (*TARS, ".zip")
_ANY, _TEXT = "*", ".txt"


class PictureFiles(NamedTuple):
    """What a source holds."""

    source: str
    pictures: list[Parts]
    """Names of the pictures, sorted."""
    tables: dict[Parts, Streams]
    """The tables among them."""
    contents: Callable[[Iterable[Parts], Poll], Iterator[tuple[Parts, str, bytes]]]
    """The pictures by these names one after the other, in any order: the name, that for messages, and the bytes. Of two
    by one name in a tar both come, the one that counts last."""


def find_pictures(source: str, *, option: str, poll: Poll) -> PictureFiles:
    """The pictures of a folder and of those in it, or of an archive: zip or tar, all of it or as "a.zip/train/*" those
    with such names. Nothing is unpacked to a disk.

    Args:
        option: what names the source, for messages.

    Raises:
        InputError: there is no such source, it holds no picture, or it is an archive that is damaged or meant to harm.
    """
    if not source:
        raise InputError(f"{option} is empty: name a folder or an archive of pictures")
    found = _in_archive(source, poll) or _in_folder(source, option, poll)
    if not found.pictures:
        raise InputError(f"{shown(source)} holds no picture (.png, .jpg ...): give as {option} one that does")
    return found


def match_names(files: PictureFiles, names: Iterable[tuple[str, str]]) -> dict[str, Parts]:
    """Which picture each name of a table stands for: the one by this name, or else the only one whose name ends so,
    folders and all.

    Args:
        names: each with its place in the table, for messages.

    Raises:
        InputError: there is no such picture, or there are several.
    """
    by_file: dict[str, list[Parts]] = {}
    for parts in files.pictures:
        by_file.setdefault(_same(parts[-1]), []).append(parts)
    found: dict[str, Parts] = {}
    for name, place in names:
        if name in found:
            continue
        wanted = tuple(_same(part) for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        fitting = [
            parts
            for parts in by_file.get(wanted[-1] if wanted else "", [])
            if tuple(map(_same, parts[-len(wanted) :])) == wanted
        ]
        exact = [parts for parts in fitting if len(parts) == len(wanted)]
        if not fitting:
            raise InputError(
                f"{place} names the picture {shown(name)}, which is not in {shown(files.source)}: add it, or leave the "
                "line out"
            )
        if len(exact or fitting) > 1:
            one, other = ("/".join(parts) for parts in fitting[:2])
            raise InputError(
                f"{place} names the picture {shown(name)}, which {shown(one)} and {shown(other)} in "
                f"{shown(files.source)} are both called: name it with its folder"
            )
        found[name] = (exact or fitting)[0]
    return found


def _same(name: str) -> str:
    """Equal for names that differ in Unicode form alone, as they do from one system to another."""
    return unicodedata.normalize("NFC", name)


def _in_archive(source: str, poll: Poll) -> PictureFiles | None:
    members = members_of(source, archives=_ARCHIVES, alone=_ANY)
    if members is None:
        return None
    pictures: set[Parts] = set()

    def is_table(parts: Parts) -> bool:
        if is_picture(parts[-1]) and fnmatchcase("/".join(parts), members.pattern):
            pictures.add(parts)
        return os.path.splitext(parts[-1].lower())[1] in (*TABLES, _TEXT)

    tables = archive_files(members.archive, is_table, poll)  # one pass over it tells all names

    def contents(names: Iterable[Parts], poll: Poll) -> Iterator[tuple[Parts, str, bytes]]:
        return archive_members(members.archive, set(names).__contains__, poll)

    return PictureFiles(source, sorted(pictures), tables, contents)


def _in_folder(source: str, option: str, poll: Poll) -> PictureFiles:
    folder = expanded(source)
    try:
        is_folder = folder.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{source!a} cannot be looked up ({error}): check {option}") from error
    if not is_folder:
        what = "is no folder and no archive" if folder.exists() else "is not there"
        raise InputError(f"{shown(source)} {what}: give as {option} a folder of pictures, or a .zip or .tar of them")
    files = folder_files(folder, lambda parts: is_picture(parts[-1]) or _is_table(parts[-1]), poll)

    def contents(names: Iterable[Parts], poll: Poll) -> Iterator[tuple[Parts, str, bytes]]:
        for parts in names:
            poll()
            path = Path(folder, *parts)
            with reading(path):
                data = read_bytes(path, most=LARGEST)
            yield parts, shown(path), data

    pictures = [parts for parts in files if is_picture(parts[-1])]
    tables = {parts: _opener(Path(folder, *parts)) for parts in files if not is_picture(parts[-1])}
    return PictureFiles(source, pictures, tables, contents)


def _is_table(name: str) -> bool:
    return suffix_of(name) in (*TABLES, _TEXT)


def _opener(path: Path) -> Streams:
    return lambda: file_streams(path)
