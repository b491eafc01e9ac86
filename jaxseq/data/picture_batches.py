"""Pictures in batches, alone or with their captions: each batch a pure function of the number of its step."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.bucketing import BucketPlan, rows_of_batch
from jaxseq.data.examples import Sequences
from jaxseq.data.padding import id_rows
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError


class PictureBatch(NamedTuple):
    """One step's pictures."""

    pictures: np.ndarray
    """[b, h, w, c] uint8; 0 where `valid` is False."""
    labels: np.ndarray
    """[b] int32 classes; 0 where `valid` is False, and everywhere where pictures have none."""
    valid: np.ndarray
    """[b] bool, False on rows without a picture, which fill a batch up."""


class PictureLoader:
    """Pictures in batches of one shape: `loader(step)` is a `PictureBatch`, a pure function of the step.

    A picture comes up once in an epoch.

    Args:
        pictures: [n, h, w, c] uint8; a memory-mapped array stays on disk.
        labels: [n] classes, where there are some.
        batch_size: pictures in a batch.
        shuffle: draw the order of each epoch from `seed` and the epoch alone.
        pad: fill the last batch up with rows that are not `valid`, so that everything is seen. Without it what is left
            over after the last whole batch is not seen in that epoch (`left_out` says how many).

    Raises:
        InputError: there is no picture, or there are fewer than a batch has, and no `pad`.
    """

    uniform = True
    steps_per_epoch: int
    """Batches in a pass over the pictures; step s belongs to epoch s // steps_per_epoch."""
    batch_size: int

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        labels: np.ndarray | None = None,
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = False,
    ) -> None:
        _require_pictures(pictures)
        require_positive(batch_size=batch_size)
        count = len(pictures)
        if count == 0:
            raise InputError("there are no pictures: give --data.source a source that holds some")
        if labels is not None and (labels.shape != (count,) or labels.dtype.kind not in "iu"):
            raise TypeError(f"labels are [{count}] integers, got {labels.dtype} of shape {labels.shape}")
        self._pictures = pictures
        self._labels = np.zeros(count, np.int32) if labels is None else labels.astype(np.int32)
        self._plan = BucketPlan(np.zeros(count, np.int64), [batch_size], shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {batch_size} pictures is more than the {count} there are: lower --data.batch-size or add "
                "pictures"
            )
        self.batch_size, self.steps_per_epoch = batch_size, len(self._plan.cuts)

    def __call__(self, step: int) -> PictureBatch:
        rows = self.rows(step)
        pictures, labels = self._pictures[rows], self._labels[rows]
        return PictureBatch(
            _filled_up(pictures, self.batch_size),
            _filled_up(labels, self.batch_size),
            np.arange(self.batch_size) < len(rows),
        )

    def rows(self, step: int) -> np.ndarray:
        """Which pictures a batch holds: [n] int64 numbers, n the batch's rows that are valid, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Pictures short of a batch, in words; empty where all are seen."""
        return _left_out(self._plan, "pictures")


class CaptionBatch(NamedTuple):
    """One step's captions and the pictures that they belong to."""

    pictures: np.ndarray
    """[b, h, w, c] uint8; 0 on a row without a caption."""
    inputs: np.ndarray
    """[b, t] int32, a caption from its start to its last token; 0 where `mask` is False."""
    targets: np.ndarray
    """[b, t] int32, the same from its first token to its end: what follows each input; 0 where `mask` is False."""
    mask: np.ndarray
    """[b, t] bool, False behind the end, and all False on a row without a caption, which fills a batch up."""


class CaptionLoader:
    """Captions with their pictures in batches of few shapes: `loader(step)` is a `CaptionBatch`, a pure function of the
    step.

    A caption comes up once in an epoch. Where fewer of a length are left than a batch has, they go along with the next
    longer ones. Everything is read whole.

    Args:
        pictures: [n, h, w, c] uint8, each once however many captions it has.
        places: [k] which picture each caption belongs to.
        captions: ids of each caption from its start to its end: one more than a row of its batch has at least.
        lengths: those that rows can have; see `choose_lengths`. The longest has room for every caption.
        batch_size: captions in a batch.
        multiple: that is a multiple of this, so that devices can share them.
        shuffle: draw the order of each epoch from `seed` and the epoch alone; captions and, where there are several
            lengths, batches. Without it batches go from short to long, captions of a length in their order.
        pad: fill the last batch of the longest length up with rows without a caption, so that everything is seen.
            Without it what is left over there is not seen in that epoch (`left_out` says how many).

    Raises:
        InputError: a size does not fit, there is no caption or one that is too long, or there are fewer than a batch
            has, and no `pad`.
    """

    lengths: tuple[int, ...]
    """The t of batches, ascending, each once."""
    batch_size: int
    steps_per_epoch: int
    """Batches in a pass over the captions; step s belongs to epoch s // steps_per_epoch."""
    uniform: bool
    """True promises that every batch has the same shapes."""

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        places: np.ndarray,
        captions: Sequences,
        *,
        lengths: Sequence[int],
        batch_size: int,
        multiple: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = True,
    ) -> None:
        _require_pictures(pictures)
        self.captions = len(captions.lengths)
        if self.captions == 0:
            raise InputError("there are no captions: give --data.source a source that holds some")
        if places.shape != (self.captions,) or places.min() < 0 or places.max() >= len(pictures):
            raise ValueError(f"places are [{self.captions}] numbers of {len(pictures)} pictures, one for each caption")
        self._counts = captions.lengths - 1  # inputs and targets are the same ids, shifted by one in the batch
        if self._counts.min() < 1:
            raise ValueError("each caption has its start and its end at least")
        choice = sorted(set(lengths))
        if not choice or choice[0] < 1 or choice[-1] < self._counts.max():
            at = int(self._counts.argmax())
            raise InputError(
                f"caption {at + 1:,} has {self._counts[at]} tokens and batches have lengths of {choice}: leave it out, "
                "or give one that has room for it"
            )
        rows = rows_of_batch(choice[-1], batch_size, None, multiple, shape=f"length {choice[-1]}")
        self._pictures, self._places, self._ids, self._choice = pictures, places, captions, choice
        buckets = np.searchsorted(choice, self._counts)
        self._plan = BucketPlan(buckets, [rows] * len(choice), shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {batch_size} captions is more than the {self.captions} there are: lower "
                "--data.batch-size or add captions"
            )
        self.batch_size, self.steps_per_epoch = batch_size, len(self._plan.cuts)
        self.lengths = tuple(choice[bucket] for bucket in self._plan.used)
        self.uniform = len(self.lengths) == 1

    def __call__(self, step: int) -> CaptionBatch:
        cut, captions = self._plan(step)
        length = self._choice[cut.bucket]
        starts, counts = self._ids.offsets[captions], self._counts[captions]
        pictures = _filled_up(self._pictures[self._places[captions]], cut.rows)
        inputs, mask = id_rows(self._ids.ids, starts, counts, cut.rows, length)
        targets, _ = id_rows(self._ids.ids, starts + 1, counts, cut.rows, length)
        return CaptionBatch(pictures, inputs, targets, mask)

    def rows(self, step: int) -> np.ndarray:
        """Which captions a batch holds: [n] int64 numbers, n the batch's rows that have one, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Captions short of a batch, in words; empty where all are read."""
        return _left_out(self._plan, "captions")


def _require_pictures(pictures: np.ndarray) -> None:
    if pictures.ndim != 4 or pictures.dtype != np.uint8:
        raise TypeError(f"pictures are [n, h, w, c] uint8, got {pictures.dtype} of shape {pictures.shape}")


def _filled_up(array: np.ndarray, rows: int) -> np.ndarray:
    """`array` [n, ...] with zeros behind it: [rows, ...]."""
    missing = rows - len(array)
    if not missing:
        return array
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])


def _left_out(plan: BucketPlan, what: str) -> str:
    if not (short := plan.short):
        return ""
    return f"{short:,} of {plan.count:,} {what} (fewer than a batch; {plan.which_short})"
