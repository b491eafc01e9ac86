"""Things of several shapes in batches of one shape each: which come up at a step, a pure function of the step."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.shuffling import shuffled
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError


class Cut(NamedTuple):
    """A batch: positions in the order of an epoch, its rows and the number of its shape."""

    start: int
    stop: int
    rows: int
    bucket: int


class BucketPlan:
    """The batches of every epoch: `plan(step)` says which things a batch holds.

    Each comes up once in an epoch. Where fewer of a shape are left than a batch has, they go along with the next larger
    ones.

    Args:
        buckets: [k] the number of each one's shape; shapes ascend, one with a higher number has room for more.
        rows: of a batch of each shape.
        shuffle: draw the order of each epoch from `seed` and the epoch alone: of the things and, where batches have
            several shapes, of these. Without it batches ascend, and things of a shape stay in their order.
        pad: let the last batch of the largest shape be short, so that everything is seen. Without it what is left over
            there is not seen in that epoch.
    """

    def __init__(self, buckets: np.ndarray, rows: Sequence[int], *, shuffle: bool, seed: int, pad: bool) -> None:
        self.count = len(buckets)
        self._buckets, self._largest = buckets, len(rows) - 1
        self._shuffle, self._seed = shuffle, seed
        self.cuts = _cuts(np.bincount(buckets, minlength=len(rows)), rows, pad)
        """Of an epoch, from the smallest shape to the largest."""
        self.used = tuple(sorted({cut.bucket for cut in self.cuts}))
        """Numbers of the shapes that batches do have."""
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def short(self) -> int:
        """How many things an epoch does not have."""
        return self.count - self.cuts[-1].stop

    @property
    def which_short(self) -> str:
        """Which these are, in words."""
        return "other ones each time" if self._shuffle else "the last"

    def __call__(self, step: int) -> tuple[Cut, np.ndarray]:
        """The batch of a step, and the numbers [n] int64 of what it holds, n its rows at the most."""
        if step < 0:
            raise ValueError(f"step is {step}: steps count from 0")
        epoch, index = divmod(step, len(self.cuts))
        if self._shuffle and len(self.used) > 1:
            # Twice the epoch and one more is another order than that of the things.
            at = np.array([index])
            index = int(shuffled(at, count=len(self.cuts), seed=self._seed, epoch=2 * epoch + 1)[0])
        cut = self.cuts[index]
        return cut, self._in_order(epoch, cut.start, cut.stop)

    def _in_order(self, epoch: int, start: int, stop: int) -> np.ndarray:
        """What stands at these positions of an epoch in which the shapes follow each other: [n] int64."""
        epoch = epoch if self._shuffle else 0
        if self._shuffle and self.used == (self._largest,):  # in any order
            return shuffled(np.arange(start, stop), count=self.count, seed=self._seed, epoch=2 * epoch)
        kept = self._order  # that of the last epoch asked for: taking it again must give the same
        if kept is None or kept[0] != epoch:
            order = np.arange(self.count)
            if self._shuffle:
                order = shuffled(order, count=self.count, seed=self._seed, epoch=2 * epoch)
            kept = epoch, order[np.argsort(self._buckets[order], kind="stable")]
            self._order = kept
        return kept[1][start:stop]


def rows_of_batch(cells: int, batch_size: int | None, batch_tokens: int | None, multiple: int, *, shape: str) -> int:
    """The rows of a batch by one of two measures, a multiple of `multiple`.

    Args:
        cells: of one row.
        shape: what a row is, for messages: "length 512".

    Raises:
        InputError: there would be none, or the batch size is no such multiple.
    """
    if (batch_size is None) == (batch_tokens is None):
        raise ValueError("give batch_size or batch_tokens, one of them")
    require_positive(multiple=multiple)
    if batch_size is not None:
        require_positive(batch_size=batch_size)
        if batch_size % multiple:
            raise InputError(f"batch_size is {batch_size}: give a multiple of {multiple}")
        return batch_size
    assert batch_tokens is not None
    rows = batch_tokens // cells // multiple * multiple
    if rows == 0:
        raise InputError(
            f"batch_tokens is {batch_tokens}: {multiple} of {shape} need {multiple * cells}, "
            "give as many or lower the length"
        )
    return rows


def _cuts(counts: np.ndarray, rows: Sequence[int], pad: bool) -> list[Cut]:
    """The batches of an epoch, the smallest shape first; `counts` [k] are the things of each."""
    cuts: list[Cut] = []
    start = end = 0
    for bucket, (size, count) in enumerate(zip(rows, counts.tolist(), strict=True)):
        end += count
        while end - start >= size:
            cuts.append(Cut(start, start + size, size, bucket))
            start += size
    if pad and start < end:
        cuts.append(Cut(start, end, rows[-1], len(rows) - 1))
    return cuts
