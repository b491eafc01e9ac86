"""The records of a file of word vectors: GloVe's text, word2vec's and fastText's text, word2vec's binary format.

All three are a record a word: the word, a space and its numbers. In text the numbers are decimals and the record is a
line; in binary they are little-endian float32. word2vec and fastText put the number of words and the width before,
GloVe nothing.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from jaxseq.data.formats import HEAD, format_of
from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError

_WIDEST = 2**16
"""Numbers in the longest vector."""
_LONGEST_WORD = 2**12
"""Bytes in it: a file without spaces is none of vectors."""
_LONGEST_LINE = _LONGEST_WORD + 40 * _WIDEST
_PORTION = 2**20
_HEADER = re.compile(rb"(\d{1,15})[ \t](\d{1,15})[ \t\r]*")
_MARK = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """A word and its numbers, as they stand in the file."""

    word: bytes
    numbers: bytes
    number: int
    """Of its line, or in binary of the record, from 1."""


class VectorFile(NamedTuple):
    """A file of vectors whose beginning has been looked at."""

    place: str
    width: int
    """Numbers in a vector."""
    is_binary: bool
    records: Iterator[Record]
    """To be read once; raises InputError where the file is damaged."""

    def where(self, record: Record) -> str:
        """The place of a record, for messages."""
        return f"{self.place}, {'record' if self.is_binary else 'line'} {record.number:,}"


def open_vectors(place: str, stream: ByteStream) -> VectorFile:
    """The records of a stream of bytes; which format it has is seen in it. Memory is bounded by the longest record.

    Raises:
        InputError: it is no file of word vectors.
    """
    source = _Source(place, stream)
    head = source.peek(HEAD)
    if not head:
        raise InputError(f"{place} is empty: fetch it again")
    if other := format_of(head):
        raise InputError(f"{place} is {other.name} ({other.suffix or 'ELF'}), no file of vectors: {other.remedy}")
    if head.startswith(_MARK):
        source.exactly(len(_MARK))
    first = source.peek_line()
    header = _HEADER.fullmatch(first)
    width = int(header[2]) if header else _width_of(fields(first))
    if not 1 <= width <= _WIDEST:
        raise InputError(
            f"{place} is no file of word vectors, or damaged: by its first line a vector has {width:,} numbers"
        )
    if header is None:
        return VectorFile(place, width, False, _lines(source, width, count=None))
    count = int(header[1])
    source.line()
    parts = fields(source.peek_line())[1:]
    if parts and 2 * sum(map(is_number, parts)) >= len(parts):  # damaged as it may be
        return VectorFile(place, width, False, _lines(source, width, count=count))
    return VectorFile(place, width, True, _binary(source, width, count=count))


def fields(line: bytes) -> list[bytes]:
    """The parts of a line between spaces or tabs alone: words may hold U+0085 and U+00A0, white space to others."""
    return line.replace(b"\t", b" ").rstrip(b" \r").split(b" ")


def is_number(field: bytes) -> bool:
    """Whether `field` is a decimal number, NaN and infinity included."""
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _width_of(parts: list[bytes]) -> int:
    """How many numbers stand behind the word in the first line of a file that does not say it."""
    begin = next((i for i, part in enumerate(parts) if i and is_number(part)), len(parts))
    return len(parts) - (begin if all(map(is_number, parts[begin:])) else 1)


def _lines(source: "_Source", width: int, *, count: int | None) -> Iterator[Record]:
    """The records of a file in text; `count` is what its first line says of their number, if anything."""
    read = 0
    while (line := source.line()) is not None:
        number = read + (1 if count is None else 2)
        line = line.replace(b"\t", b" ").rstrip(b" \r")
        if not line and not source.peek(1):
            break
        if read == count:
            raise InputError(f"{source.place} has more than the {count:,} words that line 1 promises: mend line 1")
        word, numbers = _cut(line, width)
        # Words of several parts there are (". . ." in glove.840B); one with a number in it is two lines in one.
        if word is None or (b" " in word and any(map(is_number, word.split(b" ")[1:]))):
            raise InputError(
                f"{source.place}, line {number:,}: a word and {width} numbers make {width + 1} parts, it has "
                f"{line.count(b' ') + 1}: mend it or fetch the file again"
            )
        yield Record(word, numbers, number)
        read += 1
    if count is not None and read < count:
        raise InputError(f"{source.place} ends after {read:,} of the {count:,} words that line 1 promises: mend line 1")


def _cut(line: bytes, width: int) -> tuple[bytes | None, bytes]:
    """The word of a line and its last `width` parts; None where there are no more than these."""
    spaces = line.count(b" ")
    if spaces == width:
        word, _, numbers = line.partition(b" ")
        return word, numbers
    if spaces < width:
        return None, b""
    word, *numbers = line.rsplit(b" ", width)
    return word, b" ".join(numbers)


def _binary(source: "_Source", width: int, *, count: int) -> Iterator[Record]:
    for number in range(1, count + 1):
        word = source.until(b" ", most=_LONGEST_WORD)
        numbers = source.exactly(4 * width) if word is not None else b""
        if word is None or len(numbers) < 4 * width:
            raise InputError(
                f"{source.place} is damaged at record {number:,} of the {count:,} that line 1 promises: fetch it again"
            )
        yield Record(word.lstrip(b"\n"), numbers, number)  # word2vec's own program ends a record with a newline
    if source.peek(64).strip(b"\n"):
        raise InputError(f"{source.place} has more than the {count:,} words that line 1 promises: fetch it again")


class _Source:
    """A stream of bytes that can be looked at before it is read."""

    def __init__(self, place: str, stream: ByteStream) -> None:
        self.place = place
        self._stream = stream
        self._held, self._at, self._ended = b"", 0, False

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        self._fill(size)
        return self._held[self._at : self._at + size]

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end, read."""
        data = self.peek(size)
        self._at += len(data)
        return data

    def until(self, mark: bytes, *, most: int) -> bytes | None:
        """What stands before the next `mark`, which is read too; None where it is not among `most` bytes."""
        end = self._held.find(mark, self._at, self._at + most)
        if end < 0:
            self._fill(most)
            end = self._held.find(mark, self._at, self._at + most)
        if end < 0:
            return None
        data = self._held[self._at : end]
        self._at = end + len(mark)
        return data

    def peek_line(self) -> bytes:
        """The next line, cut where it is longer than any can be."""
        self._fill(_LONGEST_LINE)
        end = self._held.find(b"\n", self._at, self._at + _LONGEST_LINE)
        return self._held[self._at : end if end >= 0 else self._at + _LONGEST_LINE]

    def line(self) -> bytes | None:
        """The next line without its end; None behind the last one."""
        line = self.until(b"\n", most=_LONGEST_LINE)
        if line is not None:
            return line
        last = self.exactly(_LONGEST_LINE)
        if len(last) == _LONGEST_LINE:
            raise InputError(f"{self.place} has a line of more than {_LONGEST_LINE:,} bytes: fetch it again")
        return last or None

    def _fill(self, size: int) -> None:
        """Holds at least `size` bytes, if there are so many."""
        while not self._ended and len(self._held) - self._at < size:
            data = self._stream.read(max(size, _PORTION))
            self._held, self._at = self._held[self._at :] + data, 0
            self._ended = not data
