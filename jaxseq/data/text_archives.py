"""Documents that are members of a tar archive, which is read as it is."""

import glob
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from jaxseq.data.archives import TARS
from jaxseq.data.members import Parts, archive_files
from jaxseq.data.pieces import TextPiece, decode
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown
from jaxseq.signals import never


class Members(NamedTuple):
    """Some members of an archive."""

    archive: Path
    pattern: str
    """What their names are like; "*" stands for anything, slashes too."""


def members_of(source: str, *, archives: Collection[str] = TARS, alone: str = "*.txt") -> Members | None:
    """The archive that a source names, or a glob for one, and the pattern that may follow it as if the archive were a
    folder. None where no archive is named.

    Args:
        archives: what the names of archives end in, or what is before the last suffix.
        alone: the pattern where none follows.

    >>> members_of("data/no.tar.xz/*/train/*.txt") is None  # there is none
    True
    """
    try:
        path = expanded(source)
        for place in (path, *path.parents):
            found = sorted(map(Path, glob.glob(str(place)))) if not place.exists() else [place]
            if len(found) == 1 and found[0].is_file():
                suffixes = [suffix.lower() for suffix in found[0].suffixes[-2:]]
                rest = path.relative_to(place).as_posix()
                is_archive = any(suffix in archives for suffix in suffixes)
                return Members(found[0], alone if rest == "." else rest) if is_archive else None
    except (OSError, ValueError):  # whoever opens it says what is wrong
        return None
    return None


def read_members(members: Members, *, encoding: str, piece_size: int) -> Iterator[TextPiece]:
    """The members, each a document, sorted by name. They are held in memory, compressed no longer.

    Raises:
        InputError: there is none, the archive is damaged or holds what it must not, or a member is not valid in
            `encoding`.
    """

    def wanted(name: Parts) -> bool:
        return fnmatchcase("/".join(name), members.pattern)

    files = archive_files(members.archive, wanted, never)
    if not files:
        raise InputError(
            f"{shown(members.archive)} has no member like {shown(members.pattern)}: name some, as "
            f"{shown(members.archive)}/*/train/*.txt"
        )
    for streams in files.values():
        for place, stream in streams():
            starts_document = True
            for text in decode(stream, place=place, encoding=encoding, piece_size=piece_size):
                yield TextPiece(text, starts_document)
                starts_document = False
