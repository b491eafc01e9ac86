"""Frequent words kept more rarely, as word2vec does (Mikolov et al. 2013)."""

import math

import numpy as np
from numpy.typing import NDArray

_ALWAYS = 2**32
"""Of a 32-bit number drawn, all are below it."""


def keep_chances(counts: NDArray[np.integer], threshold: float) -> NDArray[np.float64]:
    """The chance of each word's occurrences to be kept: min(1, sqrt(t / f) + t / f), f its share of all words [v].

    So it is in word2vec.c; the paper has 1 - sqrt(t / f) for the chance to be left out. A threshold of 0 keeps all.

    >>> keep_chances(np.array([90, 9, 1]), 0.01).round(3).tolist()
    [0.117, 0.444, 1.0]
    """
    counts = np.asarray(counts)
    if not threshold or not counts.any():
        return np.ones(len(counts))
    relative = threshold * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1.0, np.sqrt(relative) + relative)


def limits_of(chances: NDArray[np.float64]) -> NDArray[np.uint64]:
    """What a 32-bit number must be below for a word to be kept [v]."""
    return np.rint(np.minimum(chances, 1.0) * _ALWAYS).astype(np.uint64)


def most_kept(ids: NDArray[np.integer], chances: NDArray[np.float64]) -> int:
    """How many of `ids` [n] a draw keeps at the most: six standard deviations above the mean, beyond which fewer than
    one draw in 10^8 lies where there are many."""
    occurrences = np.bincount(ids, minlength=len(chances))
    mean, variance = occurrences @ chances, occurrences @ (chances * (1 - chances))
    return min(len(ids), math.ceil(mean + 6 * math.sqrt(variance) - 1e-6))
