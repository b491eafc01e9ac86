"""Loaders: from one long array of token ids and the number of a step to that step's batch.

A loader holds nothing that changes. A target is always the token that follows in the corpus, also at the end of a
window, of a row and of a document; only the very last token has none and is a target alone.
"""

from collections.abc import Sequence

import numpy as np

from jaxseq.data.batching import Batch
from jaxseq.data.shuffling import shuffled
from jaxseq.data.windows import require_corpus, require_positive, row_bounds, sliding_windows
from jaxseq.errors import InputError

_ALL = slice(None)


class WindowLoader:
    """Overlapping windows, each read from the initial carry: `loader(step)` is a `Batch` of [batch_size, length].

    Args:
        ids: [n] token ids of any integer type; a memory-mapped array stays on disk.
        length: tokens in a window.
        shift: tokens between the starts of neighbouring windows.
        batch_size: windows in a batch.
        shuffle: draw each epoch's windows in an order that depends on `seed` and the epoch alone.
        seed: not negative.
        pad: fill the last batch of an epoch up with rows whose mask is False, so that every window is seen; without
            it the windows left over after the last whole batch are not seen in that epoch (`left_out` says how many).
        document_starts: sorted positions in `ids` where documents begin; `reset` is True there too.
        vocab_size: what all ids are known to be below; without it a model looks through them once.

    Raises:
        InputError: a size is not above 0, the corpus is shorter than a window, or its windows do not fill a batch.
    """

    carried = False
    uniform = True

    def __init__(
        self,
        ids: np.ndarray,
        *,
        length: int,
        batch_size: int,
        shift: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = False,
        document_starts: Sequence[int] | np.ndarray = (),
        vocab_size: int | None = None,
    ) -> None:
        require_positive(length=length, shift=shift, batch_size=batch_size)
        require_corpus(len(ids), length=length)
        self._cutter = _Cutter(ids, length, batch_size, document_starts)
        self.ids, self.vocab_size = np.asarray(ids), vocab_size
        self.length, self.batch_size = length, batch_size
        self.windows = (len(ids) - length - 1) // shift + 1
        self.steps_per_epoch = -(-self.windows // batch_size) if pad else self.windows // batch_size
        if self.steps_per_epoch == 0:
            raise InputError(
                f"a batch of {batch_size} windows is more than the {self.windows} in the corpus: "
                "lower --data.batch-size or add text"
            )
        self.masked = pad and self.windows % batch_size != 0
        self.interior_resets = self._cutter.has_documents
        self._shift, self._shuffle, self._seed = shift, shuffle, seed
        self._reset = _constant(np.arange(length) == 0, batch_size)

    def __call__(self, step: int) -> Batch:
        return self.part(step, _ALL)

    def part(self, step: int, rows: slice) -> Batch:
        """Those `rows` of a batch: no others are read."""
        epoch, index = _locate(step, self.steps_per_epoch)
        first = index * self.batch_size
        windows = np.arange(first, min(first + self.batch_size, self.windows))
        if self._shuffle:
            windows = shuffled(windows, count=self.windows, seed=self._seed, epoch=epoch)
        starts = windows * self._shift
        missing = self.batch_size - len(starts)
        if missing == 0:
            return self._cutter.batch(starts[rows], _of(self._reset, rows))
        mask = np.repeat(np.arange(self.batch_size) < len(starts), self.length).reshape(self.batch_size, self.length)
        return self._cutter.batch(np.pad(starts, (0, missing))[rows], (self._reset & mask)[rows], mask[rows])

    @property
    def left_out(self) -> str:
        """Windows short of a batch, the tokens after the last window, and those between windows, in words."""
        count, parts = self._cutter.count, []
        if not self.masked and (short := self.windows % self.batch_size):
            which = "other ones each time" if self._shuffle else "the last"
            parts.append(f"{short:,} of {self.windows:,} windows (fewer than a batch; {which})")
        last = (self.windows - 1) * self._shift
        if tail := count - (last + self.length + 1):
            parts.append(f"the last {tail:,} of {count:,} tokens (no whole window)")
        if self.windows > 1 and (gap := max(0, self._shift - self.length - 1)):
            parts.append(f"{gap:,} tokens between neighbouring windows (data.shift is {self._shift:,})")
        return ", ".join(parts)


class RowLoader:
    """Contiguous rows for a carry that is handed on: `loader(step)` is a `Batch` of [batch_size, length].

    The corpus is cut into `batch_size` stretches that follow each other; row i of a batch goes on where row i of the
    batch before it ended, and targets at the end of a stretch are the first tokens of the next. `reset` is True in
    column 0 of the first batch of every epoch and wherever a document starts.

    Args:
        ids: [n] token ids of any integer type; a memory-mapped array stays on disk.
        length: tokens of a row in one batch.
        batch_size: rows.
        pad: read everything, as an evaluation must: stretches differ by one token at most, and the last batch's mask
            is False where they have ended. Without it every mask is True and the last tokens of the corpus, fewer
            than batch_size * length + 1, are not read.
        document_starts: sorted positions in `ids` where documents begin.
        vocab_size: what all ids are known to be below; without it a model looks through them once.

    Raises:
        InputError: a size is not above 0, or the corpus is too short for so many rows.
    """

    carried = True
    uniform = True

    def __init__(
        self,
        ids: np.ndarray,
        *,
        length: int,
        batch_size: int,
        pad: bool = False,
        document_starts: Sequence[int] | np.ndarray = (),
        vocab_size: int | None = None,
    ) -> None:
        require_positive(length=length, batch_size=batch_size)
        pairs = len(ids) - 1
        needed = batch_size if pad else batch_size * length
        rows, sizes = f"{batch_size} rows", "--data.batch-size"
        if not pad:
            require_corpus(len(ids), length=length)
            rows, sizes = f"{rows} of window length {length}", f"{sizes} or --data.length"
        if pairs < needed:
            raise InputError(
                f"{rows} need at least {needed + 1} tokens, the corpus has {len(ids)}: lower {sizes}, or add text"
            )
        self._cutter = _Cutter(ids, length, batch_size, document_starts)
        self.ids, self.vocab_size = np.asarray(ids), vocab_size
        self.length, self.batch_size = length, batch_size
        if pad:
            self._bounds = row_bounds(pairs, batch_size)
            self.steps_per_epoch = -(-int(self._bounds[1]) // length)
        else:
            self.steps_per_epoch = pairs // needed
            self._bounds = np.arange(batch_size + 1) * self.steps_per_epoch * length
        self.masked = pad and pairs != self.steps_per_epoch * batch_size * length
        self.interior_resets = self._cutter.has_documents
        self._no_reset = _constant(np.zeros(length, bool), batch_size)
        self._first_reset = _constant(np.arange(length) == 0, batch_size)

    def __call__(self, step: int) -> Batch:
        return self.part(step, _ALL)

    def part(self, step: int, rows: slice) -> Batch:
        """Those `rows` of a batch: no others are read."""
        _, index = _locate(step, self.steps_per_epoch)
        starts = (self._bounds[:-1] + index * self.length)[rows]
        reset = _of(self._first_reset if index == 0 else self._no_reset, rows)
        if not self.masked or index < self.steps_per_epoch - 1:
            return self._cutter.batch(starts, reset)
        return self._cutter.batch(starts, reset, np.arange(self.length) < (self._bounds[1:][rows] - starts)[:, None])

    @property
    def left_out(self) -> str:
        """The tokens after the last whole batch, in words."""
        count = self._cutter.count
        tail = count - 1 - int(self._bounds[-1])
        return f"the last {tail:,} of {count:,} tokens (fewer than a batch)" if tail else ""


class _Cutter:
    """Cuts batches out of `ids` at given starts; what both loaders share."""

    def __init__(self, ids: np.ndarray, length: int, batch_size: int, document_starts: Sequence[int] | np.ndarray):
        self._ids = np.asarray(ids)
        if self._ids.ndim != 1 or self._ids.dtype.kind not in "iu":
            raise TypeError(f"token ids are [n] integers, got {self._ids.dtype} of shape {self._ids.shape}")
        self.count = len(self._ids)
        # Where the corpus is shorter than a window every batch has a mask, and this view is not used.
        self._windows = sliding_windows(self._ids, length=min(length + 1, len(self._ids)))
        self._columns = np.arange(length)
        self._all = _constant(np.ones(length, bool), batch_size)
        self._documents = np.asarray(document_starts, np.int64)
        self.has_documents = bool(((self._documents > 0) & (self._documents < len(self._ids) - 1)).any())

    def batch(self, starts: np.ndarray, reset: np.ndarray, mask: np.ndarray | None = None) -> Batch:
        """The batch whose rows begin at `starts` [b]; `reset` and `mask` are [b, t], no mask means all True."""
        if mask is None:
            mask = self._all if len(starts) == len(self._all) else self._all[: len(starts)]
            windows = self._windows[starts]
            inputs, targets = windows[:, :-1].astype(np.int32), windows[:, 1:].astype(np.int32)
        else:
            positions = np.where(mask, starts[:, None] + self._columns, 0)
            inputs = np.where(mask, self._ids[positions], 0).astype(np.int32)
            targets = np.where(mask, self._ids[positions + 1], 0).astype(np.int32)
        if self.has_documents:
            reset = self._with_documents(starts, mask, reset)
        return Batch(inputs, targets, mask, reset)

    def _with_documents(self, starts: np.ndarray, mask: np.ndarray, reset: np.ndarray) -> np.ndarray:
        """`reset`, or a copy of it that is True at document starts as well."""
        first = np.searchsorted(self._documents, starts)
        counts = np.searchsorted(self._documents, starts + len(self._columns)) - first
        total = int(counts.sum())
        if total == 0:
            return reset
        rows = np.repeat(np.arange(len(starts)), counts)
        documents = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(total)
        columns = self._documents[documents] - starts[rows]
        reset = reset.copy()
        reset[rows, columns] |= mask[rows, columns]
        return reset


def _locate(step: int, steps_per_epoch: int) -> tuple[int, int]:
    if step < 0:
        raise ValueError(f"step is {step}: steps count from 0")
    return divmod(step, steps_per_epoch)


def _of(array: np.ndarray, rows: slice) -> np.ndarray:
    """Those rows of an array; all of them are the array itself, which batches share."""
    return array if rows == _ALL else array[rows]


def _constant(row: np.ndarray, rows: int) -> np.ndarray:
    """`row` [t] repeated to a read-only [rows, t] that batches can share."""
    array = np.tile(row, (rows, 1))
    array.flags.writeable = False
    return array
