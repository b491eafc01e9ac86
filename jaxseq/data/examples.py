"""Examples of different length: from sequences of token ids with a label each, and the number of a step, to a batch.

A sequence is truncated to the longest length, and padded to the shortest one that has room for it. All batches of a
length have one shape, so that a program is compiled once for each.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from jaxseq.data.bucketing import BucketPlan, rows_of_batch
from jaxseq.data.lengths import length_report
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError

Side = Literal["pre", "post"]
"""Before the first token, or behind the last one; Keras's words."""


class LabelledBatch(NamedTuple):
    """One step's examples."""

    inputs: np.ndarray
    """[b, t] int32 token ids; 0 where `mask` is False."""
    mask: np.ndarray
    """[b, t] bool, False on padding; an empty sequence is a row of padding."""
    labels: np.ndarray
    """[b] int32; 0 where `valid` is False."""
    valid: np.ndarray
    """[b] bool, False on rows without an example, which fill a batch up."""


class Sequences(NamedTuple):
    """Sequences of token ids laid end to end."""

    ids: np.ndarray
    """[n] int32."""
    offsets: np.ndarray
    """[k+1] int64: sequence i is ids[offsets[i]:offsets[i+1]]."""

    @property
    def lengths(self) -> np.ndarray:
        """[k] int64."""
        return np.diff(self.offsets)


def join_sequences(sequences: Iterable[np.ndarray | Sequence[int]]) -> Sequences:
    """Sequences [n_i] of token ids of any integer type in one array."""
    # An empty list would be one of floats.
    parts = [np.asarray(sequence) if len(sequence) else np.zeros(0, np.int32) for sequence in sequences]
    ids = np.concatenate([np.zeros(0, np.int32), *parts], dtype=np.int32, casting="same_kind")
    return Sequences(ids, np.cumsum([0, *map(len, parts)], dtype=np.int64))


def take_sequences(sequences: Sequences, chosen: np.ndarray) -> Sequences:
    """The sequences where `chosen` [k] is True."""
    lengths = sequences.lengths
    return Sequences(sequences.ids[np.repeat(chosen, lengths)], np.concatenate([[0], np.cumsum(lengths[chosen])]))


class ExampleLoader:
    """Labelled sequences in batches: `loader(step)` is a `LabelledBatch`, a pure function of the step.

    An example comes up once in an epoch. Where fewer of a length are left than a batch has, they go along with the
    next longer ones.

    Args:
        labels: [k] class ids.
        lengths: those that batches can have. One gives every batch the same shape; for several see `choose_lengths`.
            Longer sequences are truncated to the longest.
        batch_size: rows of a batch; give this or `batch_tokens`.
        batch_tokens: cells of a batch, padding included: shorter sequences come more at a time.
        multiple: rows are a multiple of this, so that devices can share them.
        padding: the side on which a shorter sequence is padded.
        truncating: the side on which a longer one loses tokens.
        shuffle: draw the order of each epoch from `seed` and the epoch alone; examples and, where there are several
            lengths, batches. Without it batches go from short to long, examples of a length in their order.
        pad: fill the last batch of the longest length up with rows that are not `valid`, so that everything is seen.
            Without it what is left over there is not seen in that epoch (`left_out` says how many).

    Raises:
        InputError: a size does not fit, or there are fewer examples than a batch has, and no `pad`.
    """

    lengths: tuple[int, ...]
    """The lengths that batches do have, ascending."""
    shapes: tuple[tuple[int, int], ...]
    """The [b, t] of batches, one a length."""
    batch_size: int
    """The largest b of a batch."""
    steps_per_epoch: int
    """Batches in a pass over the examples; step s belongs to epoch s // steps_per_epoch."""
    uniform: bool
    """True promises that every batch has the same shapes."""

    def __init__(
        self,
        sequences: Sequences,
        labels: np.ndarray,
        *,
        lengths: Sequence[int],
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        multiple: int = 1,
        padding: Side = "post",
        truncating: Side = "post",
        shuffle: bool = True,
        seed: int = 0,
        pad: bool = True,
    ) -> None:
        require_positive(**{f"lengths[{index}]": length for index, length in enumerate(lengths)})
        for name, side in (("padding", padding), ("truncating", truncating)):
            if side not in ("pre", "post"):
                raise InputError(f"{name} is {side!r}: give pre or post")
        if not lengths:
            raise InputError("lengths is empty: give one length or more")
        self.examples = len(sequences.offsets) - 1
        labels = np.asarray(labels)
        if labels.shape != (self.examples,) or labels.dtype.kind not in "iu":
            raise TypeError(f"labels are [{self.examples}] integers, got {labels.dtype} of shape {labels.shape}")
        self._labels = labels.astype(np.int32)
        if self.examples == 0:
            raise InputError("there are no examples: give --data.source a source that holds labelled texts")
        self._ids = sequences.ids if len(sequences.ids) else np.zeros(1, np.int32)  # there must be one to point at
        self._starts, self._counts = np.asarray(sequences.offsets[:-1]), sequences.lengths
        self._padding, self._truncating = padding, truncating
        choice = np.unique(np.asarray(lengths, np.int64))
        self._longest = int(choice[-1])
        buckets = np.minimum(np.searchsorted(choice, self._counts), len(choice) - 1)
        self._choice = choice.tolist()
        rows = [
            rows_of_batch(length, batch_size, batch_tokens, multiple, shape=f"length {length}")
            for length in self._choice
        ]
        self._plan = BucketPlan(buckets, rows, shuffle=shuffle, seed=seed, pad=pad)
        if not self._plan.cuts:
            raise InputError(
                f"a batch of {rows[-1]} examples is more than the {self.examples} there are: "
                "lower --data.batch-size or add texts"
            )
        self.steps_per_epoch = len(self._plan.cuts)
        self.shapes = tuple((rows[bucket], self._choice[bucket]) for bucket in self._plan.used)
        self.lengths = tuple(length for _, length in self.shapes)
        self.batch_size = max(size for size, _ in self.shapes)
        self.uniform = len(self.shapes) == 1

    def __call__(self, step: int) -> LabelledBatch:
        cut, examples = self._plan(step)
        missing = cut.rows - len(examples)
        starts, counts = self._starts[examples], self._counts[examples]
        labels = self._labels[examples]
        if missing:
            starts, counts, labels = (np.pad(array, (0, missing)) for array in (starts, counts, labels))
        inputs, mask = self._cells(starts, counts, self._choice[cut.bucket])
        return LabelledBatch(inputs, mask, labels, np.arange(cut.rows) < len(examples))

    def rows(self, step: int) -> np.ndarray:
        """Which examples a batch holds: [n] int64 numbers, n the batch's rows that are valid, which come first."""
        return self._plan(step)[1]

    @property
    def left_out(self) -> str:
        """Examples short of a batch, and the tokens that truncation leaves out, in words; empty where all is read."""
        parts = []
        if short := self._plan.short:
            parts.append(f"{short:,} of {self.examples:,} examples (fewer than a batch; {self._plan.which_short})")
        report = length_report(self._counts, self._longest)
        if lost := report.tokens_left_out:
            which = f"{report.truncated:,} texts are longer than {self._longest:,}"
            parts.append(f"{lost:,} of {int(self._counts.sum()):,} tokens ({which})")
        return ", ".join(parts)

    def _cells(self, starts: np.ndarray, counts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and mask [b, t] of the sequences that begin at `starts` [b] and have `counts` [b] tokens."""
        kept = np.minimum(counts, length)
        if self._truncating == "pre":
            starts = starts + counts - kept
        columns = np.arange(length)
        if self._padding == "post":
            mask = columns < kept[:, None]
        else:
            mask = columns >= length - kept[:, None]
            starts = starts - length + kept
        positions = starts[:, None] + columns
        positions *= mask  # padding points at the first token there is
        inputs = self._ids[positions].astype(np.int32, copy=False)
        inputs *= mask
        return inputs, mask
