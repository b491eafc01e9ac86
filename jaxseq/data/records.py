"""The texts to predict for: one for every line of a text, for every record of a table."""

import sys
from collections.abc import Iterator
from typing import Literal

from jaxseq.data.lines import read_lines
from jaxseq.data.members import file_streams
from jaxseq.data.pieces import ByteStream
from jaxseq.data.sources import STANDARD_INPUT
from jaxseq.data.tables import TABLES, read_rows, suffix_of
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown

RecordFormat = Literal["text", "csv", "tsv", "jsonl"]


def record_format(name: str) -> RecordFormat:
    """The format of a file by the end of its name, compressed or not; what is no table is text."""
    return TABLES.get(suffix_of(name), "text")


def read_records(
    stream: ByteStream,
    *,
    form: RecordFormat,
    place: str,
    text_column: str = "text",
    encoding: str = "utf-8",
) -> Iterator[str]:
    """One text for every line of a text, or record of a table, in order; an empty line is an empty text.

    The last line need not have an end: with and without one the texts are the same.

    Args:
        form: "text" is a text a line; the others are tables as `jaxseq.data.tables` says.
        place: the stream's name in messages.
        text_column: of a table, the column or key that is read.

    Raises:
        InputError: a record cannot be read; its line is named.
    """
    lines = read_lines(stream, place=place, encoding=encoding)
    if form == "text":
        yield from (line.removesuffix("\n").removesuffix("\r") for line in lines)
        return
    for row in read_rows(lines, kind=form, place=place, columns={"--data.text-column": text_column}):
        yield "" if row.values is None else row.values[0]


def open_records(
    source: str, *, form: RecordFormat | None = None, text_column: str = "text", encoding: str = "utf-8"
) -> Iterator[str]:
    """The same of a file, compressed or not, of a pipe, or of standard input, which is "-".

    Args:
        form: None tells it by the end of the name; standard input is then text.

    Raises:
        InputError: as in `read_records`; or there is no such file.
    """
    form = form or record_format(source)
    for place, stream in _opened(source):
        yield from read_records(stream, form=form, place=place, text_column=text_column, encoding=encoding)


def _opened(source: str) -> Iterator[tuple[str, ByteStream]]:
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed: give a file, or send it the texts")
        return iter([("standard input", _StandardInput(sys.stdin.buffer))])
    if not source or "\0" in source:
        raise InputError(f'{source!a} is no name of a file: give one, or "-" for standard input')
    path = expanded(source)
    if path.is_dir():
        raise InputError(f"{shown(source)} is a folder: give a file with a text on each line")
    return file_streams(path)


class _StandardInput:
    """Bytes as they come: a read waits for some, not for as many as it asks for."""

    def __init__(self, buffer: ByteStream) -> None:
        # The buffer is locked by a thread that waits for it, and Python cannot end then.
        self._stream: ByteStream = getattr(buffer, "raw", buffer)

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:  # a folder, or a terminal that is gone
            raise InputError(f"standard input cannot be read ({error.strerror}): send it the text of a file") from error
