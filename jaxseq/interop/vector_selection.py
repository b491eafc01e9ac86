"""Which words of a file of vectors are kept, whatever its format."""

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.vector_lookup import WordVectors
from jaxseq.reading import shown

LONGEST_WORD = 2**12
"""Bytes in it: a file without spaces is none of vectors."""
WIDEST = 2**16
"""Numbers in the longest vector."""
_AT_ONCE = 2**12
"""Vectors that are looked at together."""


class Selection(NamedTuple):
    """What is asked of a file."""

    words: Collection[str] | None = None
    """Keep these only, or all."""
    limit: int | None = None
    """Look at so many words, the first ones of the file, or at all."""
    errors: Literal["strict", "replace"] = "strict"
    """What to do with words that are no UTF-8."""
    progress: Callable[[str], None] = lambda line: None
    """Takes a line that each later one replaces."""

    def told(self, place: str, count: int, total: int | None) -> None:
        """Says how many words have been looked at."""
        self.progress(f"{place}: {count:,} words" if total is None else f"{place}: {count:,} of {total:,} words")

    def amount(self, count: int) -> int:
        """How many of `count` words are looked at."""
        return count if self.limit is None else min(count, self.limit)


class OpenedVectors(Protocol):
    """A file of vectors whose beginning has been looked at."""

    @property
    def place(self) -> str:
        """Its name in messages."""
        ...

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        ...

    def read(self, selection: Selection) -> WordVectors:
        """The words and vectors asked for; once.

        Raises:
            InputError: the file is damaged.
        """
        ...


class KeptWords:
    """The words that are kept of a file, each once, in its order."""

    def __init__(self, selection: Selection, where: Callable[[int], str]) -> None:
        self.words: dict[str, None] = {}
        self.repeated = 0
        """Later ones of the same name."""
        self._errors = selection.errors
        self._where = where
        self._wanted = (
            None if selection.words is None else {word.encode("utf-8", "surrogatepass") for word in selection.words}
        )

    def take(self, word: bytes, number: int) -> bool:
        """Whether a word is kept, the file's record of this number.

        Raises:
            InputError: it is empty, or wanted and no UTF-8.
        """
        if not word:
            raise InputError(f"{self._where(number)}: no word stands before the numbers: mend it or fetch it again")
        if self._wanted is not None and word not in self._wanted:
            return False
        try:
            text = word.decode("utf-8", self._errors)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self._where(number)}: the word {shown_bytes(word)} is no UTF-8: fetch the file again, or read it "
                'with errors="replace"'
            ) from error
        if text in self.words:
            self.repeated += 1
            return False
        self.words[text] = None
        return True


def shown_bytes(content: bytes) -> str:
    """The beginning of what stands in a file, for a message of one line."""
    return shown(content[:60].decode("utf-8", "backslashreplace"))


def first_infinite(vectors: NDArray[np.float32]) -> int | None:
    """The first row of `vectors` [n, d] that is not finite; None where all are."""
    for begin in range(0, len(vectors), _AT_ONCE):
        is_finite = np.isfinite(vectors[begin : begin + _AT_ONCE]).all(axis=1)
        if not is_finite.all():
            return begin + int(is_finite.argmin())
    return None
