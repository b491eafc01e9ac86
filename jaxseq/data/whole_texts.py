"""Whole texts, a row each, in batches; how far a text is padded follows from its own length alone."""

import zlib
from typing import NamedTuple

import numpy as np

from jaxseq.data.examples import Sequences
from jaxseq.data.windows import require_positive

SHORTEST = 16
"""Words of a row at the least; other rows have twice as many, four times and so on."""


class WholeTexts(NamedTuple):
    """Texts, a row each."""

    tokens: np.ndarray
    """[b, t] int32 word ids; 0 behind a text's end."""
    sizes: np.ndarray
    """[b] int32, the words of each text; 0 for one without a word, and in rows that fill a batch up."""
    hashes: np.ndarray
    """[b] uint32 that follow from the words of each text alone."""


class WholeTextLoader:
    """`loader(step)` is a `WholeTexts` of `batch_size` rows, each text once, from short to long: pure in the step.

    How long a text's row is follows from that text alone: 16 words, or as many times two of it as have room for it.
    """

    left_out = ""

    def __init__(self, texts: Sequences, *, batch_size: int) -> None:
        require_positive(batch_size=batch_size)
        self._texts, self.batch_size = texts, batch_size
        doublings = np.ceil(np.log2(np.maximum(texts.lengths, SHORTEST) / SHORTEST)).astype(np.int64)
        self._batches: list[tuple[int, np.ndarray]] = []
        for number in np.unique(doublings).tolist():
            which = np.flatnonzero(doublings == number)
            parts = (which[at : at + batch_size] for at in range(0, len(which), batch_size))
            self._batches += [(SHORTEST << number, part) for part in parts]
        self.steps_per_epoch = len(self._batches)
        self.uniform = len({length for length, _ in self._batches}) < 2

    def rows(self, step: int) -> np.ndarray:
        """Which texts a batch holds: [n] int64 numbers, n its first rows."""
        return self._batches[step][1]

    def __call__(self, step: int) -> WholeTexts:
        length, which = self._batches[step]
        tokens = np.zeros((self.batch_size, length), np.int32)
        sizes, hashes = np.zeros(self.batch_size, np.int32), np.zeros(self.batch_size, np.uint32)
        for row, text in enumerate(which.tolist()):
            ids = np.ascontiguousarray(self._texts.ids[self._texts.offsets[text] : self._texts.offsets[text + 1]])
            tokens[row, : len(ids)], sizes[row], hashes[row] = ids, len(ids), zlib.crc32(ids.astype("<i4").data)
        return WholeTexts(tokens, sizes, hashes)
