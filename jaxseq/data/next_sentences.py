"""What a masked language model reads: `[CLS] A [SEP] B [SEP]`, where B follows A or not, or one text, `[CLS] A [SEP]`.

Each is an example known by its number; what it holds follows from that, the seed and the epoch.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.documents import Documents
from jaxseq.data.draws import PAIRS, draws, places
from jaxseq.errors import InputError

_HALF = np.uint64(2**63)


class Texts(NamedTuple):
    """Examples, a row each."""

    tokens: NDArray[np.int32]
    """[n, t] ids; 0 where `mask` is False."""
    segments: NDArray[np.int32]
    """[n, t], 1 for B and the separator behind it, 0 elsewhere."""
    mask: NDArray[np.bool_]
    """[n, t], False on padding, which stands behind."""
    is_next: NDArray[np.bool_]
    """[n], True where B follows A in the corpus; False also where there is no B."""


class TextSource(Protocol):
    """Examples by their numbers."""

    lengths: NDArray[np.int64]
    """[k] how many tokens each has at the most, in any epoch."""
    left_out: str
    """What no example holds, in words; empty where all is read."""

    def __call__(self, numbers: NDArray[np.int64], *, epoch: int, length: int) -> Texts:
        """The examples with these numbers [n] in rows of `length`, which has room for them."""
        ...


class SentencePairs:
    """Two runs of sentences each, of which the second follows the first, or half the time is from another document.

    A document is cut into runs of sentences, each of which goes on until it fills an example. In each epoch a place in
    a run is drawn, between two of its sentences: what stands before is A. What stands behind it is B (`is_next`), or,
    by a coin, B is what follows from a sentence on that is drawn from those of all other documents, sentences until the
    example is full or the document ends. Another document's sentence is never the next one of this; copies of a
    document count as others. Both are filled and cut alike, so that the lengths of A and B and how they end say next to
    nothing of which it is.

    Of what does not fit the longer part loses one token after the other, as in Google's `create_pretraining_data`; A
    loses its first ones and B its last, so that what meets is whole. (There a coin says which.) The sentence that a run
    could not hold whole begins the next run, too. What a B from elsewhere takes the place of waits for an epoch that
    draws otherwise, and does not, as there, go to the next example: examples follow from their numbers.

    Args:
        length: tokens of an example at the most, with [CLS] and two [SEP].
        start_id, separator_id: ids of [CLS] and [SEP].

    Raises:
        InputError: `length` is below 5; there is one document only; or no document has two sentences.
    """

    def __init__(self, documents: Documents, *, length: int, start_id: int, separator_id: int, seed: int = 0) -> None:
        if length < 5:
            raise InputError(f"length is {length}: two sentences and what marks them need 5 tokens, give 5 or more")
        bounds = documents.documents
        if len(bounds) < 3:
            raise InputError(
                f"the corpus has {len(bounds) - 1} document, and a random sentence comes from another one: give "
                "--data.source several, look at how documents are told apart, or leave out the next-sentence task"
            )
        self._documents, self._start, self._separator, self._seed = documents, start_id, separator_id, seed
        self._room = length - 3
        runs = list(_runs(documents, self._room))
        if not runs:
            raise InputError(
                "no document has two sentences, and a next sentence needs one before it: look at how documents are "
                "told apart, or leave out the next-sentence task"
            )
        self._first, self._last = np.array(runs, np.int64).T
        self._document_of = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        self.lengths = np.full(len(runs), length, np.int64)
        single = int((np.diff(bounds) == 1).sum())
        self.left_out = (
            f"{single:,} of {len(bounds) - 1:,} documents as a first part (they have one sentence)" if single else ""
        )

    def __call__(self, numbers: NDArray[np.int64], *, epoch: int, length: int) -> Texts:
        starts, kept, is_next = self._drawn(numbers, epoch)
        columns = np.arange(length)
        a, b = kept[:, :1], kept[:, 1:]
        second = columns > a + 1
        mask = columns <= a + b + 2
        is_text = mask & (columns > 0) & (columns != a + 1) & (columns != a + b + 2)
        positions = np.where(second, starts[:, 1:] - a - 2, starts[:, :1] - 1) + columns
        tokens = np.where(is_text, self._documents.tokens[positions * is_text], np.int32(self._separator)) * mask
        tokens[:, 0] = self._start
        return Texts(tokens, (second & mask).astype(np.int32), mask, is_next)

    def _drawn(
        self, numbers: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Where A and B begin among all tokens and how many they have, [n, 2] each, and whether B follows A."""
        tokens, bounds = self._documents.sentences, self._documents.documents
        bits = draws(numbers, 3, seed=self._seed, epoch=epoch, stream=PAIRS)
        first, last = self._first[numbers], self._last[numbers]
        middle = first + 1 + places(bits[:, 0], last - first - 1)
        is_next = bits[:, 1] < _HALF
        a = tokens[middle] - tokens[first]
        # Of the sentences of all other documents: those before this one, and then those behind it.
        begin, end = bounds[self._document_of[first]], bounds[self._document_of[first] + 1]
        other = places(bits[:, 2], bounds[-1] - (end - begin))
        other += np.where(other >= begin, end - begin, 0)
        filled = np.searchsorted(tokens, tokens[other] + np.maximum(self._room - a, 1))
        other_end = np.minimum(filled, bounds[self._document_of[other] + 1])
        b_start = tokens[np.where(is_next, middle, other)]
        b = tokens[np.where(is_next, last, other_end)] - b_start
        a_kept, b_kept = _truncated(a, b, self._room)
        return np.stack([tokens[middle] - a_kept, b_start], 1), np.stack([a_kept, b_kept], 1), is_next


class SingleTexts:
    """Runs of sentences of one document, without a second task.

    Each token is in one example. One ends behind the last sentence that it has room for whole; a sentence that none has
    room for is cut.

    Args:
        length: tokens of an example at the most, with [CLS] and [SEP].
        start_id, separator_id: ids of [CLS] and [SEP].

    Raises:
        InputError: `length` is below 3.
    """

    left_out = ""

    def __init__(self, documents: Documents, *, length: int, start_id: int, separator_id: int) -> None:
        if length < 3:
            raise InputError(f"length is {length}: a token and what marks a text need 3, give 3 or more")
        self._tokens, self._start, self._separator = documents.tokens, start_id, separator_id
        self._starts = np.array([0, *_ends(documents, length - 2)], np.int64)
        self.lengths = np.diff(self._starts) + 2

    def __call__(self, numbers: NDArray[np.int64], *, epoch: int, length: int) -> Texts:
        starts, counts = self._starts[numbers][:, None], self.lengths[numbers][:, None]
        columns = np.arange(length)
        mask = columns < counts
        is_text = (columns > 0) & (columns < counts - 1)
        tokens = np.where(is_text, self._tokens[(starts - 1 + columns) * is_text], np.int32(self._separator)) * mask
        tokens[:, 0] = self._start
        return Texts(tokens, np.zeros(mask.shape, np.int32), mask, np.zeros(len(mask), bool))


def _runs(documents: Documents, room: int) -> Iterator[tuple[int, int]]:
    """The first sentences of runs and those behind their last: two sentences or more, `room` tokens or up to a
    document's end."""
    tokens: list[int] = documents.sentences.tolist()
    bounds: list[int] = documents.documents.tolist()
    for begin, end in itertools.pairwise(bounds):
        start, stop = begin, begin
        while end - begin > 1 and stop < end:
            start = min(start, end - 2)
            stop = min(max(bisect_left(tokens, tokens[start] + room), start + 2), end)
            yield start, stop
            start = stop - 1 if tokens[stop] - tokens[start] > room else stop


def _ends(documents: Documents, room: int) -> Iterator[int]:
    """Where texts of `room` tokens at the most end among all tokens."""
    tokens: list[int] = documents.sentences.tolist()
    at = 0
    for end in documents.bounds[1:].tolist():
        while at < end:
            whole = end if end <= at + room else tokens[bisect_right(tokens, at + room) - 1]
            at = whole if whole > at else at + room
            yield at


def _truncated(a: NDArray[np.int64], b: NDArray[np.int64], room: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many tokens of `a` and `b` are kept, where the longer loses one after the other, b where they are equal."""
    kept = np.minimum(a, np.maximum(room - b, room - room // 2))
    return kept, np.minimum(b, room - kept)
