"""The files that the vectors of tokens are written to, read back as any file of vectors."""

import numpy as np
import pytest
from pages import read_page

from jaxseq.interop.fasttext import FastTextModel
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.word_vectors import read_word_vectors
from jaxseq.tasks.vector_exports import learned_vectors, vector_exports

WORDS = ("the", "of", "값이")
draw = np.random.default_rng(0)
VECTORS = draw.standard_normal((3, 4)).astype(np.float32)
NGRAMS = NgramVectors(draw.standard_normal((20, 4)).astype(np.float32))
FASTTEXT = FastTextModel(WORDS, (3, 2, 1), VECTORS, NGRAMS)
ENDINGS = (".npz", ".safetensors", ".txt", ".vec", ".glove", ".bin")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("fasttext", [None, FASTTEXT])
def test_each_file_holds_the_words_and_vectors_and_some_the_ngrams(tmp_path, ending, fasttext):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")
    vectors = VECTORS if fasttext is None else fasttext.vectors
    exports = vector_exports(learned_vectors(WORDS, vectors), fasttext=fasttext)
    assert set(exports) == set(ENDINGS)
    assert exports[ending].what == "3 vectors of 4 numbers are"
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"".join(exports[ending].content()))
    found = read_word_vectors(path)
    assert found.words == WORDS
    np.testing.assert_array_equal(found.vectors, vectors)
    looked = found.find(["of", "unseen"])
    if fasttext is not None and ending in (".npz", ".safetensors", ".bin"):
        np.testing.assert_array_equal(looked.vectors[1], NGRAMS.means([b"unseen"])[0][0])
        assert not looked.is_missing.any()
    else:
        assert looked.is_missing.tolist() == [False, True]
        assert not looked.vectors[1].any()


def test_its_page_names_every_file():
    page = read_page("word-vectors.md")
    assert not [ending for ending in ENDINGS if f"`{ending}`" not in page]
