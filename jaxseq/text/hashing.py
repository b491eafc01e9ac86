"""Hashes of words that are the same on every machine, in every process and in every version."""

import hashlib
from functools import lru_cache


@lru_cache(maxsize=1 << 16)
def bucket_of(word: bytes, buckets: int) -> int:
    """Which of `buckets` buckets, from 0 on, the UTF-8 bytes of a word belong to.

    It is their MD5 as a big-endian number, modulo `buckets`: Keras's `hashing_trick(..., hash_function="md5")` has the
    same for `n = buckets + 1`, counted from 1. Python's own `hash` changes with its seed.
    """
    return int.from_bytes(hashlib.md5(word, usedforsecurity=False).digest(), "big") % buckets
