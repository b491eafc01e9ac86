"""What word vectors say: which words are near, what completes an analogy, how well they agree with people."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.data.word_questions import Analogies, WordPairs, read_word_questions
from jaxseq.errors import InputError
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.metrics.analogies import MOST_FREQUENT, AnalogyScores, directions, score_analogies
from jaxseq.metrics.similarity import PairScore, score_pairs
from jaxseq.ops.distances import unit
from jaxseq.ops.neighbours import Measure, nearest_rows
from jaxseq.reading import shown
from jaxseq.signals import Poll, never
from jaxseq.text.edit_distances import near_spellings


class Neighbour(NamedTuple):
    """A word and how near it is."""

    word: str
    value: float
    """Its cosine similarity, or its distance."""


class Text(NamedTuple):
    """A text as one vector."""

    vector: NDArray[np.float32]
    """The mean [d] of the vectors of its words, each of length 1; zeros where none has one."""
    rows: tuple[int, ...]
    """Of the words that are in the vocabulary."""
    unknown: tuple[str, ...]
    """Those that have no vector, not of their n-grams either: the mean lacks them."""


def text_vector(vectors: WordVectors, words: Sequence[str]) -> Text:
    """The vector of a text that consists of `words`. With unknown words alone it is zero, and all are in `unknown`."""
    found = vectors.find(words)
    has_one = ~found.is_missing
    units = np.asarray(unit(jnp.asarray(found.vectors[has_one])))
    mean = units.sum(axis=0) / np.float32(max(len(units), 1))
    rows = tuple(vectors.rows[word] for word in words if word in vectors.rows)
    return Text(mean, rows, tuple(word for word, has in zip(words, has_one.tolist(), strict=True) if not has))


def nearest(
    vectors: WordVectors, words: Sequence[str], *, count: int, measure: Measure = "cosine", poll: Poll = never
) -> tuple[list[Neighbour], tuple[str, ...]]:
    """The `count` words nearest to a word, or to several taken together as `text_vector` does, without these; and which
    of several are unknown and have no part in it.

    By a distance, of one word its vector as it is.

    Raises:
        InputError: no word is known, or what they come to is zero.
    """
    text = text_vector(vectors, words)
    if len(text.unknown) == len(words):
        raise unknown(vectors, text.unknown[0])
    query = text.vector
    if measure != "cosine":
        found = vectors.find(words)
        query = found.vectors[~found.is_missing].mean(axis=0)
    _require_direction(query, words, vectors)
    return _answers(vectors, query, text.rows, count, measure, poll), text.unknown


def analogy(
    vectors: WordVectors, first: str, second: str, third: str, *, count: int, poll: Poll = never
) -> list[Neighbour]:
    """The words that are to the third as the second is to the first, the likeliest first: those nearest to
    `jaxseq.metrics.analogies.directions`, without the three.

    Raises:
        InputError: a word is unknown, or the direction is zero.
    """
    words = (first, second, third)
    found = vectors.find(words)
    for word, is_missing in zip(words, found.is_missing.tolist(), strict=True):
        if is_missing:
            raise unknown(vectors, word)
    rows = [vectors.rows[word] for word in words if word in vectors.rows]
    query = directions(*(found.vectors[[i]] for i in range(3)))[0]
    _require_direction(query, words, vectors)
    return _answers(vectors, query, rows, count, "cosine", poll)


def unknown(vectors: WordVectors, word: str) -> InputError:
    """The error about a word that is not there, with those that were perhaps meant."""
    if not word:
        return InputError("a word is empty: give one that has a vector")
    meant = [other for other in vectors.words if other.upper() == word.upper()][:3]
    if not meant:
        try:
            meant = near_spellings(word, vectors.words)
        except InputError:  # what finds them is not installed
            meant = []
    remedy = f"did you mean {' or '.join(map(repr, meant))}?" if meant else "ask for another word"
    return InputError(f"{word!r} is none of the {len(vectors.words):,} words of {vectors.source}: {remedy}")


def read_questions(paths: Sequence[Path]) -> list[tuple[Path, WordPairs | Analogies]]:
    """The pairs or analogies in each of the files.

    Raises:
        InputError: one cannot be read, or is no such file.
    """
    return [(path, read_word_questions(path)) for path in paths]


def scores(
    vectors: WordVectors,
    questions: WordPairs | Analogies,
    *,
    most_frequent: int | None = None,
    poll: Poll = never,
) -> PairScore | AnalogyScores:
    """How well the vectors do on pairs or on analogies.

    Args:
        most_frequent: the first words, which are looked among, 0 for all; None for 30,000 where there are analogies, as
            published, and all where there are pairs.
    """
    cut = {"most_frequent": most_frequent or None}
    if isinstance(questions, WordPairs):
        return score_pairs(vectors.words, vectors.vectors, questions.pairs, **cut)
    if most_frequent is None:
        cut = {"most_frequent": MOST_FREQUENT}
    return score_analogies(vectors.words, vectors.vectors, questions.sections, **cut, poll=poll)


def _answers(
    vectors: WordVectors, query: NDArray, rows: Sequence[int], count: int, measure: Measure, poll: Poll
) -> list[Neighbour]:
    without = np.array([rows], np.int32)
    found = nearest_rows(vectors.vectors, query[None], count=count, measure=measure, left_out=without, poll=poll)
    pairs = zip(found.rows[0].tolist(), found.values[0].tolist(), strict=True)
    return [Neighbour(vectors.words[row], value) for row, value in pairs if row >= 0]


def _require_direction(query: NDArray, words: Sequence[str], vectors: WordVectors) -> None:
    if not query.any():
        named = " ".join(map(shown, words))
        raise InputError(
            f"the vector of {named} in {vectors.source} is zero, and near to nothing: ask for another word"
        )
