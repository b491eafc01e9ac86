"""Lines in batches: from sequences of token ids, and the number of a step, to that step's batch.

Each line is read from the initial carry. Its first token is no target, its last one no input.
"""

from typing import Literal

import numpy as np

from jaxseq.data.batching import Batch
from jaxseq.data.examples import Sequences
from jaxseq.data.lengths import length_report
from jaxseq.data.shuffling import shuffled
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError


class LineLoader:
    """Lines, shuffled anew in each epoch: `loader(step)` is a `Batch` of [batch_size, length].

    "padded": a line a row; `mask` is False behind its end, and what is longer than `length` is cut. "packed": the lines
    of an epoch follow each other through rows of `length`, and nothing is padding. `reset` is True where a line starts;
    where the end of a row cuts a line, the rest of it is the beginning of the next row, read from the initial carry.

    Args:
        sequences: of 2 tokens or more each.
        layout: "padded" or "packed".
        shuffle: draw the order of each epoch from `seed` and the epoch alone.
        pad: fill the last batch of an epoch up with padding, so that everything is seen. Without it what is left over
            there is not seen in that epoch (`left_out` says how much).
        vocab_size: what all ids are known to be below; without it a model looks through them once.

    Raises:
        InputError: a size is not above 0, a sequence has fewer than 2 tokens, or all together fill no batch.
    """

    carried = False
    uniform = True

    def __init__(
        self,
        sequences: Sequences,
        *,
        length: int,
        batch_size: int,
        layout: Literal["padded", "packed"] = "padded",
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = False,
        vocab_size: int | None = None,
    ) -> None:
        require_positive(length=length, batch_size=batch_size)
        if layout not in ("padded", "packed"):
            raise InputError(f"layout is {layout!r}: give padded or packed")
        self.lines = len(sequences.offsets) - 1
        if short := int((sequences.lengths < 2).sum()):
            raise InputError(f"{short:,} of {self.lines:,} lines have fewer than 2 tokens: leave them out")
        self.ids, self.vocab_size = np.asarray(sequences.ids), vocab_size
        self.length, self.batch_size = length, batch_size
        self._starts, self._pairs = np.asarray(sequences.offsets[:-1]), sequences.lengths - 1
        self._packed, self._shuffle, self._seed = layout == "packed", shuffle, seed
        total = int(self._pairs.sum())
        count, in_batch = (total, batch_size * length) if self._packed else (self.lines, batch_size)
        self.steps_per_epoch = -(-count // in_batch) if pad else count // in_batch
        if self.steps_per_epoch == 0:
            what = f"{batch_size} rows of {length} tokens" if self._packed else f"{batch_size} lines"
            raise InputError(
                f"a batch of {what} is more than the {count} there are: lower --data.batch-size or add text"
            )
        self.masked = not self._packed or total < self.steps_per_epoch * in_batch
        self.interior_resets = self._packed
        self._columns = np.arange(length)
        self._order: tuple[int, np.ndarray, np.ndarray] | None = None

    def __call__(self, step: int) -> Batch:
        if step < 0:
            raise ValueError(f"step is {step}: steps count from 0")
        epoch, index = divmod(step, self.steps_per_epoch)
        rows = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        return self._packed_rows(epoch, rows) if self._packed else self._padded_rows(epoch, rows)

    @property
    def left_out(self) -> str:
        """What of the lines no batch of an epoch holds, in words; empty where all is read."""
        which, total = "other ones each time" if self._shuffle else "the last", int(self._pairs.sum())
        if self._packed:
            tail = max(0, total - self.steps_per_epoch * self.batch_size * self.length)
            return f"{tail:,} of {total:,} tokens (fewer than a batch; {which})" if tail else ""
        parts = []
        if short := max(0, self.lines - self.steps_per_epoch * self.batch_size):
            parts.append(f"{short:,} of {self.lines:,} lines (fewer than a batch; {which})")
        report = length_report(self._pairs, self.length)
        if lost := report.tokens_left_out:
            parts.append(f"{lost:,} of {total:,} tokens ({report.truncated:,} lines are longer than {self.length:,})")
        return ", ".join(parts)

    def _padded_rows(self, epoch: int, rows: np.ndarray) -> Batch:
        lines = self._lines(epoch, rows)
        counts = np.where(rows < self.lines, self._pairs[lines], 0)
        mask = self._columns < counts[:, None]
        return self._batch(self._starts[lines][:, None] + self._columns, mask, mask & (self._columns == 0))

    def _packed_rows(self, epoch: int, rows: np.ndarray) -> Batch:
        order, ends = self._in_order(epoch)
        positions = rows[:, None] * self.length + self._columns
        mask = positions < ends[-1]
        places = np.searchsorted(ends, np.where(mask, positions, 0), side="right")
        lines = order[places]
        within = positions - (ends[places] - self._pairs[lines])
        reset = mask & ((within == 0) | (self._columns == 0))
        return self._batch(self._starts[lines] + within, mask, reset)

    def _batch(self, positions: np.ndarray, mask: np.ndarray, reset: np.ndarray) -> Batch:
        """The tokens at `positions` [b, t] and those behind them; 0 where `mask` is False."""
        positions = np.where(mask, positions, 0)
        inputs, targets = (np.where(mask, self.ids[positions + ahead], 0).astype(np.int32) for ahead in (0, 1))
        return Batch(inputs, targets, mask, reset)

    def _lines(self, epoch: int, rows: np.ndarray) -> np.ndarray:
        """The lines at these places of an epoch; any where there is none."""
        places = np.minimum(rows, self.lines - 1)
        return shuffled(places, count=self.lines, seed=self._seed, epoch=epoch) if self._shuffle else places

    def _in_order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The lines as an epoch has them, and where each ends in their stream of inputs: both [k] int64."""
        epoch = epoch if self._shuffle else 0
        kept = self._order  # that of the last epoch asked for: working it out again gives the same
        if kept is None or kept[0] != epoch:
            order = self._lines(epoch, np.arange(self.lines))
            kept = epoch, order, np.cumsum(self._pairs[order])
            self._order = kept
        return kept[1:]
