"""Examples of one shape with a class each, in batches: each batch a pure function of the number of its step."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.bucketing import BucketPlan
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError

Examples = Callable[[NDArray[np.int64]], tuple[np.ndarray, np.ndarray]]
"""Numbers [n] of examples -> what is given [n, ...] and classes [n]; an example follows from its number alone."""


class ClassBatch(NamedTuple):
    """One step's examples."""

    inputs: np.ndarray
    """[b, ...] what is given; 0 where `valid` is False."""
    labels: np.ndarray
    """[b] int32 classes; 0 where `valid` is False."""
    valid: np.ndarray
    """[b] bool, False on rows without an example, which fill a batch up."""


class NumberedLoader:
    """Examples by their numbers, 0 to `count` - 1, in batches of one shape: `loader(step)` is a `ClassBatch`.

    An example comes up once in an epoch.

    Args:
        examples: gives those of some numbers, in memory or made when they are asked for.
        batch_size: examples in a batch.
        shuffle: draw the order of each epoch from `seed` and the epoch alone.
        pad: fill the last batch up with rows that are not `valid`, so that everything is seen. Without it what is left
            over after the last whole batch is not seen in that epoch (`left_out` says how many).
        uniform: promise that batches have one shape; without it no two are held at the same time, which suits large
            ones.

    Raises:
        InputError: there are fewer examples than a batch has, and no `pad`.
    """

    steps_per_epoch: int
    """Batches in a pass over the examples; step s belongs to epoch s // steps_per_epoch."""
    batch_size: int

    def __init__(
        self,
        examples: Examples,
        count: int,
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = False,
        uniform: bool = True,
    ) -> None:
        require_positive(count=count, batch_size=batch_size)
        self._examples, self.uniform = examples, uniform
        self._plan = BucketPlan(np.zeros(count, np.int64), [batch_size], shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {batch_size} examples is more than the {count} there are: lower --data.batch-size or "
                "raise --data.examples"
            )
        self.batch_size, self.steps_per_epoch = batch_size, len(self._plan.cuts)

    def __call__(self, step: int) -> ClassBatch:
        numbers = self.rows(step)
        inputs, labels = self._examples(numbers)
        rest = self.batch_size - len(numbers)
        if rest:
            inputs = np.concatenate([inputs, np.zeros((rest, *inputs.shape[1:]), inputs.dtype)])
            labels = np.concatenate([labels, np.zeros(rest, labels.dtype)])
        return ClassBatch(inputs, labels.astype(np.int32, copy=False), np.arange(self.batch_size) < len(numbers))

    def rows(self, step: int) -> np.ndarray:
        """Which examples a batch holds: [n] int64 numbers, n the batch's rows that are valid, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Examples short of a batch, in words; empty where all are seen."""
        if not (short := self._plan.short):
            return ""
        return f"{short:,} of {self._plan.count:,} examples (fewer than a batch; {self._plan.which_short})"
