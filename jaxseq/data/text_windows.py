"""Words with their neighbours, and the texts that they stand in, in batches."""

from typing import NamedTuple

import numpy as np

from jaxseq.data.word_windows import WordBatch, WordWindowLoader


class TextBatch(NamedTuple):
    """One step's words, and their texts."""

    words: WordBatch
    texts: np.ndarray
    """[b, t] int32, the number of each centre's text; -1 where there is no centre."""


class TextWindowLoader:
    """`loader(step)` is a `TextBatch`; all else is as in the loader of `words`, whose sentences are the texts."""

    uniform = True

    def __init__(self, words: WordWindowLoader) -> None:
        self._words = words
        self.length, self.batch_size, self.steps_per_epoch = words.length, words.batch_size, words.steps_per_epoch
        self.left_out = words.left_out

    def __call__(self, step: int) -> TextBatch:
        return TextBatch(self._words(step), self._words.sentences(step))
