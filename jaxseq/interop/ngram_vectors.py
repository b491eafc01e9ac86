"""Vectors of character n-grams, by which words that were never seen have one (fastText; Bojanowski et al. 2017,
"Enriching Word Vectors with Subword Information")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BEGIN, _END = b"<", b">"
_LINE_END = b"</s>"
"""fastText's own word for the end of a line, which has no n-grams."""
_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_AT_ONCE = 2**16
"""Bytes of words whose n-grams are held at a time."""


@dataclass(frozen=True, eq=False)
class NgramVectors:
    """Vectors of n-grams in buckets, of which an n-gram has the one that it is hashed to."""

    buckets: NDArray[np.float32]
    """[b, d]; b is 1 at least."""
    shortest: int = 3
    """Characters in the shortest n-gram, "<" and ">" around the word included."""
    longest: int = 6
    """And in the longest."""

    def means(
        self, words: Sequence[bytes], own: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The mean vectors [n, d] of the n-grams of words in UTF-8, and how many they have [n].

        Those of a word that has none are zeros.

        Args:
            own: vectors [n, d] of the words themselves, which count as one more n-gram.
        """
        size = self.buckets.shape[1]
        vectors = np.zeros((len(words), size), np.float32) if own is None else own.astype(np.float32)
        counts = np.zeros(len(words), np.int64)
        for some in _portions(words):
            hashes, counts[some] = ngram_hashes(words[some], shortest=self.shortest, longest=self.longest)
            self._add(vectors[some], hashes % np.uint32(len(self.buckets)), counts[some])
        vectors /= np.maximum(counts + (own is not None), 1).astype(np.float32)[:, None]
        return vectors, counts

    def _add(self, vectors: NDArray[np.float32], ids: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        """Adds to `vectors` [n, d] those of their n-grams, one after the other, as fastText and gensim do."""
        begin = np.cumsum(counts) - counts
        rows = np.arange(len(counts))
        for rank in range(int(counts.max(initial=0))):
            rows = rows[counts[rows] > rank]
            vectors[rows] += self.buckets[ids[begin[rows] + rank]]


def ngram_hashes(
    words: Sequence[bytes], *, shortest: int, longest: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The hashes of the character n-grams of words in UTF-8 [m], word by word, and how many each has [n].

    They are fastText's, in its order (dictionary.cc, `computeSubwords`): of "<word>", from each character the shortest
    first, without "<" and ">" alone. A hash is FNV-1a of the bytes, each of them extended by its sign as a C compiler's
    signed `char` is. Bytes that are no UTF-8 belong to the character before.
    """
    marked = [b"" if word == _LINE_END else _BEGIN + word + _END for word in words]
    content = np.frombuffer(b"".join(marked), np.uint8)
    values = content.view(np.int8).astype(np.int32).view(np.uint32)
    starts = np.flatnonzero((content & 0xC0) != 0x80)
    sizes = np.diff(starts, append=len(content))
    ends = np.cumsum([len(word) for word in marked], dtype=np.int64)
    word_of = np.searchsorted(ends, starts, side="right")
    stops = np.searchsorted(starts, ends)
    room = stops[word_of] - np.arange(len(starts))  # characters from each to the end of its word, itself included
    is_first = np.diff(word_of, prepend=-1) > 0
    most = min(longest, int(room.max(initial=0)))
    hashes = np.empty((len(starts), most), np.uint32)
    is_ngram = np.zeros((len(starts), most), bool)
    state = np.full(len(starts), _OFFSET)
    for n in range(1, most + 1):
        rows = np.flatnonzero(room >= n)
        _extend(state, rows, values, starts[rows + n - 1], sizes[rows + n - 1])
        hashes[:, n - 1] = state
        if n >= shortest:
            is_ngram[rows, n - 1] = True
        if n == 1:
            is_ngram[is_first | (room == 1), 0] = False
    counts = np.bincount(word_of, weights=is_ngram.sum(axis=1), minlength=len(words)).astype(np.int64)
    return hashes[is_ngram], counts


def _extend(
    state: NDArray[np.uint32],
    rows: NDArray[np.int64],
    values: NDArray[np.uint32],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> None:
    """Takes one more character into the hashes `state`[`rows`]: of each, `sizes` bytes from `starts` on."""
    some, at = np.arange(len(rows)), 0
    while len(some):
        state[rows[some]] = (state[rows[some]] ^ values[starts[some] + at]) * _PRIME
        at += 1
        some = some[sizes[some] > at]


def _portions(words: Sequence[bytes]) -> Iterator[slice]:
    """Slices of `words` that hold about as many bytes each."""
    begin = size = 0
    for number, word in enumerate(words):
        size += len(word) + 2
        if size >= _AT_ONCE:
            yield slice(begin, number + 1)
            begin, size = number + 1, 0
    if size:
        yield slice(begin, len(words))
