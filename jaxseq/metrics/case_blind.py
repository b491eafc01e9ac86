"""Words whatever their case, as the published scripts that score word vectors read them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class CaseBlind(NamedTuple):
    """A vocabulary without case: of the words that differ in it alone the first stands for all, the most frequent where
    they are sorted so."""

    rows: dict[str, int]
    """The first word of each form, by `folded` words."""
    groups: NDArray[np.int32]
    """Of each word [v], the row of the first of its form."""

    def rows_of(self, words: Sequence[str]) -> list[int] | None:
        """The rows of words; None where one of them is not there."""
        found = [self.rows.get(folded(word), -1) for word in words]
        return None if -1 in found else found


def folded(word: str) -> str:
    """A word without its case: in capitals, as word2vec's `compute-accuracy` and gensim have it."""
    return word.upper()


def case_blind(words: Sequence[str]) -> CaseBlind:
    """The vocabulary `words` [v] without case."""
    rows: dict[str, int] = {}
    groups = [rows.setdefault(folded(word), row) for row, word in enumerate(words)]
    return CaseBlind(rows, np.array(groups, np.int32))
