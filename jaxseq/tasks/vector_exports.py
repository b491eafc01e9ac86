"""The files that the vectors of tokens can be written to."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from jaxseq.interop.fasttext import FastTextModel, fasttext_file
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.vector_archives import npz_file, safetensors_file
from jaxseq.interop.vector_files import glove_file, word2vec_binary_file, word2vec_file
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.tasks.capabilities import Export


def learned_vectors(
    symbols: Sequence[str], vectors: NDArray[np.float32], *, ngrams: NgramVectors | None = None
) -> WordVectors:
    """The `vectors` [v, d] that a model has for `symbols`, and what makes those of other words."""
    return WordVectors(tuple(symbols), vectors, "the model", ngrams=ngrams)


def vector_exports(found: WordVectors, *, fasttext: FastTextModel | None = None) -> Mapping[str, Export]:
    """The files of word vectors, or of whatever tokens stand for.

    Args:
        fasttext: what they are made of, where other programs may make vectors of n-grams too. The .bin is one of
            fastText's then, and archives of arrays hold the n-grams as well.
    """
    symbols, vectors = found.words, found.vectors
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
    return {suffix: Export(what, content, found) for suffix, content in contents.items()}
