"""Rows of tables: comma-separated values, tab-separated values and JSON lines.

- `.csv` is RFC 4180: commas, fields in double quotes may hold commas, line ends and doubled double quotes.
- `.tsv` (and `.txt` where a table is asked for) has tabs and no quoting: a double quote is a character like any other,
  a field holds neither tabs nor line ends.
- `.jsonl`, `.ndjson` and `.json` have one object on each line.
The first line of the first two names the columns, unless they are given by their numbers.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from jaxseq.data.archives import COMPRESSED_SUFFIXES
from jaxseq.errors import InputError
from jaxseq.reading import shown

Kind = Literal["csv", "tsv", "jsonl"]
TABLES: dict[str, Kind] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
"""The kind of a table by the end of its name, `.txt` apart."""

_TEXT = ".txt"
_LARGEST_FIELD = 2**31 - 1  # Python's own limit, 131,072 characters, is below what a text may have
_SHOWN_COLUMNS = 20
_BLANKS = " \t\r\n"


class Row(NamedTuple):
    """A record of a table."""

    line: int
    """The number of the line that it begins on, from 1."""
    values: list[str] | None
    """In the order of the columns that were asked for; None for an empty line."""


class ListRow(NamedTuple):
    """A record of a table of which one column holds lists."""

    line: int
    """The number of the line that it begins on, from 1."""
    values: list[str] | None
    """The list; None for an empty line."""


def suffix_of(name: str) -> str:
    """The end of a file's name in lower case, that of a compressed file's content: ".csv" of "a.CSV.gz"."""
    stem, suffix = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if suffix in COMPRESSED_SUFFIXES else suffix


def table_kind(name: str) -> Kind:
    """The kind of the table in a file of this name; a `.txt` has tabs.

    Raises:
        InputError: it is none by its name.
    """
    suffix = suffix_of(name)
    if suffix == _TEXT:
        return "tsv"
    if suffix not in TABLES:
        raise InputError(
            f"{shown(name)} is by its name no table and no archive: let it end in {', '.join(TABLES)}, "
            f"in {_TEXT} where tabs separate"
        )
    return TABLES[suffix]


def read_rows(lines: Iterator[str], *, kind: Kind, place: str, columns: Mapping[str, str]) -> Iterator[Row]:
    """The records of a table.

    Args:
        lines: as `read_lines` gives them.
        place: the table's name in messages.
        columns: the columns to read by the options that name them, as {"--data.text-column": "text"}.

    Raises:
        InputError: there is no such column, or a record does not have the form of its kind; its line is named.
    """
    if kind == "jsonl":
        yield from _json_rows(lines, place, columns)
        return
    rows = _csv_rows(lines, place) if kind == "csv" else _tsv_rows(lines)
    line, header = next(rows, (1, []))
    if not header:
        raise InputError(f"{place} begins with no line that names its columns: add one, as {_example(kind)}")
    at = [_column(header, name, option, columns, place) for option, name in columns.items()]
    for line, fields in rows:
        if not fields:
            yield Row(line, None)
        elif len(fields) != len(header):
            raise InputError(
                f"{place}, line {line} has {_counted(len(fields), 'field')}, the first line names "
                f"{_counted(len(header), 'column')}: repair the line or leave it out"
            )
        else:
            yield Row(line, [fields[index] for index in at])


def read_numbered_rows(lines: Iterator[str], *, kind: Kind, place: str, columns: Mapping[str, str]) -> Iterator[Row]:
    """The records of a table whose first line is a record, too, of comma- or tab-separated values.

    Args:
        lines, kind, place: as of `read_rows`.
        columns: the numbers of the columns to read, from 1, by the options that give them. A record may have more.

    Raises:
        InputError: a number is 0, or a record has fewer columns; its line is named.
    """
    at = [int(number) - 1 for number in columns.values()]
    if -1 in at:
        raise InputError(f"{list(columns)[at.index(-1)]} is 0: columns are numbered from 1")
    for line, fields in _csv_rows(lines, place) if kind == "csv" else _tsv_rows(lines):
        if not fields:
            yield Row(line, None)
        elif len(fields) <= max(at):
            option = list(columns)[at.index(max(at))]
            raise InputError(
                f"{place}, line {line} has {_counted(len(fields), 'column')}, and {option} is {max(at) + 1}: repair "
                "the line, leave it out, or give another column"
            )
        else:
            yield Row(line, [fields[index] for index in at])


def read_lists(
    lines: Iterator[str], *, kind: Kind, place: str, column: tuple[str, str], separator: tuple[str, str]
) -> Iterator[ListRow]:
    """The lists in one column of a table: those of JSON, and texts that are lists by what separates their parts.

    Args:
        lines, place: as of `read_rows`.
        column, separator: each as the option that names it and its value; a separator may be "".

    Raises:
        InputError: as in `read_rows`; or what a record has there is no list.
    """
    name, columns = column[1], dict([column])
    if kind != "jsonl":
        for line, values in read_rows(lines, kind=kind, place=place, columns=columns):
            yield ListRow(line, None if values is None else _parts(values[0], f"{place}, line {line}", name, separator))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip(_BLANKS):
            yield ListRow(number, None)
            continue
        here = f"{place}, line {number}"
        value = _json_value(_json_object(line, here), name, columns, here)
        if isinstance(value, list):
            items = enumerate(value, 1)
            yield ListRow(number, [_json_text(item, f"{here}: item {at} of {shown(name)!r}") for at, item in items])
        else:
            yield ListRow(number, _parts(_json_text(value, f"{here}: {shown(name)!r}"), here, name, separator))


def filled_rows(rows: Iterator[Row] | Iterator[ListRow], *, place: str, remedy: str) -> Iterator[tuple[int, list[str]]]:
    """Line and values of rows. Empty lines may stand at the end of a table alone.

    Args:
        remedy: what to do about others, as "give it a text".

    Raises:
        InputError: there is another one.
    """
    empty = None
    for line, values in rows:
        if values is None:
            empty = empty or line
        elif empty is not None:
            raise InputError(f"{place}, line {empty} is empty: {remedy}, or leave it out")
        else:
            yield line, values


def _column(header: list[str], name: str, option: str, columns: Mapping[str, str], place: str) -> int:
    found = [index for index, column in enumerate(header) if column.strip() == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{place} has {len(found)} columns {shown(name)!r} ({option}): give them different names")
    raise InputError(f"{place} has no column {shown(name)!r}, {_present(header)}: name one by {_options(columns)}")


def _present(names: list[str]) -> str:
    shorter = ", ".join(shown(name.strip()[:60]) for name in names[:_SHOWN_COLUMNS])
    return f"its columns are {shorter}{' ...' if len(names) > _SHOWN_COLUMNS else ''}"


def _options(columns: Mapping[str, str]) -> str:
    return " or ".join(columns)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _example(kind: Kind) -> str:
    return '"text,label"' if kind == "csv" else "text and label with a tab between"


def _tsv_rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        content = line.removesuffix("\n").removesuffix("\r")
        yield number, content.split("\t") if content else []


def _csv_rows(lines: Iterator[str], place: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        before = csv.field_size_limit(_LARGEST_FIELD)  # one for the whole process, so it is left as it was
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{place}, line {line} is no comma-separated values ({error}): repair its double quotes and line ends, "
                "or let the name end in .tsv where tabs separate"
            ) from error
        finally:
            csv.field_size_limit(before)
        if row is None:
            return
        yield line, row


def _json_rows(lines: Iterator[str], place: str, columns: Mapping[str, str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip(_BLANKS):
            yield Row(number, None)
            continue
        here = f"{place}, line {number}"
        record = _json_object(line, here)
        found = [(name, _json_value(record, name, columns, here)) for name in columns.values()]
        yield Row(number, [_json_text(value, f"{here}: {shown(name)!r}") for name, value in found])


def _json_object(line: str, here: str) -> dict[str, Any]:
    try:
        record = _DECODE(line)
    except (ValueError, RecursionError) as error:
        what = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else shown(error)
        raise InputError(f"{here} is no JSON ({what}): give one object on each line") from error
    if not isinstance(record, dict):
        raise InputError(f"{here} is no JSON object: give one object on each line")
    return record


def _json_value(record: dict[str, Any], name: str, columns: Mapping[str, str], here: str) -> Any:
    if name not in record:
        raise InputError(f"{here} has no {shown(name)!r}, {_present(list(record))}: name one by {_options(columns)}")
    return record[name]


def _json_text(value: Any, what: str) -> str:
    """A text, number or truth value as text; `what` it is, for messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        kind = "null" if value is None else "a list" if isinstance(value, list) else "an object"
        raise InputError(f"{what} is {kind}, no text and no number: repair the line or leave it out")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{what} holds half a surrogate pair (U+{ord(value[error.start]):04X}): repair the line or leave it out"
            ) from error
    return value


def _parts(text: str, here: str, name: str, separator: tuple[str, str]) -> list[str]:
    """What `text` is a list of; of nothing where it is empty."""
    option, between = separator
    if not between:
        raise InputError(f"{here}: {shown(name)!r} is one text, no list: say by {option} what separates its parts")
    return text.split(between) if text else []


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


# Numbers stay as they are written: a label 1 is "1", and 1.50 is "1.50".
_DECODE: Callable[[str], Any] = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant).decode
