"""Word vectors written and read back."""

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.interop.vector_files import npz_file, read_npz, word2vec_file
from jaxseq.interop.word_vectors import read_word_vectors

WORDS = ("<unk>", "to", "값이", "\n")
VECTORS = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def written(path, words=WORDS, vectors=VECTORS):
    content = npz_file if path.suffix == ".npz" else word2vec_file
    path.write_bytes(b"".join(content(words, vectors)))
    return path


def test_an_npz_comes_back_to_the_last_bit(tmp_path):
    path = written(tmp_path / "a.npz")
    words, vectors = read_npz(path)
    assert words == WORDS
    np.testing.assert_array_equal(vectors, VECTORS)
    found = read_word_vectors(path, features=3, words={"to", "\n"})
    assert found.words == ("to", "\n")
    np.testing.assert_array_equal(found.vectors, VECTORS[[1, 3]])


def test_text_is_read_by_gensim_and_by_us(tmp_path):
    from gensim.models import KeyedVectors

    path = written(tmp_path / "a.txt", WORDS[:3], VECTORS[:3])
    theirs = KeyedVectors.load_word2vec_format(str(path))
    assert tuple(theirs.index_to_key) == WORDS[:3]
    np.testing.assert_array_equal(theirs.vectors, VECTORS[:3])
    ours = read_word_vectors(path)
    assert ours.words == WORDS[:3]
    np.testing.assert_array_equal(ours.vectors, VECTORS[:3])


def test_a_word_with_white_space_does_not_go_into_text():
    with pytest.raises(
        InputError, match=r"the word '\\n' holds white space, which no word in a \.txt .*: write an \.npz"
    ):
        list(word2vec_file(WORDS, VECTORS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is damaged, or no \.npz"),
        (b"PK\x03\x04", r"is damaged, or no \.npz"),
        ({"words": np.array(WORDS)}, "must have 'words' and 'vectors'"),
        ({"words": np.array(WORDS, object), "vectors": VECTORS}, r"is damaged, or no \.npz"),
        ({"words": np.arange(4), "vectors": VECTORS}, r"words must be \[v\] texts"),
        ({"words": np.array(WORDS[:2]), "vectors": VECTORS}, r"holds 2 words and vectors of shape \[4, 3\]"),
        ({"words": np.array(WORDS), "vectors": np.full((4, 3), np.nan)}, "the vector of <unk> is not finite"),
        ({"words": np.array(WORDS), "vectors": np.full((4, 3), 1e300)}, "the vector of <unk> is not finite"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(InputError, match=message) as caught:
        read_word_vectors(path)
    assert "\n" not in str(caught.value)


def test_another_width_is_told(tmp_path):
    with pytest.raises(InputError, match=r"has vectors of 3 numbers, the model's embedding is 8 wide"):
        read_word_vectors(written(tmp_path / "a.npz"), features=8)


def test_of_a_word_that_comes_twice_the_first_counts(tmp_path):
    found = read_word_vectors(written(tmp_path / "a.npz", ("to", "be", "to", "or")))
    assert found.words == ("to", "be", "or")
    assert found.repeated == 1
    np.testing.assert_array_equal(found.vectors, VECTORS[[0, 1, 3]])
