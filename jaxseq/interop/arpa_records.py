"""The records of an ARPA file, order by order, with what is wrong told by its line.

    \\data\\
    ngram 1=3
    ngram 2=1

    \\1-grams:
    -99<TAB><s><TAB>-0.30103
    -0.5<TAB>a<TAB>-0.2
    -1.25<TAB><unk>

    \\2-grams:
    -0.125<TAB><s> a

    \\end\\

A record is the logarithm to base 10 of a probability, the words, and for contexts the logarithm of their back-off
weight, 0 where it is left out.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.formats import HEAD, format_of
from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError
from jaxseq.reading import shown

_PORTION = 2**20
_LONGEST_LINE = 2**20
"""Bytes in it."""
_MOST_ORDERS = 32
_COUNT = re.compile(rb"ngram[ \t]+(\d{1,4})[ \t]*=[ \t]*(\d{1,15})[ \t]*")
_KENLM = b"mmap lm http"
_MARK = b"\xef\xbb\xbf"
_MEND = "fetch the file again, or mend the numbers at its start"


class Grams(NamedTuple):
    """The records of one order, as they stand in the file."""

    ids: NDArray[np.int32]
    """Of their words [n, k]."""
    log_probabilities: NDArray[np.float64]
    """To base 10 [n]."""
    backoffs: NDArray[np.float64]
    """To base 10 [n]."""
    line: int
    """Number of the line of the first one, from 1."""


class ArpaFile:
    """An ARPA file that is read from its start: the counts at once, then `unigrams`, `grams` of each order, and `end`.

    Raises:
        InputError: here or in one of these, it is no ARPA file, or damaged.
    """

    def __init__(self, place: str, stream: ByteStream) -> None:
        self.place = place
        self._number = 0
        self._lines = _lines(place, stream)
        self.counts: list[int] = []
        """Of the n-grams of every order, as the start says."""
        first = self._solid()
        if first != b"\\data\\":
            self._refuse_beginning(first)
        while (line := self._next()) and line.strip():
            self._count(line)
        if not self.counts:
            self.fail("\\data\\ is followed by no numbers of n-grams, as in ngram 1=3", "fetch the file again")

    def fail(self, what: str, remedy: str, *, line: int | None = None) -> NoReturn:
        """Raises the error about a line, the one read last unless another is given."""
        raise InputError(f"{self.place}, line {line or self._number:,}: {what}: {remedy}")

    def unigrams(self) -> tuple[list[str], Grams]:
        """The words, each once, and their records."""
        words: dict[bytes, int] = {}

        def new(parts: list[bytes]) -> list[int]:
            word = parts[1]
            if word in words:
                self.fail(f"the word {_shown(word)} is in line {first + words[word]:,} too", "leave one out")
            try:
                word.decode()
            except UnicodeDecodeError:
                self.fail(f"the word {_shown(word)} is no UTF-8", "write the file as UTF-8")
            words[word] = len(words)
            return [words[word]]

        first = self._header(1)
        records = self._records(1, new)
        return [word.decode() for word in words], records

    def grams(self, order: int, ids: Mapping[bytes, int]) -> Grams:
        """The records of k-grams, k above 1, whose words have these ids."""

        def known(parts: list[bytes]) -> list[int]:
            try:
                return [ids[word] for word in parts[1 : order + 1]]
            except KeyError as error:
                self.fail(f"the word {_shown(error.args[0])} is none of the 1-grams, or of the vocabulary", "add it")

        self._header(order)
        return self._records(order, known)

    def end(self) -> None:
        """Reads what is behind the last n-gram."""
        line = self._solid()
        if line != b"\\end\\":
            self.fail(self._unexpected(line, "\\end\\"), _MEND)
        if (line := self._solid()) is not None:
            self.fail(f"{_shown(line)} stands behind \\end\\", "leave it out")

    def _next(self) -> bytes | None:
        self._number += 1
        return next(self._lines, None)

    def _solid(self) -> bytes | None:
        """The next line that is not empty, white space around it left out; None behind the last one."""
        while (line := self._next()) is not None:
            if line := line.strip():
                return line
        return None

    def _count(self, line: bytes) -> None:
        found = _COUNT.fullmatch(line.strip())
        order = len(self.counts) + 1
        if found is None or int(found[1]) != order or order > _MOST_ORDERS:
            self.fail(f"{_shown(line)} is not the number of {order}-grams, as in ngram {order}=3", "mend the line")
        self.counts.append(int(found[2]))

    def _header(self, order: int) -> int:
        """Reads the line before the k-grams; the number of the line behind it."""
        header = f"\\{order}-grams:"
        line = self._solid()
        if line != header.encode():
            self.fail(self._unexpected(line, header), _MEND)
        return self._number + 1

    def _unexpected(self, line: bytes | None, wanted: str) -> str:
        if line is None:
            return f"the file ends where {wanted} should stand"
        return f"{_shown(line)} stands where {wanted} should: the counts at the start promise no more before it"

    def _records(self, order: int, ids_of: Callable[[list[bytes]], list[int]]) -> Grams:
        ids, numbers, backoffs = array("i"), array("d"), array("d")
        first, count, is_last = self._number + 1, self.counts[order - 1], order == len(self.counts)
        for read in range(count):
            line = self._next()
            parts = [] if line is None else line.replace(b"\t", b" ").strip(b" \r").split(b" ")
            if not parts or not parts[0] or parts[0].startswith(b"\\"):
                self.fail(f"the {order}-grams end after {read:,} of the {count:,} that the start promises", _MEND)
            if b"" in parts:
                parts = [part for part in parts if part]
            number = self._number
            try:
                log, backoff = self._numbers_of(parts, order, is_last=is_last)
                ids.extend(ids_of(parts))
            except InputError:
                if self._next() is not None:
                    raise
                self.fail(f"the file ends within one of the {order}-grams", _MEND, line=number)
            numbers.append(log)
            backoffs.append(backoff)
        shape = (count, order)
        return Grams(np.array(ids, np.int32).reshape(shape), np.array(numbers), np.array(backoffs), first)

    def _numbers_of(self, parts: list[bytes], order: int, *, is_last: bool) -> tuple[float, float]:
        """The logarithms of the probability and of the back-off weight in a record."""
        if not order < len(parts) < order + 3:
            self.fail(f"a {order}-gram makes {order + 1} or {order + 2} parts, it has {len(parts)}", "mend the line")
        log = self._number_in(parts[0])
        if log > 0:
            self.fail(f"{_shown(parts[0])} is above 0, no logarithm of a probability", "mend the line")
        backoff = self._number_in(parts[-1]) if len(parts) > order + 1 else 0.0
        if is_last and backoff:
            self.fail(f"one of the longest n-grams has a back-off weight, {_shown(parts[-1])}", "leave it out")
        return log, backoff

    def _number_in(self, field: bytes) -> float:
        try:
            number = float(field)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or b"_" in field:
            self.fail(f"{_shown(field)} is no finite number", "mend the line")
        return number

    def _refuse_beginning(self, first: bytes | None) -> NoReturn:
        if first is None:
            raise InputError(f"{self.place} is empty: fetch it again")
        if first.startswith(_KENLM):
            raise InputError(f"{self.place} is a binary file of KenLM: give the ARPA file that it was built from")
        self.fail(f"an ARPA file begins with \\data\\, not with {_shown(first)}", "give one")


def _lines(place: str, stream: ByteStream) -> Iterator[bytes]:
    """The lines of a stream, without their ends."""
    held, head = b"", True
    while data := stream.read(_PORTION):
        if head and (other := format_of(data[:HEAD])):
            raise InputError(f"{place} is {other.name} ({other.suffix or 'ELF'}), no ARPA file: {other.remedy}")
        held, head = held + (data.removeprefix(_MARK) if head else data), False
        *lines, held = held.split(b"\n")
        yield from lines
        if len(held) > _LONGEST_LINE:
            raise InputError(f"{place} has a line of more than {_LONGEST_LINE:,} bytes: it is no ARPA file")
    if held:
        yield held


def _shown(content: bytes) -> str:
    text = content[:60].replace(b"\t", b" ").decode("utf-8", "backslashreplace")
    return repr(shown(text)) if text else "nothing"
