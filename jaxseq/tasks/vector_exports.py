"""The files that the vectors of tokens can be written to."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from jaxseq.interop.fasttext import FastTextModel, fasttext_file
from jaxseq.interop.vector_archives import npz_file, safetensors_file
from jaxseq.interop.vector_files import glove_file, word2vec_binary_file, word2vec_file
from jaxseq.tasks.capabilities import Export


def vector_exports(
    symbols: Sequence[str], vectors: np.ndarray, *, fasttext: FastTextModel | None = None
) -> Mapping[str, Export]:
    """Those of `vectors` [v, d], named by `symbols`.

    Args:
        fasttext: what they are made of, where n-grams have vectors too. The .bin is one of fastText's then, and
            archives of arrays hold the n-grams as well.
    """
    what = f"{len(vectors):,} vectors of {vectors.shape[1]:,} numbers are"
    ngrams = None if fasttext is None else fasttext.ngrams
    binary = partial(word2vec_binary_file, symbols, vectors) if fasttext is None else partial(fasttext_file, fasttext)
    contents = {
        ".npz": partial(npz_file, symbols, vectors, ngrams),
        ".safetensors": partial(safetensors_file, symbols, vectors, ngrams),
        ".txt": partial(word2vec_file, symbols, vectors),
        ".vec": partial(word2vec_file, symbols, vectors),
        ".glove": partial(glove_file, symbols, vectors),
        ".bin": binary,
    }
    return {suffix: Export(what, content, (symbols, vectors)) for suffix, content in contents.items()}
