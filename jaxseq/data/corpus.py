"""A corpus: all token ids in one array, and where its documents begin."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.windows import split_bounds
from jaxseq.errors import InputError

SPLITS = ("train", "validation", "test")
_AT_ONCE = 2**20


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
    vocab_size: int | None = None
    """Every id is known to be below it; None where nobody has looked."""
    checksum: int | None = None
    """CRC-32 of the bytes of `ids` where it has been worked out."""
    bounds: tuple[tuple[int, int], ...] | None = None
    """Where each of `SPLITS` begins and ends, where that does not follow from shares alone."""


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


def require_ids(ids: np.ndarray, *, vocab_size: int) -> None:
    """Looks through ids [n] once: a model would take one outside its vocabulary for another, without a word.

    Raises:
        InputError: an id is negative or not below `vocab_size`.
    """
    for at in range(0, len(ids), _AT_ONCE):  # a memory map stays on disk
        part = ids[at : at + _AT_ONCE]
        low, high = int(part.min()), int(part.max())
        if low < 0 or high >= vocab_size:
            raise InputError(
                f"token ids run from {low} to {high}, the vocabulary has {vocab_size}: take the tokenizer or the model "
                "that belongs to them"
            )


def join_chunks(chunks: Iterable[TokenChunk], *, vocab_size: int | None = None) -> Corpus:
    """The corpus of these chunks in memory.

    Args:
        vocab_size: what every id must be below; None does not look.

    Raises:
        InputError: there is not one token, or an id outside the vocabulary.
    """
    starts, arrays = DocumentStarts(), []
    for chunk in chunks:
        if vocab_size is not None:
            require_ids(chunk.ids, vocab_size=vocab_size)
        starts.add(chunk)
        arrays.append(chunk.ids)
    if starts.count == 0:
        raise InputError("the text has no tokens: give --data.source a source that holds text")
    return Corpus(np.concatenate(arrays), starts.array(), vocab_size)


def with_splits(parts: Sequence[Corpus | None], shares: Sequence[float]) -> Corpus:
    """One corpus of three: the first is cut by `shares`, the others are the validation and the test split.

    Args:
        parts: None where a split is a share of the first.
    """
    first, *others = parts
    assert first is not None
    cut = split_bounds(len(first.ids), shares)
    bounds, there, end = [*itertools.pairwise(cut)], [first], len(first.ids)
    starts = [first.document_starts]
    for split, part in enumerate(others, 1):
        if part is not None:
            bounds[split] = (end, end + len(part.ids))
            starts.append(part.document_starts + end)
            there.append(part)
            end += len(part.ids)
    return Corpus(
        np.concatenate([part.ids for part in there]), np.concatenate(starts), first.vocab_size, bounds=tuple(bounds)
    )


def take_split(corpus: Corpus, shares: Sequence[float], name: str) -> Corpus:
    """The part of `corpus` called "train", "validation" or "test"; views.

    Where it has no `bounds` of its own it is cut in this order by three `shares`.

    Every token is in one split. The token after a split's last one is in the next split, and is no target here.

    Raises:
        InputError: there is no such split, or it holds no token.
    """
    if name not in SPLITS:
        raise InputError(f"there is no split {name!r}: choose {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    bounds = corpus.bounds or tuple(itertools.pairwise(split_bounds(len(corpus.ids), shares)))
    start, stop = bounds[SPLITS.index(name)]
    if start == stop:
        raise InputError(
            f"the split {name!r} is empty, data.split is {tuple(shares)} of {len(corpus.ids)} tokens: "
            "give it a larger share or add text"
        )
    inside = (corpus.document_starts >= start) & (corpus.document_starts < stop)
    return Corpus(corpus.ids[start:stop], corpus.document_starts[inside] - start, corpus.vocab_size)
