"""Chances to be kept, against gensim on real text and in their limits."""

import lzma

import gensim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.subsampling import keep_chances, limits_of, most_kept
from jaxseq.text import WordTokenizer
from jaxseq.text.word_options import WordOptions


@pytest.fixture(scope="module")
def text8(data_folder):
    with lzma.open(data_folder / "text8" / "text8.first3000000.xz", "rt") as file:
        return file.read()


@pytest.mark.parametrize("threshold", [1e-3, 1e-5])
def test_words_counts_and_chances_are_those_of_gensim_on_real_text(text8, threshold):
    model = gensim.models.Word2Vec(min_count=5, sample=threshold, vector_size=2)
    model.build_vocab([text8.split()])
    options = WordOptions(splitter="whitespace", min_count=5, padding=False, unknown="drop")
    tokenizer = WordTokenizer.train(text8, options=options)
    assert len(tokenizer.words) == len(model.wv) == 8853
    counts = np.bincount(tokenizer.encode(text8))
    assert counts.tolist() == [model.wv.get_vecattr(word, "count") for word in tokenizer.words]
    theirs = np.array([model.wv.get_vecattr(word, "sample_int") for word in tokenizer.words], np.float64)
    chances = keep_chances(counts, threshold)
    np.testing.assert_allclose(chances, theirs / (2**32 - 1), rtol=1e-6, atol=2e-9)
    assert (chances < 1).any()
    assert (chances == 1).any()


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30), st.floats(1e-9, 1))
def test_a_more_frequent_word_is_never_kept_more_often(counts, threshold):
    chances = keep_chances(np.array(counts), threshold)
    assert ((chances > 0) & (chances <= 1)).all()
    assert (np.diff(chances[np.argsort(counts, kind="stable")]) <= 0).all()


def test_a_threshold_of_zero_and_one_of_all_words_keep_all():
    counts = np.array([70, 20, 10])
    assert keep_chances(counts, 0).tolist() == keep_chances(counts, 1).tolist() == [1, 1, 1]
    assert keep_chances(np.zeros(2, int), 1e-3).tolist() == [1, 1]
    assert limits_of(np.array([1.0, 0.5, 2**-33])).tolist() == [2**32, 2**31, 0]


def test_the_most_that_is_kept_is_the_mean_and_six_deviations_and_no_more_than_there_are():
    ids = np.repeat([0, 1], [90_000, 10_000])
    assert most_kept(ids, np.array([0.1, 1.0])) == 19_000 + 540
    assert most_kept(ids, np.array([1.0, 1.0])) == 100_000
    assert most_kept(ids[:5], np.array([0.9, 1.0])) == 5
