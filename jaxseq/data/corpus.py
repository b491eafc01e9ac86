"""A corpus: all token ids in one array, and where its documents begin."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.windows import split_bounds
from jaxseq.errors import InputError

SPLITS = ("train", "validation", "test")


class TokenChunk(NamedTuple):
    """The ids [n] of a piece of text, and whether a document starts with it."""

    ids: np.ndarray
    starts_document: bool


class Corpus(NamedTuple):
    """Documents laid end to end."""

    ids: np.ndarray
    """[n] token ids, in memory or memory-mapped."""
    document_starts: np.ndarray
    """[k] int64, ascending, each below n. A part of a corpus need not begin with a document."""


class DocumentStarts:
    """Adds up where documents begin while chunks go by."""

    def __init__(self) -> None:
        self.count = 0
        self._starts: list[int] = []

    def add(self, chunk: TokenChunk) -> None:
        if chunk.starts_document:
            self._starts.append(self.count)
        self.count += len(chunk.ids)

    def array(self) -> np.ndarray:
        """[k] int64; documents without tokens leave no trace."""
        starts = np.unique(np.asarray(self._starts, np.int64))
        return starts[starts < self.count]


def join_chunks(chunks: Iterable[TokenChunk]) -> Corpus:
    """The corpus of these chunks in memory.

    Raises:
        InputError: there is not one token.
    """
    starts, arrays = DocumentStarts(), []
    for chunk in chunks:
        starts.add(chunk)
        arrays.append(chunk.ids)
    if starts.count == 0:
        raise InputError("the text has no tokens: give --data.source a source that holds text")
    return Corpus(np.concatenate(arrays), starts.array())


def take_split(corpus: Corpus, shares: Sequence[float], name: str) -> Corpus:
    """The part of `corpus` called "train", "validation" or "test", cut in this order by three `shares`; views.

    Every token is in one split. The token after a split's last one is in the next split, and is no target here.

    Raises:
        InputError: there is no such split, or it holds no token.
    """
    if name not in SPLITS:
        raise InputError(f"there is no split {name!r}: choose {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    bounds = split_bounds(len(corpus.ids), shares)
    start, stop = bounds[SPLITS.index(name)], bounds[SPLITS.index(name) + 1]
    if start == stop:
        raise InputError(
            f"the split {name!r} is empty, data.split is {tuple(shares)} of {len(corpus.ids)} tokens: "
            "give it a larger share or add text"
        )
    inside = (corpus.document_starts >= start) & (corpus.document_starts < stop)
    return Corpus(corpus.ids[start:stop], corpus.document_starts[inside] - start)
