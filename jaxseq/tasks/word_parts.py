"""The rows of a table that words are made of: their own, and those of their n-grams."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import VectorsConfig
from jaxseq.interop.ngram_vectors import ngram_hashes
from jaxseq.models.word_vectors import WordParts
from jaxseq.text.hangul import decompose


def parts_of(words: Sequence[str], model: VectorsConfig) -> WordParts:
    """Each word's own row, which is its id, and behind it those of its n-grams, which begin where own rows end."""
    buckets, offsets = _ngrams(words, model)
    sizes = np.diff(offsets)
    ends = np.cumsum(sizes + 1)
    own = ends - sizes - 1
    rows = np.empty(int(ends[-1]) if len(words) else 0, np.int64)
    is_own = np.zeros(len(rows), bool)
    is_own[own] = True
    rows[is_own], rows[~is_own] = np.arange(len(words)), buckets + len(words)
    return WordParts(rows, np.append(0, ends), len(words) + model.buckets)


def ngram_rows(word: str, model: VectorsConfig, words: int) -> NDArray[np.int64]:
    """Those of the n-grams of a word that has no row of its own, of a table with `words` that have [n]."""
    return _ngrams([word], model)[0] + words if model.buckets else np.zeros(0, np.int64)


def mean_rows(table: NDArray[np.float32], rows: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Means of table[rows[offsets[i]:offsets[i + 1]]] for each i [n, d]; zeros where there are none."""
    sizes = np.diff(offsets)
    means = np.zeros((len(sizes), table.shape[1]), np.float32)
    filled = np.flatnonzero(sizes)
    at_once = 4096
    for at in range(0, len(filled), at_once):
        part = filled[at : at + at_once]
        begin, end = offsets[part[0]], offsets[part[-1] + 1]
        sums = np.add.reduceat(table[rows[begin:end]], offsets[part] - begin, axis=0)
        means[part] = sums / sizes[part][:, None].astype(np.float32)
    return means


def _ngrams(words: Sequence[str], model: VectorsConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets [n] of the n-grams of words, laid end to end, and where those of each begin and end [k + 1]."""
    texts = [decompose(word) for word in words] if model.jamo else words
    contents = [text.encode("utf-8", "surrogatepass") for text in texts]
    hashes, counts = ngram_hashes(contents, shortest=model.shortest, longest=model.longest)
    return (hashes % np.uint32(model.buckets)).astype(np.int64), np.append(0, np.cumsum(counts))
