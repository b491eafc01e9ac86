"""The first vectors of GloVe, and the same as gensim holds them."""

import itertools
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pytest


@cache
def glove(data_folder: Path, count: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Words and vectors [count, 50] of the `count` most frequent."""
    path = data_folder / "word_vectors/glove.6B.50d.top40000.txt.xz"
    if not path.exists():
        pytest.skip(f"no vectors at {path}")
    with lzma.open(path, "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(" ") for line in itertools.islice(file, count)]
    return tuple(line[0] for line in lines), np.array([line[1:] for line in lines], np.float32)


def in_gensim(words, vectors):
    """gensim's KeyedVectors of words and vectors [v, d]."""
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(vectors.shape[1])
    keyed.add_vectors(list(words), vectors)
    return keyed


def in_mixed_case(words, vectors, *, seed=0):
    """Some words in capitals, some with a capital, and some a second time, with another vector, in another case."""
    draw = np.random.default_rng(seed)
    cases = [(str.upper, str.capitalize, str.lower)[kind] for kind in draw.integers(0, 3, len(words))]
    changed = [case(word) for case, word in zip(cases, words, strict=True)]
    again = draw.permutation(len(words))[: len(words) // 4]
    changed += [words[row].title() for row in again]
    more = vectors[again] + draw.normal(size=(len(again), vectors.shape[1])).astype(np.float32)
    vectors = np.vstack([vectors, more])
    kept = {}
    for row in draw.permutation(len(changed)).tolist():
        kept.setdefault(changed[row], row)
    return tuple(kept), vectors[list(kept.values())]
