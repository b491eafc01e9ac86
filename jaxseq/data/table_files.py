"""The tables that a source names, whatever they are packed in."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from jaxseq.data.archives import TARS
from jaxseq.data.lines import read_lines
from jaxseq.data.members import Parts, archive_files, file_streams
from jaxseq.data.sources import PYTHON_MANUAL, STANDARD_INPUT, TFDS_PREFIX
from jaxseq.data.tables import TABLES, Kind, suffix_of, table_kind
from jaxseq.data.text_archives import members_of
from jaxseq.data.text_files import find_files
from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.signals import Poll, never

_ANY = "*"
_ARCHIVES = (*TARS, ".zip")
_TAKES = "a table, a glob for several, or tables of an archive as a.zip/*/ratings.csv"


class Table(NamedTuple):
    """A table to be read."""

    place: str
    """Its name in messages."""
    kind: Kind
    lines: Iterator[str]


def open_tables(
    source: str, *, option: str = "--data.source", encoding: str = "utf-8", poll: Poll = never
) -> Iterator[Table]:
    """The tables of a source, sorted by name, each to be read before the next one is asked for.

    Args:
        source: a table as `jaxseq.data.tables` says, compressed or not (a `.txt` has tabs); a glob for several; an
            archive (tar or zip), all tables in it, or as "a.zip/*/ratings.csv" those with such names.
        option: what names the source, for messages.
        poll: called before each table.

    Raises:
        InputError: there is no such source, or it is no table by its name; reading on, what `read_lines` says.
    """
    if source in (STANDARD_INPUT, PYTHON_MANUAL) or source.startswith(TFDS_PREFIX):
        raise InputError(f"{option} is {shown(source)}, which is no table: give a file, one of {', '.join(TABLES)}")
    members = members_of(source, archives=_ARCHIVES, alone=_ANY)
    if members is not None and members.pattern == _ANY and suffix_of(members.archive.name) in TABLES:
        members = None  # one compressed table, as ratings.csv.zip

    if members is None:
        files = [(file.name, file_streams(file)) for file in find_files(source, option=option, takes=_TAKES)]
    else:
        pattern = members.pattern

        def wanted(name: Parts) -> bool:
            return fnmatchcase("/".join(name), pattern) and (pattern != _ANY or suffix_of(name[-1]) in TABLES)

        found = archive_files(members.archive, wanted, poll)
        if not found:
            archive = shown(members.archive)
            raise InputError(f"{archive} holds no table {shown(pattern)}: name one in it, as {archive}/*/ratings.csv")
        files = [("/".join(name), streams()) for name, streams in found.items()]
    for name, streams in files:
        kind = table_kind(name)
        for place, stream in streams:
            poll()
            yield Table(place, kind, read_lines(stream, place=place, encoding=encoding))
