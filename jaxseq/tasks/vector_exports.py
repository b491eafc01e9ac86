"""The files that the vectors of tokens can be written to."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from jaxseq.interop.vector_files import npz_file, word2vec_file
from jaxseq.tasks.capabilities import Export


def vector_exports(symbols: Sequence[str], vectors: np.ndarray) -> Mapping[str, Export]:
    """Those of `vectors` [v, d], named by `symbols`."""
    what = f"{len(vectors):,} vectors of {vectors.shape[1]:,} numbers are"
    return {
        ".npz": Export(what, partial(npz_file, symbols, vectors)),
        ".txt": Export(what, partial(word2vec_file, symbols, vectors)),
    }
