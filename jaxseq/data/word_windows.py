"""Words with their neighbours in batches: from sentences of word ids, and the number of a step, to that step's batch.

An epoch draws which occurrences of frequent words stay, and closes the gaps; then how far each word's window reaches, 1
to `window` words to either side, within its sentence (word2vec.c); where the order of words says nothing, another order
too. What stays of all sentences is one stream, cut into rows. No sentence is too long: a row ends where the next one
goes on, with the neighbours of its outermost words in both.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.examples import Sequences
from jaxseq.data.shuffling import shuffled
from jaxseq.data.subsampling import limits_of, most_kept
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError

_AT_ONCE = 2**20
"""Words that are drawn together."""
_TEXT, _NEGATIVES, _ORDER = 1, 2, 3
"""Streams of random numbers of an epoch."""


class WordBatch(NamedTuple):
    """One step's words; t centres a row, and `window` words before and behind them."""

    tokens: np.ndarray
    """[b, t + 2 window] int32 word ids; 0 where there is none."""
    left: np.ndarray
    """[b, t] int32, how many words right before a centre are its context; 0 where there is no centre."""
    right: np.ndarray
    """[b, t] int32, the same of those behind it."""
    centres: np.ndarray
    """[b] int32, how many centres there are in a row; they come first."""
    draws: np.ndarray
    """[b] uint32 random numbers that a row's negatives follow from."""


class _Epoch(NamedTuple):
    """What an epoch has drawn."""

    tokens: np.ndarray
    """[window + m + window + length] int32, zeros before and behind the m words that were kept."""
    left: np.ndarray
    """[m + length] uint8."""
    right: np.ndarray
    bounds: np.ndarray
    """[k + 1] int64: sentence i has the centres from bounds[i] to bounds[i + 1]."""
    starts: np.ndarray
    """[r + 1] int64: row i has the centres from starts[i] to starts[i + 1]."""
    order: np.ndarray
    """[steps * b] int64 rows in the order of the epoch; those past r are empty."""
    draws: np.ndarray
    """[r] uint32."""


class _Rows(NamedTuple):
    """The rows of a batch, b of an epoch's."""

    numbers: np.ndarray
    """[b] int64; 0 for one that is empty."""
    there: np.ndarray
    """[b] bool, which are not."""
    starts: np.ndarray
    """[b] int64, their first centres."""
    sizes: np.ndarray
    """[b] int64, how many they have."""

    def centres(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of their centres [b, length], and which there are."""
        places = np.arange(length)
        return self.starts[:, None] + places, places < self.sizes[:, None]


class WordWindowLoader:
    """`loader(step)` is a `WordBatch` of `batch_size` rows, pure in the step; all batches have one shape.

    What a row holds depends on `seed` and the epoch alone, not on how many rows a batch has. An epoch has a fixed
    number of batches, enough for all but one draw in 10^8; such a draw is made again. The last rows may be empty.

    Args:
        sentences: word ids; windows end where a sentence does.
        chances: of each word's occurrences to be kept [v], see `jaxseq.data.subsampling`.
        window: words to either side of a centre at the most, 255 or fewer.
        shrink: draw how far each window reaches; without it all reach as far.
        ordered: leave sentences as they are; without it each epoch draws an order of the words of each, that are sets.
        length: centres in a row at the most.
        pieces: of how many parts each word consists [v]; without it a row's words are not counted by parts.
        most_pieces: parts that a row's words, neighbours included, have at the most: it ends before there are more.
        shuffle: draw the order of the rows of each epoch.

    Raises:
        InputError: a size is not above 0; there is no word with a neighbour; or `most_pieces` is too few for a centre.
    """

    uniform = True
    left_out = ""
    """Nothing: all that an epoch keeps is read."""

    def __init__(
        self,
        sentences: Sequences,
        *,
        chances: NDArray[np.float64],
        window: int,
        length: int,
        batch_size: int,
        pieces: NDArray[np.integer] | None = None,
        most_pieces: int = 0,
        shrink: bool = True,
        ordered: bool = True,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        require_positive(window=window, length=length, batch_size=batch_size)
        if window > 255:
            raise InputError(f"window is {window}: give 255 or fewer")
        if not len(sentences.ids) or sentences.lengths.max() < 2:
            raise InputError("no sentence has two known words: give more text, or lower data.min_count")
        if pieces is not None and most_pieces < int(pieces.max()) * (2 * window + 1):
            raise InputError(
                f"a row of {most_pieces} parts of words is too short for a word of {pieces.max()} and its neighbours"
            )
        self.window, self.length, self.batch_size = window, length, batch_size
        self._ids, self._offsets = np.asarray(sentences.ids), np.asarray(sentences.offsets)
        self._limits = limits_of(chances)
        self._pieces, self._most_pieces = pieces, most_pieces
        self._shrink, self._ordered = shrink, ordered
        self._shuffle, self._seed = shuffle, seed
        self._before: tuple[int, _Epoch] | None = None
        most = most_kept(self._ids, chances)
        self._rows = max(1, -(-most // length))
        if pieces is not None:
            # Of rows that end by their parts there are as many as in a draw, and more as that may have more words, or
            # others in a row.
            kept, _ = self._kept(0, 0)
            drawn = len(self._row_starts(self._stream(kept, 0, 0), len(kept))) - 1
            more = 0 if (self._limits == limits_of(np.ones(1))).all() else 1
            more += 0 if ordered else 1 + math.isqrt(drawn)
            self._rows = max(1, -(-drawn * most // max(1, len(kept)))) + more
        self.steps_per_epoch = -(-self._rows // batch_size)

    def __call__(self, step: int) -> WordBatch:
        epoch, rows = self._located(step)
        centres, inside = rows.centres(self.length)
        places = np.arange(self.length + 2 * self.window)
        around = places < rows.sizes[:, None] + 2 * self.window * rows.there[:, None]
        return WordBatch(
            tokens=np.where(around, epoch.tokens[rows.starts[:, None] + places], 0),
            left=np.where(inside, epoch.left[centres], 0).astype(np.int32),
            right=np.where(inside, epoch.right[centres], 0).astype(np.int32),
            centres=rows.sizes.astype(np.int32),
            draws=np.where(rows.there, epoch.draws[rows.numbers] if len(epoch.draws) else 0, 0).astype(np.uint32),
        )

    def sentences(self, step: int) -> np.ndarray:
        """The sentence of each centre of a batch, [b, t] int32; -1 where there is no centre."""
        epoch, rows = self._located(step)
        centres, inside = rows.centres(self.length)
        return np.where(inside, np.searchsorted(epoch.bounds, centres, side="right") - 1, -1).astype(np.int32)

    def _located(self, step: int) -> tuple[_Epoch, _Rows]:
        """The epoch of a step, and its rows there."""
        if step < 0:
            raise ValueError(f"step is {step}: steps count from 0")
        number, index = divmod(step, self.steps_per_epoch)
        epoch = self._epoch(number)
        numbers = epoch.order[index * self.batch_size : (index + 1) * self.batch_size]
        there = numbers < len(epoch.draws)
        numbers = np.where(there, numbers, 0)
        starts = np.where(there, epoch.starts[numbers], 0)
        sizes = np.where(there, epoch.starts[np.minimum(numbers + 1, len(epoch.draws))] - starts, 0)
        return epoch, _Rows(numbers, there, starts, sizes)

    def pairs(self, epoch: int) -> int:
        """How many pairs of a centre and a word of its context there are in an epoch."""
        drawn = self._epoch(epoch)
        return int(drawn.left.sum(dtype=np.int64) + drawn.right.sum(dtype=np.int64))

    def _epoch(self, number: int) -> _Epoch:
        before = self._before  # the last one asked for: drawing it again gives the same
        if before is None or before[0] != number:
            before = number, self._drawn(number)
            self._before = before
        return before[1]

    def _drawn(self, number: int) -> _Epoch:
        attempt = 0
        while True:
            kept, reach = self._kept(number, attempt)
            tokens = self._stream(kept, number, attempt)
            starts = self._row_starts(tokens, len(kept))
            if len(starts) - 1 <= self._rows:
                break
            attempt += 1
        bounds = np.searchsorted(kept, self._offsets)
        sizes = np.diff(bounds)
        begins, ends = np.repeat(bounds[:-1], sizes), np.repeat(bounds[1:], sizes)
        places = np.arange(len(kept))
        left, right = np.minimum(reach, places - begins), np.minimum(reach, ends - 1 - places)
        left, right = (np.pad(side.astype(np.uint8), (0, self.length)) for side in (left, right))
        order = np.arange(self.steps_per_epoch * self.batch_size)
        if self._shuffle:
            order = shuffled(order, count=len(order), seed=self._seed, epoch=number)
        bits = np.random.Philox(np.random.SeedSequence([self._seed, number, _NEGATIVES]))
        draws = (bits.random_raw(len(starts) - 1) >> np.uint64(32)).astype(np.uint32)
        return _Epoch(tokens, left, right, bounds, starts, order, draws)

    def _kept(self, number: int, attempt: int) -> tuple[np.ndarray, np.ndarray]:
        """Which words stay [m] int64, and how far the window of each reaches [m] int64.

        Each word has 64 random bits, of which the upper half decides the one and the lower half the other.
        """
        bits = np.random.Philox(np.random.SeedSequence([self._seed, number, _TEXT, attempt]))
        kept, reach = [], []
        for at in range(0, len(self._ids), _AT_ONCE):
            ids = self._ids[at : at + _AT_ONCE]
            raw = bits.random_raw(len(ids))
            stays = np.flatnonzero((raw >> np.uint64(32)) < self._limits[ids])
            kept.append(stays + at)
            below = (raw[stays] & np.uint64(2**32 - 1)) * np.uint64(self.window) >> np.uint64(32)
            reach.append(1 + below.astype(np.int64) if self._shrink else np.full(len(stays), self.window))
        return np.concatenate(kept), np.concatenate(reach)

    def _stream(self, kept: np.ndarray, number: int, attempt: int) -> np.ndarray:
        """The words that stay, where order says nothing those of each sentence in one that is drawn, with room for
        windows and rows that reach beyond them."""
        if not self._ordered:
            bits = np.random.Philox(np.random.SeedSequence([self._seed, number, _ORDER, attempt]))
            sentences = np.searchsorted(self._offsets, kept, side="right")
            kept = kept[np.lexsort((bits.random_raw(len(kept)), sentences))]
        return np.pad(self._ids[kept].astype(np.int32), (self.window, self.window + self.length))

    def _row_starts(self, tokens: np.ndarray, count: int) -> np.ndarray:
        """Where rows begin, and the last one ends, among the `count` centres of a padded stream: [r + 1] int64."""
        if self._pieces is None:
            return np.append(np.arange(0, count, self.length), count)
        ends = np.cumsum(self._pieces[tokens])
        starts = [0]
        while starts[-1] < count:
            start = starts[-1]
            before = int(ends[start - 1]) if start else 0
            # The words that have room, less those around the centres.
            room = int(np.searchsorted(ends, before + self._most_pieces, side="right")) - start - 2 * self.window
            starts.append(min(start + self.length, start + room, count))
        return np.asarray(starts)
