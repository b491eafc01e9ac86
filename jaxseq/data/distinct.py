"""Sequences that have each token once."""

import numpy as np

from jaxseq.data.examples import Sequences


def distinct_tokens(sequences: Sequences) -> Sequences:
    """Each sequence with the first of every token alone, in order."""
    kept = np.zeros(len(sequences.ids), bool)
    offsets = sequences.offsets
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        _, first = np.unique(sequences.ids[start:end], return_index=True)
        kept[start + first] = True
    before = np.concatenate([[0], np.cumsum(kept)])
    return Sequences(sequences.ids[kept], before[offsets])
