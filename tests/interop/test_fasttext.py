"""fastText's own models: those of Facebook's program and of gensim, damaged ones, and ours read by gensim."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop.fasttext import FastTextModel, FastTextSettings, fasttext_file
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.vector_files import word2vec_file
from jaxseq.interop.word_vectors import read_word_vectors, table_for

UNSEEN = ("steamtrain", "", "привет", "한국어", "q", "né" * 20, "</s>", "\ud800")

draw = np.random.default_rng(0)
WORDS = ("the", "of", "값이", "a")
MODEL = FastTextModel(
    WORDS,
    (9, 5, 4, 1),
    draw.standard_normal((4, 3)).astype(np.float32),
    NgramVectors(draw.standard_normal((11, 3)).astype(np.float32), 3, 6),
    draw.standard_normal((4, 3)).astype(np.float32),
    FastTextSettings("cbow", window=3),
)
CONTENT = b"".join(fasttext_file(MODEL))
DICTIONARY, MATRIX = 64, 64 + 28 + sum(len(word.encode()) + 10 for word in WORDS)
"""Where these begin; a matrix begins with a flag."""


def written(folder, content, name="model.bin"):
    (folder / name).write_bytes(content)
    return folder / name


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_word_vectors(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(at, form, *values, content=CONTENT):
    """The model with other values at a byte."""
    data = bytearray(content)
    struct.pack_into(form, data, at, *values)
    return bytes(data)


def from_gensim(name):
    return pytest.importorskip("gensim.test.utils").datapath(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that gensim has trained, and its file."""
    fasttext = pytest.importorskip("gensim.models.fasttext")
    texts = [f"the cat number{i % 7} saw a 고양이{i % 5} and ça".split() for i in range(30)]
    model = fasttext.FastText(texts, vector_size=8, min_count=1, bucket=60, epochs=1, workers=1, seed=1)
    path = tmp_path_factory.mktemp("gensim") / "model.bin"
    fasttext.save_facebook_model(model, str(path))
    return fasttext.load_facebook_vectors(str(path)), path


def test_words_and_unseen_words_have_the_vectors_of_gensim_to_the_last_bit(trained):
    theirs, path = trained
    mine = read_word_vectors(path)
    assert list(mine.words) == theirs.index_to_key
    np.testing.assert_array_equal(mine.vectors, theirs.vectors)
    asked = [*UNSEEN[:-2], "the", "고양이1", "고양이9"]
    found = mine.find(asked)
    for word, vector in zip(asked, found.vectors, strict=True):
        np.testing.assert_array_equal(vector, theirs[word])
    assert found.is_known.tolist() == [False] * 6 + [True, True, False]
    assert found.is_composed.tolist() == [True, False, True, True, True, True, False, False, True]
    assert found.is_missing.tolist() == [False, True] + [False] * 7


@pytest.mark.parametrize("name", ["crime-and-punishment", "toy-model"])
def test_models_of_facebooks_program_have_the_vectors_that_it_printed(name):
    mine, printed = read_word_vectors(from_gensim(name + ".bin")), read_word_vectors(from_gensim(name + ".vec"))
    assert mine.words == printed.words
    np.testing.assert_allclose(mine.vectors, printed.vectors, atol=6e-6)  # five digits
    unseen = mine.find(UNSEEN)
    assert unseen.is_composed.tolist() == [True, False, True, True, True, True, False, True]
    assert unseen.is_missing.tolist() == [False, True, *[False] * 4, "</s>" not in mine.words, False]


def test_the_end_of_a_line_has_no_ngrams_which_gensim_forgets():
    fasttext = pytest.importorskip("gensim.models.fasttext")
    path = from_gensim("crime-and-punishment.bin")
    mine, theirs = read_word_vectors(path), fasttext.load_facebook_vectors(path)
    others = [row for row, word in enumerate(mine.words) if word != "</s>"]
    np.testing.assert_array_equal(mine.vectors[others], theirs.vectors[others])
    row = mine.rows["</s>"]
    np.testing.assert_array_equal(mine.vectors[row], theirs.vectors_vocab[row])
    assert np.abs(mine.vectors[row] - theirs.vectors[row]).max() > 0.1


def test_the_empty_word_of_a_model_that_began_with_given_vectors_is_passed_over():
    found = read_word_vectors(from_gensim("toy-model-pretrained.bin"))
    assert len(found.words) == 23
    assert found.words[-1] == "dummy"
    assert "" not in found.words


def test_a_classifier_has_vectors_of_its_words_and_none_of_labels():
    path = from_gensim("pang_lee_polarity_fasttext.bin")
    assert r"word 149: the word \x97 is no UTF-8" in refused(path)
    mine, printed = (read_word_vectors(each, errors="replace") for each in (path, path.replace(".bin", ".vec")))
    assert mine.words == printed.words
    np.testing.assert_allclose(mine.vectors, printed.vectors, rtol=1e-4)
    assert mine.ngrams is None
    # Words without n-grams have zeros, and that is told (gensim's issue 2415: KeyError).
    found = mine.find(["unheard", "the"])
    assert (found.is_missing.tolist(), found.vectors[0].any()) == ([True, False], np.False_)


def test_what_is_written_is_read_by_us_and_by_gensim(tmp_path):
    path = written(tmp_path, CONTENT)
    mine = read_word_vectors(path, features=3)
    assert mine.words == WORDS
    np.testing.assert_array_equal(mine.vectors, MODEL.vectors)
    np.testing.assert_array_equal(mine.ngrams.buckets, MODEL.ngrams.buckets)
    theirs = pytest.importorskip("gensim.models.fasttext").load_facebook_model(str(path))
    assert theirs.wv.index_to_key == list(WORDS)
    np.testing.assert_array_equal(theirs.wv.vectors, mine.vectors)
    np.testing.assert_array_equal(theirs.wv["unseen"], mine.find(["unseen"]).vectors[0])
    np.testing.assert_array_equal(theirs.syn1neg, MODEL.output)
    assert [theirs.wv.get_vecattr(word, "count") for word in WORDS] == list(MODEL.counts)
    assert (theirs.window, theirs.sg, theirs.negative, theirs.sample) == (3, 0, 5, 1e-4)


def test_without_an_output_it_is_zeros(tmp_path):
    fields = {name: getattr(MODEL, name) for name in ("words", "counts", "own", "ngrams")}
    path = written(tmp_path, b"".join(fasttext_file(FastTextModel(**fields))))
    np.testing.assert_array_equal(read_word_vectors(path).vectors, MODEL.vectors)
    assert path.read_bytes()[-48:] == bytes(48)


@pytest.mark.parametrize("word", ["", "a\0b"])
def test_a_word_that_cannot_be_written_is_told(word):
    model = FastTextModel([word], [1], MODEL.own[:1], MODEL.ngrams)
    with pytest.raises(InputError, match=r"cannot stand in a \.bin of fastText: write an \.npz"):
        next(fasttext_file(model))


def test_of_a_model_some_words_can_be_read(tmp_path):
    path = written(tmp_path, CONTENT)
    lines = []
    first = read_word_vectors(path, limit=2, progress=lines.append)
    assert first.words == WORDS[:2]
    np.testing.assert_array_equal(first.vectors, MODEL.vectors[:2])
    some = read_word_vectors(path, words={"a", "값이", "none"})
    assert some.words == ("값이", "a")
    np.testing.assert_array_equal(some.vectors, MODEL.vectors[2:])
    # With a limit what comes behind the n-grams is not looked at.
    assert read_word_vectors(written(tmp_path, CONTENT[:-1]), limit=9).words == WORDS
    assert lines[0].endswith("model.bin: 0 of 2 words")
    assert lines[-1].endswith("vectors of 0 of 11 n-grams")


def test_a_compressed_model_is_read(tmp_path):
    path = written(tmp_path, gzip.compress(CONTENT), "model.bin.gz")
    np.testing.assert_array_equal(read_word_vectors(path).vectors, MODEL.vectors)


def test_half_a_character_is_told_and_has_the_vector_of_its_bytes(tmp_path):
    half = "값이".encode()[:5]
    content = CONTENT.replace("값이".encode() + b"\0", half + b"\0")
    path = written(tmp_path, content)
    assert refused(path).endswith(
        r'word 3: the word 값\xec\x9d is no UTF-8: fetch the file again, or read it with errors="replace"'
    )
    found = read_word_vectors(path, errors="replace")
    assert found.words == ("the", "of", "값\ufffd", "a")
    np.testing.assert_array_equal(found.vectors[2], MODEL.ngrams.means([half], MODEL.own[2:3])[0][0])


def test_a_model_cut_anywhere_is_one_line(tmp_path):
    for size in range(len(CONTENT)):
        told = refused(written(tmp_path, CONTENT[:size]))
        if size >= 64:
            assert re.search(rf"ends at byte {size:,}, before|damaged before byte \d+: no word ends in", told), told


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 255))
def test_a_model_with_a_wrong_byte_is_read_or_one_line(tmp_path_factory, at, value):
    path = written(tmp_path_factory.mktemp("fastText"), changed(at, "B", value))
    try:
        found = read_word_vectors(path, errors="replace")
    except InputError as error:
        told = str(error)
    else:
        assert len(found.words) + found.repeated <= 4
        assert np.isfinite(found.vectors).all()
        return
    assert told.startswith(str(path))
    assert "\n" not in told


PRUNED = changed(DICTIONARY + 20, "<q", 0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (changed(4, "<i", 13), "is a model of fastText of version 13: only 11 and 12 are read"),
        (changed(8, "<i", 0), "by its settings there are vectors of 0 numbers, 11 buckets and n-grams of up to 6"),
        (changed(48, "<i", 10**9), "n-grams of up to 1,000,000,000 characters: fetch it again"),
        (changed(DICTIONARY, "<i", 5), "damaged before byte 92: it has 5 entries, 4 words and 0 labels"),
        (changed(DICTIONARY, "<2i", 2**31 - 1, 2**31 - 1), "fetch it again"),
        (changed(DICTIONARY + 28 + 3 + 9, "b", 1), "a word is marked as a label"),
        (changed(MATRIX, "b", 1), "is a quantized or pruned model"),
        (PRUNED, "is a quantized or pruned model"),
        (changed(MATRIX, "b", 2), "a flag is 2, neither 0 nor 1"),
        (changed(MATRIX + 1, "<q", 14), "its input is 14 x 3, not 15 x 3"),
        (changed(MATRIX + 9, "<q", 4), "its input is 15 x 4, not 15 x 3"),
        (changed(MATRIX + 1, "<q", -1), "the input is -1 x 3"),
        (changed(MATRIX + 17 + 12, "<f", np.nan), "the vector of of is not finite: leave the word out"),
        (changed(MATRIX + 17 + 4 * 12, "<f", np.inf), "the vector of bucket 0 is not finite"),
        (changed(MATRIX + 17 + 15 * 12 + 9, "<q", 7), "its output is 4 x 7, and a vector has 3 numbers"),
        (changed(MATRIX + 17 + 15 * 12 + 1, "<q", 2**40), f"ends at byte {len(CONTENT):,}, before its end"),
        (CONTENT + b"x", "it goes on behind its end"),
    ],
)
def test_what_is_wrong_with_a_model_is_one_line(tmp_path, content, told):
    assert told in refused(written(tmp_path, content))


def test_a_model_that_promises_the_world_takes_no_memory(tmp_path):
    lies = changed(DICTIONARY, "<2i", 2**31 - 1, 2**31 - 1), changed(MATRIX + 1, "<q", 2**31 + 3)
    buckets = changed(40, "<i", 2**31 - 1, content=lies[1])
    for content in (lies[0], buckets):
        path = written(tmp_path, content)
        tracemalloc.start()
        try:
            refused(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2**24


def test_another_width_is_told(tmp_path):
    assert "has vectors of 3 numbers, the model's embedding is 8 wide" in refused(
        written(tmp_path, CONTENT), features=8
    )


def test_unseen_words_of_a_vocabulary_start_from_their_ngrams_but_specials_do_not(tmp_path):
    vectors = read_word_vectors(written(tmp_path, CONTENT))
    words = ("<pad>", "the", "unseen")
    found = table_for(words, vectors, features=3, specials={"<pad>"})
    assert found.is_known.tolist() == [False, True, True]
    np.testing.assert_array_equal(found.table[1:], vectors.find(words).vectors[1:])
    assert str(found) == f"2 of 3 words (66.7%) have a vector in {tmp_path / 'model.bin'}, 1 of them by n-grams"


def test_the_text_of_its_vectors_is_the_same(tmp_path):
    text = written(tmp_path, b"".join(word2vec_file(WORDS, MODEL.vectors)), "model.vec")
    np.testing.assert_array_equal(read_word_vectors(text).vectors, MODEL.vectors)
