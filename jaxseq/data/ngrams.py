"""Hashed n-grams of sequences of token ids."""

import numpy as np

from jaxseq.data.examples import Sequences

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def with_ngrams(sequences: Sequences, *, most: int, first_id: int, buckets: int) -> Sequences:
    """Each sequence with its n-grams of 2 to `most` tokens behind it, in order; those of 2 before those of 3.

    An n-gram's id is one of `buckets` ids from `first_id` on, by a hash of its tokens that is the same everywhere: a
    polynomial, mixed as in SplitMix64 (Steele et al. 2014). As fastText's (Joulin et al. 2016), but of ids, so that
    unknown words are alike.
    """
    if most == 1:
        return sequences
    ids, lengths = sequences.ids.astype(np.uint64) + np.uint64(1), sequences.lengths
    counts = [np.maximum(lengths - n + 1, 0) for n in range(1, most + 1)]
    offsets = np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))]).astype(np.int64)
    joined = np.empty(offsets[-1], np.int32)
    _place(joined, sequences.ids, offsets[:-1], counts[0], sequences.offsets[:-1])
    begins, hashes = offsets[:-1] + counts[0], ids
    with np.errstate(over="ignore"):
        for n in range(2, most + 1):
            if len(ids) < n:
                break
            hashes = hashes[:-1] * _MULTIPLIER + ids[n - 1 :]
            found = (first_id + (_mixed(hashes) % np.uint64(buckets)).astype(np.int64)).astype(np.int32)
            _place(joined, found, begins, counts[n - 1], sequences.offsets[:-1])
            begins = begins + counts[n - 1]
    return Sequences(joined, offsets)


def _place(to: np.ndarray, values: np.ndarray, begins: np.ndarray, counts: np.ndarray, starts: np.ndarray) -> None:
    """Copies counts[i] of `values` from starts[i] on to `to` from begins[i] on, for every i."""
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    to[np.repeat(begins, counts) + within] = values[np.repeat(starts, counts) + within]


def _mixed(hashes: np.ndarray) -> np.ndarray:
    for shift, factor in zip((30, 27), _MIXERS, strict=True):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * factor
    return hashes ^ (hashes >> np.uint64(31))
