"""Word vectors written to the files of other programs, and read back by gensim and by us."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxseq.errors import InputError
from jaxseq.interop.vector_files import glove_file, word2vec_binary_file, word2vec_file
from jaxseq.interop.word_vectors import read_word_vectors

WORDS = ("<unk>", "to", "값이")
VECTORS = np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
FORMATS = {
    "text": (word2vec_file, {}),
    "GloVe": (glove_file, {"no_header": True}),
    "binary": (word2vec_binary_file, {"binary": True}),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of gensim's own
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_is_read_by_gensim_and_by_us(tmp_path, form):
    writer, options = FORMATS[form]
    path = tmp_path / "a"
    path.write_bytes(b"".join(writer(WORDS, VECTORS)))
    theirs = pytest.importorskip("gensim.models").KeyedVectors.load_word2vec_format(str(path), **options)
    assert tuple(theirs.index_to_key) == WORDS
    np.testing.assert_array_equal(theirs.vectors, VECTORS)
    ours = read_word_vectors(path)
    assert ours.words == WORDS
    np.testing.assert_array_equal(ours.vectors, VECTORS)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("form", FORMATS)
@given(vectors=arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=finite))
def test_every_number_comes_back_to_the_last_bit(tmp_path_factory, form, vectors):
    path = tmp_path_factory.mktemp("vectors") / "a"
    words = [f"word{i}" for i in range(len(vectors))]
    path.write_bytes(b"".join(FORMATS[form][0](words, vectors)))
    found = read_word_vectors(path)
    assert list(found.words) == words
    np.testing.assert_array_equal(found.vectors.view(np.int32), vectors.view(np.int32))


def test_a_text_has_a_line_a_word_and_no_more_than_nine_digits():
    assert b"".join(word2vec_file(("a", "b"), np.array([[0.1, 2], [1e-8, -3]], np.float32))) == (
        b"2 2\na 0.100000001 2\nb 9.99999994e-09 -3\n"
    )


def test_many_words_come_in_pieces(tmp_path):
    words = [f"word{i}" for i in range(2500)]
    vectors = np.random.default_rng(0).standard_normal((2500, 2)).astype(np.float32)
    for writer, _ in FORMATS.values():
        pieces = list(writer(words, vectors))
        assert len(pieces) >= 3
        (tmp_path / "a").write_bytes(b"".join(pieces))
        np.testing.assert_array_equal(read_word_vectors(tmp_path / "a").vectors, vectors)


@pytest.mark.parametrize(("form", "ending"), [("text", ".txt or .vec"), ("GloVe", ".glove"), ("binary", ".bin")])
@pytest.mark.parametrize("word", ["\n", "", "a b", "a\u00a0b"])
def test_a_word_with_white_space_is_refused_before_anything_is_written(form, ending, word):
    with pytest.raises(InputError) as caught:
        next(FORMATS[form][0]((*WORDS[:2], word), VECTORS))
    assert str(caught.value) == (
        f"the word {word!r} holds white space, which no word in a {ending} of vectors may: write an .npz"
    )
