"""Character n-grams of words, by the hash that fastText numbers them with (Bojanowski et al. 2017)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)


class WordNgrams(NamedTuple):
    """The n-grams of some words, laid end to end."""

    buckets: NDArray[np.int64]
    """[n] from 0 on, as they begin in the word and then by their length."""
    offsets: NDArray[np.int64]
    """[k + 1]: those of word i are buckets[offsets[i]:offsets[i + 1]]."""


def word_ngrams(words: Sequence[str], *, shortest: int, longest: int, buckets: int) -> WordNgrams:
    """The n-grams of `shortest` to `longest` characters in each "<word>", as the buckets they fall into.

    They are those of fastText's `Dictionary::computeSubwords`: of n-grams of one character "<" and ">" are left out,
    one that occurs twice is there twice. Its hash is FNV-1a of 32 bits over UTF-8, but that a byte above 127 is taken
    for a negative number, whose upper bits are set (`Dictionary::hash`).

    >>> word_ngrams(["a"], shortest=3, longest=6, buckets=2_000_000)
    WordNgrams(buckets=array([1087600]), offsets=array([0, 1]))
    """
    texts = [f"<{word}>".encode("utf-8", "surrogatepass") for word in words]
    data = np.frombuffer(b"".join(texts), np.uint8)
    starts = np.flatnonzero((data & 0xC0) != 0x80)  # of characters
    counts = np.diff(np.append(starts, len(data)))
    ends_of_words = np.cumsum([len(text) for text in texts], dtype=np.int64)
    word_of = np.searchsorted(ends_of_words, starts, side="right")
    last = np.searchsorted(starts, ends_of_words)[word_of]  # the character behind the word
    first = np.append(0, np.searchsorted(starts, ends_of_words))[word_of] if len(starts) else last
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)
    place = np.arange(len(starts))
    hashes = np.full(len(starts), _OFFSET)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for size in range(1, longest + 1):
        at = place + size - 1  # the character that each n-gram ends with
        inside = at < last
        at = np.minimum(at, len(starts) - 1)
        for byte in range(4):
            more = inside & (byte < counts[at])
            where = np.flatnonzero(more)
            hashes[where] = (hashes[where] ^ signed[starts[at[where]] + byte]) * _PRIME
        if size >= shortest:
            edge = (place == first) | (place == last - 1) if size == 1 else np.zeros(len(place), bool)
            begins = np.flatnonzero(inside & ~edge)
            found.append((begins, (hashes[begins] % np.uint32(buckets)).astype(np.int64)))
    begins = np.concatenate([np.zeros(0, np.int64), *(begin for begin, _ in found)])
    numbers = np.concatenate([np.zeros(0, np.int64), *(number for _, number in found)])
    order = np.argsort(begins, kind="stable")  # shorter ones come first
    sizes = np.bincount(word_of[begins], minlength=len(words))
    return WordNgrams(numbers[order], np.append(0, np.cumsum(sizes)))
