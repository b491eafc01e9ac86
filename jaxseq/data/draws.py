"""Random bits for things that are known by their numbers: those of one depend on no other, nor on how many there are.

They come from integers alone (NumPy's SeedSequence, which it promises never to change, and arithmetic modulo 2^64), so
they are the same on every machine and under every version.
"""

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.data.shuffling import mix

PAIRS, MASKS = 1, 2
"""Streams: what draws for one purpose never meets what draws for another."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LOWER = np.uint64(2**32 - 1)


def draws(numbers: ArrayLike, count: int, *, seed: int, epoch: int, stream: int) -> NDArray[np.uint64]:
    """`count` times 64 random bits for each of `numbers` [n], integers of 0 or more: [n, count].

    They follow from the number, `seed`, `epoch` and `stream`; the first ones do not depend on `count`. Each number has
    a generator of its own, SplitMix64 (Steele, Lea and Flood, 2014), which begins where another one takes the number.
    """
    first, second = _keys(seed, epoch, stream)
    starts = mix(mix(np.asarray(numbers).astype(np.uint64) ^ first) + second)
    return mix(starts[:, None] + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64))


def places(bits: NDArray[np.uint64], counts: ArrayLike) -> NDArray[np.int64]:
    """A place from 0 to below each of `counts` (1 to 2^32), by the lower half of `bits`, all of the same chance but for
    a part in 2^32 / count."""
    return ((bits & _LOWER) * np.asarray(counts).astype(np.uint64) >> _HALF).astype(np.int64)


def happens(bits: NDArray[np.uint64], limit: np.uint64) -> NDArray[np.bool_]:
    """What has a chance of `limit` in 2^32, by the upper half of `bits`."""
    return bits >> _HALF < limit


def limit_of(chance: float) -> np.uint64:
    """A chance from 0 to 1 as `happens` takes it."""
    return np.uint64(round(chance * 2**32))


@functools.lru_cache(maxsize=16)
def _keys(seed: int, epoch: int, stream: int) -> tuple[np.uint64, np.uint64]:
    first, second = np.random.SeedSequence([seed, epoch, stream]).generate_state(2, np.uint64)
    return first, second
