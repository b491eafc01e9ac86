"""Hashes and vectors of character n-grams, against plain loops, published hashes and gensim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.interop import ngram_vectors
from jaxseq.interop.ngram_vectors import NgramVectors, ngram_hashes


def fnv(content):
    """FNV-1a, with bytes as C's signed characters."""
    state = 2166136261
    for byte in content:
        state = ((state ^ (byte if byte < 128 else byte + 0xFFFFFF00)) * 16777619) % 2**32
    return state


def ngrams(word, shortest, longest):
    """Those of a word in bytes, character by character."""
    content = b"<" + word + b">"
    starts = [i for i, byte in enumerate(content) if byte & 0xC0 != 0x80]
    edges = [*starts, len(content)]
    return [
        content[start : edges[i + n]]
        for i, start in enumerate(starts)
        for n in range(1, longest + 1)
        if n >= shortest and i + n < len(edges) and not (n == 1 and i in (0, len(starts) - 1))
    ]


words_in_bytes = st.one_of(st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary())
lengths = st.tuples(st.integers(1, 5), st.integers(0, 8))


@given(st.lists(words_in_bytes, max_size=6), lengths)
def test_hashes_are_those_of_a_plain_loop_in_its_order(words, lengths):
    shortest, longest = lengths
    hashes, counts = ngram_hashes(words, shortest=shortest, longest=longest)
    expected = [[] if word == b"</s>" else ngrams(word, shortest, longest) for word in words]
    assert counts.tolist() == [len(each) for each in expected]
    assert hashes.tolist() == [fnv(ngram) for each in expected for ngram in each]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=4), lengths)
def test_hashes_are_those_of_gensim(words, lengths):
    inner = pytest.importorskip("gensim.models.fasttext_inner")
    words = [word for word in words if word != "</s>"]
    hashes, _ = ngram_hashes([word.encode() for word in words], shortest=lengths[0], longest=lengths[1])
    theirs = [inner.ft_hash_bytes(ngram) for word in words for ngram in inner.compute_ngrams_bytes(word, *lengths)]
    assert hashes.tolist() == theirs


def test_published_hashes_come_out():
    # Fowler, Noll and Vo, "test_fnv.c": FNV-1a of 32 bits.
    assert ngram_hashes([b"a"], shortest=1, longest=1)[0].tolist() == [0xE40C292C]
    assert 0xBF9CF968 in ngram_hashes([b"foobar"], shortest=6, longest=6)[0]
    # A byte above 127 is a negative number.
    (korean,) = ngram_hashes(["가".encode()], shortest=1, longest=1)[0].tolist()
    assert korean == fnv("가".encode())


NGRAMS = NgramVectors(np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32), 3, 5)


@given(st.lists(words_in_bytes, max_size=5), st.booleans())
def test_a_vector_is_the_mean_of_those_of_its_ngrams_and_its_own(words, with_own):
    own = np.random.default_rng(1).standard_normal((len(words), 3)).astype(np.float32)
    found, counts = NGRAMS.means(words, own if with_own else None)
    for word, vector, count, mine in zip(words, found, counts, own, strict=True):
        rows = [] if word == b"</s>" else [NGRAMS.buckets[fnv(ngram) % 7] for ngram in ngrams(word, 3, 5)]
        assert count == len(rows)
        rows = [mine, *rows] if with_own else rows
        expected = np.mean(np.array(rows, np.float64), axis=0) if rows else np.zeros(3)
        np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_a_word_without_ngrams_is_zeros_and_a_line_end_is_alone():
    found, counts = NGRAMS.means([b"", b"</s>"])
    assert (found.tolist(), counts.tolist()) == ([[0, 0, 0]] * 2, [0, 0])
    own = np.ones((2, 3), np.float32)
    assert NGRAMS.means([b"", b"</s>"], own)[0].tolist() == own.tolist()
    assert own.tolist() == [[1, 1, 1]] * 2  # what was given is left as it was
    assert NGRAMS.means([])[0].shape == (0, 3)


def test_many_words_have_the_vectors_of_each_alone(monkeypatch):
    words = [f"낱말{i}x".encode() for i in range(50)]
    whole = NGRAMS.means(words)[0]
    monkeypatch.setattr(ngram_vectors, "_AT_ONCE", 40)
    np.testing.assert_array_equal(NGRAMS.means(words)[0], whole)
    np.testing.assert_array_equal(NGRAMS.means(words[7:8])[0], whole[7:8])
