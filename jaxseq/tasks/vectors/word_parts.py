"""The rows of a table that words are made of: their own, and those of their n-grams."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import VectorsConfig
from jaxseq.interop.ngram_vectors import NgramVectors, ngram_hashes
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


class JamoNgramVectors(NgramVectors):
    """Vectors of the n-grams of words that are taken apart into jamo."""

    def means(
        self, words: Sequence[bytes], own: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As those of n-grams of characters."""
        apart = [decompose(word.decode("utf-8", "surrogatepass")) for word in words]
        return super().means([word.encode("utf-8", "surrogatepass") for word in apart], own)


def _ngrams(words: Sequence[str], model: VectorsConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets [n] of the n-grams of words, laid end to end, and where those of each begin and end [k + 1]."""
    texts = [decompose(word) for word in words] if model.jamo else words
    contents = [text.encode("utf-8", "surrogatepass") for text in texts]
    hashes, counts = ngram_hashes(contents, shortest=model.shortest, longest=model.longest)
    return (hashes % np.uint32(model.buckets)).astype(np.int64), np.append(0, np.cumsum(counts))
