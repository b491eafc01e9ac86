"""Pairs of sequences in batches: from source and target ids, and the number of a step, to that step's batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.bucketing import BucketPlan, rows_of_batch
from jaxseq.data.examples import Sequences
from jaxseq.data.padding import id_rows
from jaxseq.data.pair_shapes import PairShape, buckets_of
from jaxseq.errors import InputError


class PairBatch(NamedTuple):
    """One step's pairs."""

    source: np.ndarray
    """[b, s] int32 token ids, the end of a source included; 0 where `source_mask` is False."""
    source_mask: np.ndarray
    """[b, s] bool, False on padding; all False on a row without a pair, which fills a batch up."""
    inputs: np.ndarray
    """[b, t] int32, a target from its start to its last token; 0 where `mask` is False."""
    targets: np.ndarray
    """[b, t] int32, the same from its first token to its end: what follows each input; 0 where `mask` is False."""
    mask: np.ndarray
    """[b, t] bool, False behind the end, and all False on a row without a pair."""


class PairLoader:
    """Pairs in batches of few shapes: `loader(step)` is a `PairBatch`, a pure function of the step.

    A pair comes up once in an epoch. Where fewer of a shape are left than a batch has, they go along with the next
    larger ones. Everything is read whole.

    Args:
        sources: ids of each source, its end included.
        targets: ids of each target from its start to its end: one more than a row of its batch has at least.
        shapes: those that batches can have, each with room for all before it; see `choose_shapes`. The last one has
            room for every pair.
        batch_size: rows of a batch; give this or `batch_tokens`.
        batch_tokens: cells of a batch, padding and both sides counted: shorter pairs come more at a time.
        multiple: rows are a multiple of this, so that devices can share them.
        shuffle: draw the order of each epoch from `seed` and the epoch alone; pairs and, where there are several
            shapes, batches. Without it batches go from short to long, pairs of a shape in their order.
        pad: fill the last batch of the largest shape up with rows without a pair, so that everything is seen. Without
            it what is left over there is not seen in that epoch (`left_out` says how many).

    Raises:
        InputError: a size does not fit, there is no pair, or there are fewer than a batch has, and no `pad`.
    """

    shapes: tuple[tuple[int, PairShape], ...]
    """The rows and the shape of batches, ascending, each once."""
    batch_size: int
    """The largest b of a batch."""
    steps_per_epoch: int
    """Batches in a pass over the pairs; step s belongs to epoch s // steps_per_epoch."""
    uniform: bool
    """True promises that every batch has the same shapes."""

    def __init__(
        self,
        sources: Sequences,
        targets: Sequences,
        *,
        shapes: Sequence[PairShape],
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        multiple: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = True,
    ) -> None:
        self.pairs = len(sources.lengths)
        if self.pairs == 0:
            raise InputError("there are no pairs: give --data.source a source that holds some")
        if len(targets.lengths) != self.pairs or targets.lengths.min() < 2 or sources.lengths.min() < 1:
            raise ValueError(
                "each pair has a source of 1 token or more, and a target of its start and its end at least"
            )
        self._sources, self._targets = sources, targets
        self._source_counts = sources.lengths
        self._counts = targets.lengths - 1  # inputs and targets are the same ids, shifted by one here and nowhere else
        buckets = buckets_of(shapes, self._source_counts, self._counts)
        self._shapes = tuple(shapes)
        rows = [
            rows_of_batch(s + t, batch_size, batch_tokens, multiple, shape=f"{s} and {t} tokens") for s, t in shapes
        ]
        self._plan = BucketPlan(buckets, rows, shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {rows[-1]} pairs is more than the {self.pairs} there are: "
                "lower --data.batch-size or --data.batch-tokens, or add pairs"
            )
        self.steps_per_epoch = len(self._plan.cuts)
        self.shapes = tuple((rows[bucket], self._shapes[bucket]) for bucket in self._plan.used)
        self.batch_size = max(size for size, _ in self.shapes)
        self.uniform = len(self.shapes) == 1

    def __call__(self, step: int) -> PairBatch:
        cut, pairs = self._plan(step)
        s, t = self._shapes[cut.bucket]
        counts = self._counts[pairs]
        starts = self._sources.offsets[pairs]
        source, source_mask = id_rows(self._sources.ids, starts, self._source_counts[pairs], cut.rows, s)
        starts = self._targets.offsets[pairs]
        inputs, mask = id_rows(self._targets.ids, starts, counts, cut.rows, t)
        targets, _ = id_rows(self._targets.ids, starts + 1, counts, cut.rows, t)
        return PairBatch(source, source_mask, inputs, targets, mask)

    def rows(self, step: int) -> np.ndarray:
        """Which pairs a batch holds: [n] int64 numbers, n the batch's rows that have one, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Pairs short of a batch, in words; empty where all are read."""
        if not (short := self._plan.short):
            return ""
        return f"{short:,} of {self.pairs:,} pairs (fewer than a batch; {self._plan.which_short})"

    @property
    def padding(self) -> float:
        """The share of an epoch's cells that is padding, rows without a pair included; where pairs are left out of it,
        about so much."""
        cells = sum(cut.rows * sum(self._shapes[cut.bucket]) for cut in self._plan.cuts)
        read = self._source_counts.sum() + self._counts.sum()
        return 1.0 - float(read) * (1 - self._plan.short / self.pairs) / cells
