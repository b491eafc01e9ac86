"""Pairs of sentences, source and target, from files that are aligned line by line or from a table."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePath
from typing import NamedTuple

from jaxseq.data.archives import TARS
from jaxseq.data.lines import read_lines
from jaxseq.data.members import Parts, archive_files, file_streams
from jaxseq.data.pieces import ByteStream
from jaxseq.data.table_files import open_tables
from jaxseq.data.tables import Row, filled_rows, read_numbered_rows, read_rows
from jaxseq.data.text_archives import members_of
from jaxseq.data.text_files import find_files
from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.signals import Poll, never

_SOURCE, _TARGET = "--data.source-column", "--data.target-column"
_ARCHIVES = (*TARS, ".zip")
_TAKES = "a file with a sentence on each line, a glob for several, or members of an archive as a.tar.gz/*/train.de"
_LONGEST = 40
"""Characters of a sentence that a message shows."""


class Pairs(NamedTuple):
    """Sentences and what each is to become, in the order of their files."""

    sources: list[str]
    targets: list[str]
    remark: str = ""
    """What was left out, in words for a person; empty where all was read."""


class PairSource(NamedTuple):
    """Where pairs are read."""

    source: str
    """Files with a sentence on each line; or, where there is no target, tables that hold both sides."""
    target: str = ""
    """Files with as many lines."""
    source_column: str = "1"
    """Column of a table: its name in the first line; or its number from 1, where both are numbers, and the first line
    is a pair like others."""
    target_column: str = "2"
    encoding: str = "utf-8"
    option: str = "--data."
    """What the names of the options begin with that give source and target, for messages: "--data.test-"."""


def read_pairs(where: PairSource, *, poll: Poll = never) -> Pairs:
    """The pairs of all files that a source names, one behind the other.

    A pair of which a side is empty, or white space alone, is left out, and so is one of two such sides; `remark` says
    how many those were, and where the first was. Sentences lose white space around them.

    Raises:
        InputError: there is no such source, one cannot be read, has another number of lines than its partner or a line
            without such columns (it is named); or there is no pair.
    """
    return _read(where, _files(where, poll))


def read_named_pairs(where: PairSource, *, poll: Poll = never) -> dict[str, Pairs]:
    """The pairs of each of the files that a source names, by these files' names as far as their first dot.

    Raises:
        InputError: as in `read_pairs`; or two files have one name.
    """
    found: dict[str, Pairs] = {}
    for name, pairs in _files(where, poll):
        key = PurePath(name).name.split(".")[0]
        if key in found:
            raise InputError(
                f"{shown(where.source)} stands for two files {shown(key)}: give them different names, as their "
                "figures are told by these"
            )
        found[key] = _read(where, [(name, pairs)])
    return found


class _Pair(NamedTuple):
    place: str
    """Where it stands, for messages."""
    source: str
    target: str


_File = tuple[str, Iterator[_Pair]]
"""Name and pairs of a file, to be read before the next one is asked for."""


def _files(where: PairSource, poll: Poll) -> Iterator[_File]:
    return _aligned(where, poll) if where.target else _tables(where, poll)


def _read(where: PairSource, files: Iterator[_File] | list[_File]) -> Pairs:
    sources, targets = [], []
    read, first = 0, ""
    for pair in chain.from_iterable(pairs for _, pairs in files):
        read += 1
        source, target = pair.source.strip(), pair.target.strip()
        if source and target:
            sources.append(source)
            targets.append(target)
        else:
            first = first or pair.place
    if not sources:
        source, target = f"{where.option}source", f"{where.option}target"
        if where.target:
            named, remedy = f"{shown(where.source)} and {shown(where.target)} have", f"others by {source} and {target}"
        else:
            named, remedy = f"{shown(where.source)} has", f"{source} one that has some"
        raise InputError(f"{named} no pair of two sentences: give {remedy}")
    short = read - len(sources)
    remark = f"{short:,} of {read:,} pairs lack a side and are left out, the first one at {first}" if short else ""
    return Pairs(sources, targets, remark)


def _tables(where: PairSource, poll: Poll) -> Iterator[_File]:
    columns = {_SOURCE: where.source_column, _TARGET: where.target_column}
    numbered = all(column.isascii() and column.isdigit() for column in columns.values())
    option = f"{where.option}source"
    for table in open_tables(where.source, option=option, encoding=where.encoding, poll=poll):
        read = read_numbered_rows if numbered and table.kind != "jsonl" else read_rows
        yield table.place, _rows(read(table.lines, kind=table.kind, place=table.place, columns=columns), table.place)


def _rows(rows: Iterator[Row], place: str) -> Iterator[_Pair]:
    for line, (source, target) in filled_rows(rows, place=place, remedy="give it a pair"):
        yield _Pair(f"{place}, line {line}", source, target)


def _aligned(where: PairSource, poll: Poll) -> Iterator[_File]:
    sides = []
    for source, option in ((where.source, f"{where.option}source"), (where.target, f"{where.option}target")):
        sides.append(list(_line_files(source, option, where.encoding, poll)))
    first, second = map(len, sides)
    if first != second:
        raise InputError(
            f"{shown(where.source)} stands for {first} files and {shown(where.target)} for {second}: each file needs "
            "one with its translations"
        )
    for (name, lines), (other, translations) in zip(*sides, strict=True):
        yield name, _lines(name, list(lines), other, list(translations), poll)


def _lines(name: str, sources: list[str], other: str, targets: list[str], poll: Poll) -> Iterator[_Pair]:
    if len(sources) != len(targets):
        longer, shorter = (name, other) if len(sources) > len(targets) else (other, name)
        at = min(len(sources), len(targets))
        alone = max(sources, targets, key=len)[at]
        raise InputError(
            f"{name} has {len(sources):,} lines and {other} has {len(targets):,}: line {at + 1:,} of {longer}, "
            f"{_begin(alone)}, has no partner in {shorter}; give files that are aligned line by line"
        )
    for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
        poll()
        yield _Pair(f"{name}, line {number:,}", source, target)


def _line_files(source: str, option: str, encoding: str, poll: Poll) -> Iterator[tuple[str, Iterator[str]]]:
    """The files of one side, sorted by name, and the lines of each."""
    members = members_of(source, archives=_ARCHIVES, alone="*")
    if members is None:
        for file in find_files(source, option=option, takes=_TAKES):
            streams = file_streams(file)
            yield shown(file), (line for place, stream in streams for line in _whole_lines(stream, place, encoding))
        return
    pattern = members.pattern

    def wanted(name: Parts) -> bool:
        return fnmatchcase("/".join(name), pattern)

    found = archive_files(members.archive, wanted, poll)
    if not found:
        archive = shown(members.archive)
        raise InputError(f"{archive} has no member like {shown(pattern)}: name one in it, as {archive}/*/train.de")
    for streams in found.values():
        for place, stream in streams():
            yield place, _whole_lines(stream, place, encoding)


def _whole_lines(stream: ByteStream, place: str, encoding: str) -> Iterator[str]:
    lines = read_lines(stream, place=place, encoding=encoding)
    return (line.removesuffix("\n").removesuffix("\r") for line in lines)


def _begin(text: str) -> str:
    return repr(text[:_LONGEST]) + (" ..." if len(text) > _LONGEST else "")
