"""The neighbours of some words, as a run of word vectors ends with them."""

import re
from collections.abc import Sequence

import numpy as np

from jaxseq.interop.word_vectors import WordVectors
from jaxseq.ops.neighbours import nearest_rows
from jaxseq.signals import Poll, never

_RANKS = (50, 100, 200, 400, 800, 1600)
"""Of words that are shown where none are named: frequent ones, but no function words."""


def words_to_show(words: Sequence[str]) -> Sequence[str]:
    """Some of a vocabulary whose most frequent words come first."""
    return [words[rank] for rank in _RANKS if rank < len(words)] or words[:6]


def neighbours_file(vectors: WordVectors, asked: Sequence[str], *, count: int, step: int, poll: Poll = never) -> bytes:
    """A line for each of the words `asked`, with the `count` words nearest to it by cosine, below one with the step."""
    looked = vectors.find(asked)
    itself = np.array([[vectors.rows.get(word, -1)] for word in asked], np.int32)
    near = nearest_rows(vectors.vectors, looked.vectors, count=count, left_out=itself, poll=poll)
    lines = []
    for word, rows, cosines, is_missing in zip(asked, near.rows, near.values, looked.is_missing, strict=True):
        words = (f"{vectors.words[row]} {cosine:.2f}" for row, cosine in zip(rows, cosines, strict=True) if row >= 0)
        nothing = "no vector, the word is not known and has no n-grams"
        lines.append(f"{word}: {nothing if is_missing else ', '.join(words)}")
    return (f"step {step}, nearest by cosine\n\n" + "\n".join(lines) + "\n").encode()


def is_neighbours_file(begin: bytes) -> bool:
    """Whether a file that begins so is one of these."""
    return re.match(rb"step \d+, nearest by cosine\n\n", begin) is not None
