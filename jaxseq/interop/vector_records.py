"""The records of a file of word vectors: GloVe's text, word2vec's and fastText's text, word2vec's binary format.

All three are a record a word: the word, a space and its numbers. In text the numbers are decimals and the record is a
line; in binary they are little-endian float32. word2vec and fastText put the number of words and the width before,
GloVe nothing. Records are read in blocks, of which the numbers are looked at together.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jaxseq.data.formats import HEAD, format_of
from jaxseq.errors import InputError
from jaxseq.interop.vector_lookup import WordVectors
from jaxseq.interop.vector_selection import LONGEST_WORD, WIDEST, KeptWords, Selection, first_infinite, shown_bytes
from jaxseq.interop.vector_source import PORTION, Source

LONGEST_LINE = LONGEST_WORD + 40 * WIDEST
_HEADER = re.compile(rb"(\d{1,15})[ \t](\d{1,15})[ \t\r]*")
_MARK = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Records that follow each other, as they stand in the file."""

    words: Sequence[bytes]
    numbers: Sequence[bytes] | NDArray[np.uint8]
    """Of text what stands behind the word in a line [n]; in binary the bytes of the vectors [n, 4 d]."""
    first: int
    """The number of the line of the first one, or in binary of the record, from 1."""


@dataclass(frozen=True)
class RecordFile:
    """A file of records whose beginning has been looked at."""

    place: str
    width: int
    """Numbers in a vector."""
    is_binary: bool
    count: int | None
    """Words that its first line promises, if it does."""
    blocks: Iterator[Block]
    """To be read once; raises InputError where the file is damaged."""

    def where(self, number: int) -> str:
        """The place of a record, for messages."""
        return f"{self.place}, {'record' if self.is_binary else 'line'} {number:,}"

    def read(self, selection: Selection) -> WordVectors:
        """The words and vectors asked for.

        Raises:
            InputError: the file is damaged before the last word that is looked at.
        """
        kept = KeptWords(selection, self.where)
        numbers = bytearray()
        seen = 0
        total = None if self.count is None else selection.amount(self.count)
        for block in self.blocks:
            most = len(block.words) if selection.limit is None else selection.limit - seen
            rows: list[int] = []
            refusal = None
            for row, word in enumerate(block.words[:most]):
                try:
                    if kept.take(word, block.first + row):
                        rows.append(row)
                except InputError as error:
                    refusal = error
                    break
            if rows:
                numbers += self._vectors(block, rows).data.cast("B")
            if refusal is not None:  # what is wrong before it has been told
                raise refusal
            seen += len(block.words[:most])
            selection.told(self.place, seen, total)
            if seen == selection.limit:
                break
        vectors = np.frombuffer(numbers, np.float32).reshape(len(kept.words), self.width)
        return WordVectors(tuple(kept.words), vectors, self.place, kept.repeated)

    def _vectors(self, block: Block, rows: Sequence[int]) -> NDArray[np.float32]:
        """The vectors [n, d] of some records of a block.

        Raises:
            InputError: one is none, or not finite.
        """
        if isinstance(block.numbers, np.ndarray):
            numbers = block.numbers if len(rows) == len(block.numbers) else block.numbers[rows]
            vectors = numbers.view("<f4").astype(np.float32, copy=False)
        else:
            vectors = _decimals([block.numbers[row] for row in rows], self.width)
            if vectors is None:  # slowly, to say where
                vectors = np.stack([self._vector(block.numbers[row], block.first + row) for row in rows])
        row = first_infinite(vectors)
        if row is not None:
            word = shown_bytes(block.words[rows[row]])
            raise InputError(
                f"{self.where(block.first + rows[row])}: the vector of {word} is not finite in float32: "
                "leave the word out"
            )
        return vectors

    def _vector(self, numbers: bytes, line: int) -> NDArray[np.float32]:
        """The numbers [d] in a line."""
        parts = numbers.split(b" ")
        wrong = next((part for part in parts if not is_number(part)), None)
        if wrong is not None:
            raise InputError(f"{self.where(line)}: {shown_bytes(wrong)} is no number: mend it or fetch the file again")
        with np.errstate(over="ignore"):
            return np.array(list(map(float, parts)), np.float64).astype(np.float32)


def open_records(source: Source) -> RecordFile:
    """The records of a stream of bytes; which format it has is seen in it. Memory is bounded by a block, a few MB.

    Raises:
        InputError: it is no file of word vectors.
    """
    place, head = source.place, source.peek(HEAD)
    if not head:
        raise InputError(f"{place} is empty: fetch it again")
    if other := format_of(head):
        raise InputError(f"{place} is {other.name} ({other.suffix or 'ELF'}), no file of vectors: {other.remedy}")
    if head.startswith(_MARK):
        source.skip(len(_MARK))
    first = source.peek_line()
    header = _HEADER.fullmatch(first)
    width = int(header[2]) if header else _width_of(_fields(first))
    if not 1 <= width <= WIDEST:
        raise InputError(
            f"{place} is no file of word vectors, or damaged: by its first line a vector has {width:,} numbers"
        )
    if header is None:
        return RecordFile(place, width, False, None, _lines(source, width, count=None))
    count = int(header[1])
    source.skip(len(source.peek(len(first) + 1)))
    parts = _fields(source.peek_line())[1:]
    if parts and 2 * sum(map(is_number, parts)) >= len(parts):  # damaged as it may be
        return RecordFile(place, width, False, count, _lines(source, width, count=count))
    return RecordFile(place, width, True, count, _binary(source, width, count=count))


def is_number(field: bytes) -> bool:
    """Whether `field` is a decimal number, NaN and infinity included."""
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _fields(line: bytes) -> list[bytes]:
    """The parts of a line between spaces or tabs alone: words may hold U+0085 and U+00A0, white space to others."""
    return line.replace(b"\t", b" ").rstrip(b" \r").split(b" ")


def _width_of(parts: list[bytes]) -> int:
    """How many numbers stand behind the word in the first line of a file that does not say it."""
    begin = next((i for i, part in enumerate(parts) if i and is_number(part)), len(parts))
    return len(parts) - (begin if all(map(is_number, parts[begin:])) else 1)


def _decimals(rows: Sequence[bytes], width: int) -> NDArray[np.float32] | None:
    """The numbers [n, d] of lines; None where one is none, or so that it takes a closer look."""
    if not all(rows):
        return None
    try:
        # Rounds to float64 and then to float32, as Python and gensim do, in half the time that the first takes.
        table = np.loadtxt([row.decode("ascii", "replace") for row in rows], np.float32, delimiter=" ", comments=None)
    except ValueError:
        return None
    return table.reshape(len(rows), width) if table.size == len(rows) * width else None


def _lines(source: Source, width: int, *, count: int | None) -> Iterator[Block]:
    """The records of a file in text."""
    place, read, above = source.place, 0, 0 if count is None else 1
    while data := source.lines():
        lines = data.removesuffix(b"\n").replace(b"\t", b" ").split(b"\n")
        if not lines[-1].rstrip(b" \r") and not source.peek(1):
            lines.pop()
        most = len(lines) if count is None else min(len(lines), count - read)
        first = read + above + 1
        words, numbers = [], []
        for line in lines[:most]:
            line = line.rstrip(b" \r")
            word, rest = _cut(line, width)
            if word is None:
                yield Block(words, numbers, first)
                has = line.count(b" ") + 1
                raise InputError(
                    f"{place}, line {first + len(words):,}: a word and {width} numbers make {width + 1} parts, it has "
                    f"{has}: mend it or fetch the file again"
                )
            words.append(word)
            numbers.append(rest)
        yield Block(words, numbers, first)
        if most < len(lines):
            raise InputError(f"{place} has more than the {count:,} words that line 1 promises: mend line 1")
        read += len(words)
    if count is not None and read < count:
        raise InputError(f"{place} ends after {read:,} of the {count:,} words that line 1 promises: mend line 1")


def _cut(line: bytes, width: int) -> tuple[bytes | None, bytes]:
    """The word of a line and its last `width` parts; None where it is not made so."""
    word, _, numbers = line.partition(b" ")
    spaces = numbers.count(b" ") + 1
    if spaces == width and numbers:
        return word, numbers
    if spaces < width or not numbers:
        return None, b""
    word, *parts = line.rsplit(b" ", width)
    # Words of several parts there are (". . ." in glove.840B); one with a number in it is two lines in one.
    return None if any(map(is_number, word.split(b" ")[1:])) else word, b" ".join(parts)


def _binary(source: Source, width: int, *, count: int) -> Iterator[Block]:
    """The records of a file in word2vec's binary format."""
    place, size, read = source.place, 4 * width, 0
    while read < count:
        held = source.peek(PORTION)
        words, starts, at = [], [], 0
        while read + len(words) < count:
            space = held.find(b" ", at, at + LONGEST_WORD)
            end = space + 1 + size
            if space < 0 or end > len(held):
                break
            words.append(held[at:space].lstrip(b"\n"))  # word2vec's own program ends a record with a newline
            starts.append(space + 1)
            at = end
        if not words:
            raise InputError(
                f"{place} is damaged at record {read + 1:,} of the {count:,} that line 1 promises: fetch it again"
            )
        source.skip(at)
        yield Block(words, sliding_window_view(np.frombuffer(held, np.uint8), size)[starts], read + 1)
        read += len(words)
    if source.peek(64).strip(b"\n"):
        raise InputError(f"{place} has more than the {count:,} words that line 1 promises: fetch it again")
