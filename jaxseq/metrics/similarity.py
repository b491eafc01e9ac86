"""How word vectors order pairs of words, against how people do."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.metrics.case_blind import case_blind
from jaxseq.ops.distances import cosine_similarity

_similarities = jax.jit(cosine_similarity)


class PairScore(NamedTuple):
    """How well vectors agree with people on pairs of words."""

    spearman: float
    """Between their cosines and the people's figures, from -1 to 1; NaN where `spearman` says so."""
    answered: int
    """Pairs of which both words have a vector; the others do not count."""
    asked: int
    vocabulary: int
    """Words that were looked among."""


def score_pairs(
    words: Sequence[str],
    vectors: NDArray[np.floating],
    pairs: Sequence[tuple[str, str, float]],
    *,
    most_frequent: int | None = None,
) -> PairScore:
    """The agreement of `vectors` [v, d] of `words` with the figures of `pairs`, case-blind; gensim's
    `evaluate_word_pairs`. A zero vector has the cosine 0 with all.

    Args:
        most_frequent: the first words of the vocabulary, which are looked among; None for all.
    """
    words = words[:most_frequent]
    known = case_blind(words)
    rows, figures = [], []
    for one, other, figure in pairs:
        found = known.rows_of((one, other))
        if found is not None:
            rows.append(found)
            figures.append(figure)
    cosines = np.zeros(0)
    if rows:
        first, second = np.array(rows).T
        cosines = np.asarray(_similarities(vectors[first], vectors[second]))
    return PairScore(spearman(cosines, figures), len(rows), len(pairs), len(words))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's coefficient: Pearson's of the ranks of x [n] and y [n], equal values sharing the mean of theirs.

    NaN where there is none: fewer than two values, or all of one side equal.
    """
    ranks = np.stack([_ranks(np.asarray(x)), _ranks(np.asarray(y))])
    if ranks.shape[1] < 2:
        return math.nan
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    (xx, xy), (_, yy) = centred @ centred.T
    return float(xy / np.sqrt(xx * yy)) if xx and yy else math.nan


def _ranks(x: NDArray) -> NDArray[np.float64]:
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[which]
