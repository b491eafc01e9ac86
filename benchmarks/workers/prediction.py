"""What the peers' predictions share: texts of mixed length in batches from short to long, and the way back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.works import Work

ROWS = 256
"""Texts of a batch: as many as jaxseq takes."""


def sorted_batches(ids: np.ndarray, offsets: np.ndarray, rows: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The order of texts from short to long [n], and them in that order: tokens [b, t] int32, 0 behind a text, each
    batch as long as its longest one and of `rows` rows, the last of what is left.

    Args:
        ids, offsets: text i is ids[offsets[i]:offsets[i+1]].
    """
    starts, lengths = offsets[:-1], np.diff(offsets)
    order = np.argsort(lengths, kind="stable")
    batches = []
    for at in range(0, len(order), rows):
        which = order[at : at + rows]
        columns = np.arange(lengths[which].max())
        real = columns < lengths[which, None]
        batches.append(np.where(real, ids[np.where(real, starts[which, None] + columns, 0)], 0))
    return order, batches


class Prediction:
    """One call gives the probability of each text, in the texts' own order: sorting and padding are inside the clock.

    Sorting is to a peer's advantage over padding all texts to the longest. One that compiles is given the same ten
    shapes in every call, so that its compiling lies outside the clock.
    """

    def __init__(self, work: Work, folder: Path) -> None:
        del work
        self.ids, self.offsets = (np.load(folder / f"{name}.npy") for name in ("ids", "offsets"))
        self.units_per_call = len(self.offsets) - 1

    def predict(self, batches: list[np.ndarray]) -> Sequence[np.ndarray]:
        """The probabilities [b] of each batch, in host memory."""
        raise NotImplementedError

    def probabilities(self) -> np.ndarray:
        """[n] float32."""
        order, batches = sorted_batches(self.ids, self.offsets, ROWS)
        found = np.empty(len(order), np.float32)
        found[order] = np.concatenate(self.predict(batches))
        return found

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.probabilities()
