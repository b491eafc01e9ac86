"""A random order of any number of things, asked for one position at a time.

Both ways of making it use only streams that NumPy promises never to change (bit generators and SeedSequence, not the
methods of Generator), so an order is the same on every machine and under every version.
"""

import functools
import math

import numpy as np

_DRAWN_WHOLE = 2**22
_ROUNDS = 6


def shuffled(positions: np.ndarray, *, count: int, seed: int, epoch: int) -> np.ndarray:
    """What stands at `positions` [n] of the random order of 0 .. count-1 that belongs to `seed` and `epoch`: [n] int64.

    Over all positions every number comes up exactly once. Up to 4 million things the order is drawn whole and kept
    (16 MB at most); beyond, where it would take seconds and gigabytes, each position is computed by itself.
    """
    if count <= _DRAWN_WHOLE:
        return _drawn_order(count, seed, epoch)[positions].astype(np.int64)
    return _feistel(positions, count, _round_keys(seed, epoch))


@functools.lru_cache(maxsize=4)
def _drawn_order(count: int, seed: int, epoch: int) -> np.ndarray:
    # Each number gets a random key in the high bits above itself: sorting shuffles, and no two values are equal.
    numbers = np.arange(count, dtype=np.uint64)
    below = np.uint64(2 ** (count - 1).bit_length() - 1)
    keys = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(count)
    order = (np.sort((keys & ~below) | numbers) & below).astype(np.uint32)
    order.flags.writeable = False
    return order


@functools.lru_cache(maxsize=4)
def _round_keys(seed: int, epoch: int) -> tuple[np.uint64, ...]:
    return tuple(np.random.SeedSequence([seed, epoch]).generate_state(_ROUNDS, np.uint64))


def _feistel(positions: np.ndarray, count: int, keys: tuple[np.uint64, ...]) -> np.ndarray:
    """A permutation of 0 .. count-1, applied to `positions`.

    Source: Black and Rogaway, "Ciphers with arbitrary finite domains" (2002), generalised Feistel with cycle walking;
    the round function is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
    """
    low = math.isqrt(count - 1) + 1
    high = -(-count // low)

    def permute(numbers: np.ndarray) -> np.ndarray:
        # A number below low * high is a pair of digits in these two radices; in every round they change places.
        right, left = np.divmod(numbers, np.uint64(low))
        radix, other = np.uint64(low), np.uint64(high)
        for key in keys:
            left, right = right, (left + mix(right ^ key) % radix) % radix
            radix, other = other, radix
        return left + right * np.uint64(low)

    numbers = permute(positions.astype(np.uint64))
    # low * high exceeds count by less than low: the few numbers beyond count walk on until they fall inside.
    while (outside := numbers >= count).any():
        numbers[outside] = permute(numbers[outside])
    return numbers.astype(np.int64)


def mix(x: np.ndarray) -> np.ndarray:
    """A permutation of the numbers of 64 bits, uint64 of any shape, in which each bit depends on all: what SplitMix64
    makes of its counter."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
