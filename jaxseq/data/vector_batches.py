"""Examples that are one vector each, in batches: a pure function of the step."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.bucketing import BucketPlan
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError


class VectorBatch(NamedTuple):
    """One step's examples."""

    vectors: np.ndarray
    """[b, d] float32; 0 where `valid` is False."""
    labels: np.ndarray
    """[b] int32; 0 where `valid` is False."""
    valid: np.ndarray
    """[b] bool, False on rows without an example, which fill a batch up."""


class VectorLoader:
    """Batches of `vectors` [k, d] with `labels` [k].

    Args:
        batch_size: rows of a batch.
        shuffle: draw the order of each epoch from `seed` and the epoch alone.
        pad: fill the last batch up, so that every example is seen. Without it what is left over there is not seen in
            that epoch.

    Raises:
        InputError: there are fewer examples than a batch has, and no `pad`.
    """

    steps_per_epoch: int
    batch_size: int
    uniform: bool = True

    def __init__(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.int32],
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = False,
    ) -> None:
        require_positive(batch_size=batch_size)
        if len(vectors) != len(labels):
            raise ValueError(f"there are {len(vectors)} vectors and {len(labels)} labels: give as many")
        self._vectors, self._labels, self.batch_size = vectors, labels, batch_size
        self._plan = BucketPlan(np.zeros(len(labels), np.int64), [batch_size], shuffle=shuffle, seed=seed, pad=pad)
        self.steps_per_epoch = len(self._plan.cuts)
        if not self.steps_per_epoch:
            raise InputError(
                f"a batch of {batch_size} examples is more than the {len(labels)} there are: lower --data.batch-size "
                "or add texts"
            )

    def __call__(self, step: int) -> VectorBatch:
        _, which = self._plan(step)
        missing = self.batch_size - len(which)
        vectors, labels = self._vectors[which], self._labels[which]
        if missing:
            vectors, labels = np.pad(vectors, ((0, missing), (0, 0))), np.pad(labels, (0, missing))
        return VectorBatch(vectors, labels, np.arange(self.batch_size) < len(which))

    @property
    def left_out(self) -> str:
        """Examples short of a batch, in words; empty where all are seen."""
        if not (short := self._plan.short):
            return ""
        return f"{short:,} of {len(self._labels):,} examples (fewer than a batch; {self._plan.which_short})"
