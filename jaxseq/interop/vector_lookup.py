"""Words and their vectors: looked up, and as the embedding that a model starts with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.ngram_vectors import NgramVectors

FIELD = "model.embedding"
"""Of a configuration, the one that says how wide the embedding is."""


class Found(NamedTuple):
    """Vectors of words."""

    vectors: NDArray[np.float32]
    """[n, d]; zeros where there is none."""
    is_known: NDArray[np.bool_]
    """Which are of words that are in the file [n]."""
    is_composed: NDArray[np.bool_]
    """Which are made of the n-grams of the word [n]."""

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which are neither, and zeros [n]."""
        return ~(self.is_known | self.is_composed)


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors."""

    words: tuple[str, ...]
    """Each once, in the order of the file."""
    vectors: NDArray[np.float32]
    """Their vectors [n, d]."""
    source: str
    """Name of the file, for messages."""
    repeated: int = 0
    """Later records of one of these words: the first one counts, as in gensim."""
    ngrams: NgramVectors | None = None
    """What makes vectors of other words, where the file has it."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.vectors.shape[1]

    @property
    def remark(self) -> str:
        """What whoever gave the file should know; "" where there is nothing."""
        if not self.repeated:
            return ""
        records = "1 record is" if self.repeated == 1 else f"{self.repeated:,} records are"
        return f"{self.source}: {records} of a word that was there before, whose first vector counts"

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    def find(self, words: Sequence[str]) -> Found:
        """The vectors of any words: those of the file, and the mean of their n-grams for others, where it has such."""
        at = np.array([self.rows.get(word, -1) for word in words], np.int64)
        is_known = at >= 0
        vectors = np.zeros((len(words), self.width), np.float32)
        vectors[is_known] = self.vectors[at[is_known]]
        is_composed = np.zeros(len(words), bool)
        others = np.flatnonzero(~is_known)
        if self.ngrams is not None and len(others):
            contents = [words[i].encode("utf-8", "surrogatepass") for i in others.tolist()]
            vectors[others], counts = self.ngrams.means(contents)
            is_composed[others] = counts > 0
        return Found(vectors, is_known, is_composed)


class WordTable(NamedTuple):
    """An embedding for the words of a vocabulary."""

    table: NDArray[np.float32]
    """[v, d]."""
    is_known: NDArray[np.bool_]
    """Whether the row of a word is its vector, [v]; the others are drawn."""
    source: str
    composed: int = 0
    """How many of these vectors are made of n-grams."""

    def __str__(self) -> str:
        found, count = int(self.is_known.sum()), len(self.is_known)
        share = f" ({found / count:.1%})" if count else ""
        some = f", {self.composed:,} of them by n-grams" if self.composed else ""
        return f"{found:,} of {count:,} words{share} have a vector in {self.source}{some}"


def table_for(
    words: Sequence[str], vectors: WordVectors, *, features: int, seed: int = 0, specials: Collection[str] = ()
) -> WordTable:
    """The embedding [v, `features`] that a model with the vocabulary `words` starts with.

    A word of `vectors` has its vector, or that of its n-grams where the file has such. The others are drawn: normal,
    with the variance of the vectors found, by which unknown words do better (Kim 2014, "Convolutional Neural Networks
    for Sentence Classification", "Further Observations"). What is drawn for a row depends on `seed`, on how many rows
    there are and on that variance alone.

    Args:
        specials: those of `words` that stand for none, as padding: no vector is made of their n-grams.

    Raises:
        InputError: the vectors have another width.
    """
    if vectors.width != features:
        raise other_width([(vectors.source, vectors.width)], features, FIELD)
    found = vectors.find(words)
    is_special = np.array([word in specials for word in words], bool)
    is_known = found.is_known | (found.is_composed & ~is_special)
    known = found.vectors[is_known]
    deviation = float(known.std()) if known.size else 1 / np.sqrt(features)
    drawn = np.random.default_rng(seed).standard_normal((len(words), features), np.float32)
    table = drawn * np.float32(deviation)
    table[is_known] = known
    return WordTable(table, is_known, vectors.source, int((is_known & ~found.is_known).sum()))


def other_width(found: Sequence[tuple[str, int]], wanted: int | None, field: str) -> InputError:
    """What to raise where vectors, named with their widths, have not the width of the model."""
    has = " and ".join(f"{place} has vectors of {width:,} numbers" for place, width in found)
    widths = " or ".join(str(width) for width in dict.fromkeys(width for _, width in found))
    return InputError(f"{has}, the model's embedding is {wanted} wide: give --{field} {widths}, or other vectors")
