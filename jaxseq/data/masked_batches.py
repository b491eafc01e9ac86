"""Texts with hidden tokens in batches: from examples and the number of a step to that step's batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.bucketing import BucketPlan, rows_of_batch
from jaxseq.data.masking import Masking, chosen_positions, mask_tokens
from jaxseq.data.next_sentences import TextSource
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError


class MaskedBatch(NamedTuple):
    """One step's texts. A model's head need look at k columns of each row alone."""

    tokens: NDArray[np.int32]
    """[b, t] ids, some of them hidden; 0 where `mask` is False."""
    segments: NDArray[np.int32]
    """[b, t], 1 for a pair's second text and the separator behind it, 0 elsewhere."""
    mask: NDArray[np.bool_]
    """[b, t], False on padding, and all False on a row without an example, which fills a batch up."""
    positions: NDArray[np.int32]
    """[b, k] columns of the tokens to be found, ascending; 0 where `chosen` is False."""
    targets: NDArray[np.int32]
    """[b, k] what stood there; 0 where `chosen` is False."""
    chosen: NDArray[np.bool_]
    """[b, k], False behind the last of a row's tokens to be found."""
    is_next: NDArray[np.bool_]
    """[b], True where the second text follows the first one; False where `valid` is, or there is no second text."""
    valid: NDArray[np.bool_]
    """[b], False on rows without an example."""


class MaskedLoader:
    """Texts in batches of few shapes: `loader(step)` is a `MaskedBatch`, a pure function of the step.

    An example comes up once in an epoch. Where fewer of a length are left than a batch has, they go along with the next
    longer ones. What an example holds, and what of it is hidden, follows from its number, `seed` and the epoch alone.

    Args:
        texts: the examples.
        lengths: those that batches can have, the longest with room for every example; see `choose_lengths`.
        batch_size: rows of a batch; give this or `batch_tokens`.
        batch_tokens: cells of a batch, padding included: shorter texts come more at a time.
        multiple: rows are a multiple of this, so that devices can share them.
        anew: draw pairs and hidden tokens anew in each epoch; without it all epochs have those of the first, so that
            evaluations compare.
        shuffle: draw the order of each epoch from `seed` and the epoch alone; texts and, where there are several
            lengths, batches. Without it batches go from short to long, texts of a length in their order.
        pad: fill the last batch of the longest length up with rows that are not `valid`, so that everything is seen.
            Without it what is left over there is not seen in that epoch (`left_out` says how many).

    Raises:
        InputError: a size does not fit, or there are fewer examples than a batch has, and no `pad`.
    """

    shapes: tuple[tuple[int, int, int], ...]
    """The b, t and k of batches, one a length, ascending."""
    batch_size: int
    """The largest b of a batch."""
    steps_per_epoch: int
    """Batches in a pass over the examples; step s belongs to epoch s // steps_per_epoch."""
    uniform: bool
    """True promises that every batch has the same shapes."""

    def __init__(
        self,
        texts: TextSource,
        masking: Masking,
        *,
        lengths: Sequence[int],
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        multiple: int = 1,
        anew: bool = True,
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = True,
    ) -> None:
        require_positive(**{f"lengths[{index}]": length for index, length in enumerate(lengths)})
        choice = np.unique(np.asarray(lengths, np.int64))
        longest = int(texts.lengths.max(initial=0))
        if not len(choice) or longest > choice[-1]:
            raise InputError(f"lengths are {list(lengths)}, and a text has {longest} tokens: give one with room for it")
        self._texts, self._masking, self._anew, self._seed = texts, masking, anew, seed
        self.examples = len(texts.lengths)
        self._lengths = choice.tolist()
        # Two columns of a text at the least are special.
        self._most = masking.most(np.maximum(choice - 2, 1)).tolist()
        rows = [
            rows_of_batch(length, batch_size, batch_tokens, multiple, shape=f"length {length}")
            for length in self._lengths
        ]
        buckets = np.searchsorted(choice, texts.lengths)
        self._plan = BucketPlan(buckets, rows, shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {rows[-1]} texts is more than the {self.examples} there are: lower --data.batch-size or "
                "add texts"
            )
        self.steps_per_epoch = len(self._plan.cuts)
        self.shapes = tuple((rows[at], self._lengths[at], self._most[at]) for at in self._plan.used)
        self.batch_size = max(size for size, _, _ in self.shapes)
        self.uniform = len(self.shapes) == 1

    def __call__(self, step: int) -> MaskedBatch:
        cut, numbers = self._plan(step)
        epoch = step // self.steps_per_epoch if self._anew else 0
        texts = self._texts(numbers, epoch=epoch, length=self._lengths[cut.bucket])
        masked = mask_tokens(
            texts.tokens, maskable=texts.mask, masking=self._masking, numbers=numbers, seed=self._seed, epoch=epoch
        )
        positions, chosen = chosen_positions(masked.chosen, self._most[cut.bucket])
        targets = np.take_along_axis(masked.targets, positions, axis=1) * chosen
        valid = np.ones(len(numbers), bool)
        found = (masked.tokens, texts.segments, texts.mask, positions, targets, chosen, texts.is_next, valid)
        return MaskedBatch(*(_with_rows(array, cut.rows) for array in found))

    def rows(self, step: int) -> np.ndarray:
        """Which examples a batch holds: [n] int64 numbers, n the batch's rows that are valid, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Texts short of a batch, and what no example holds, in words; empty where all is read."""
        parts = [self._texts.left_out] if self._texts.left_out else []
        if short := self._plan.short:
            parts.append(f"{short:,} of {self.examples:,} texts (fewer than a batch; {self._plan.which_short})")
        return ", ".join(parts)


def _with_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """[n, ...] filled up with zeros to [rows, ...]."""
    return np.pad(array, [(0, rows - len(array)), *[(0, 0)] * (array.ndim - 1)]) if len(array) < rows else array
