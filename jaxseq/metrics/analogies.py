"""What word vectors know by their differences: "man is to king as woman is to queen"."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.metrics.case_blind import case_blind
from jaxseq.ops.distances import unit
from jaxseq.ops.neighbours import nearest_rows

MOST_FREQUENT = 30_000
"""Words that word2vec's `compute-accuracy` looks among in its published use."""

Question = tuple[str, str, str, str]
"""The fourth is to the third as the second is to the first, and is asked for."""

_unit = jax.jit(unit)


class SectionScore(NamedTuple):
    """How many questions are answered right."""

    name: str
    right: int
    answered: int
    """Those of which all four words have a vector; the others do not count."""
    asked: int

    @property
    def accuracy(self) -> float:
        """The share of the answered that is right; NaN where none is answered."""
        return self.right / self.answered if self.answered else math.nan


class AnalogyScores(NamedTuple):
    """Those of every section, in the order of the file."""

    sections: tuple[SectionScore, ...]
    vocabulary: int
    """Words that were looked among."""

    @property
    def totals(self) -> tuple[SectionScore, ...]:
        """Of all sections; and before it, where the names tell them as those of Google's questions do, of the syntactic
        ones, which begin with "gram", and of the others, the semantic ones."""
        kinds = {"semantic": False, "syntactic": True}
        parts = {
            name: [section for section in self.sections if section.name.startswith("gram") == is_grammar]
            for name, is_grammar in kinds.items()
        }
        both = all(parts.values())
        return tuple(_sum(name, part) for name, part in [*(parts.items() if both else ()), ("total", self.sections)])


def directions(
    first: NDArray[np.floating], second: NDArray[np.floating], third: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Where the fourth word of analogies is looked for, [n, d]: the third, and what makes the second of the first, each
    of length 1 (3CosAdd; Mikolov, Yih and Zweig 2013, "Linguistic Regularities in Continuous Space Word
    Representations")."""
    return np.asarray(_unit(second)) - np.asarray(_unit(first)) + np.asarray(_unit(third))


def score_analogies(
    words: Sequence[str],
    vectors: NDArray[np.floating],
    sections: Sequence[tuple[str, Sequence[Question]]],
    *,
    most_frequent: int | None = MOST_FREQUENT,
    poll: Callable[[], None] = lambda: None,
) -> AnalogyScores:
    """How many questions `vectors` [v, d] of `words` answer right, case-blind; gensim's `evaluate_word_analogies`.

    The answer is the word with the largest cosine to `directions`, of equal ones the first, but none of the three that
    the question gives. Where the direction is zero there is no answer, which is wrong.

    Args:
        sections: name and questions of each.
        most_frequent: the first words of the vocabulary; a question with another one does not count, and no other is an
            answer. None for all.
        poll: called between two blocks of work.
    """
    words, vectors = words[:most_frequent], vectors[:most_frequent]
    known = case_blind(words)
    found = [[rows for question in questions if (rows := known.rows_of(question))] for _, questions in sections]
    asked = np.array([rows for section in found for rows in section], np.int32).reshape(-1, 4)
    is_right = np.zeros(0, bool)
    if len(asked):
        queries = directions(*(vectors[asked[:, column]] for column in range(3)))
        nearest = nearest_rows(vectors, queries, count=1, groups=known.groups, left_out=asked[:, :3], poll=poll)
        rows = nearest.rows[:, 0]
        is_right = (rows >= 0) & (known.groups[rows] == asked[:, 3]) & queries.any(axis=1)
    ends = np.cumsum([len(section) for section in found], dtype=int)
    rights = [int(part.sum()) for part in np.split(is_right, ends[:-1])]
    return AnalogyScores(
        tuple(
            SectionScore(name, right, len(rows), len(questions))
            for (name, questions), rows, right in zip(sections, found, rights, strict=True)
        ),
        len(words),
    )


def _sum(name: str, sections: Sequence[SectionScore]) -> SectionScore:
    return SectionScore(name, *(sum(column) for column in zip(*(section[1:] for section in sections), strict=True)))
