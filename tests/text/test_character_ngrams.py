"""Character n-grams and their buckets against gensim's port of fastText's code, and a plain loop."""

import numpy as np
import pytest
from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.text.character_ngrams import word_ngrams
from jaxseq.text.hangul import decompose


def by_hand(text: str) -> int:
    """FNV-1a of 32 bits, each byte extended by its sign."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) % 2**32
    return value


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 2**22),
)
def test_they_are_those_of_fasttext_in_its_order(words, shortest, more, buckets):
    found = word_ngrams(words, shortest=shortest, longest=shortest + more, buckets=buckets)
    assert len(found.offsets) == len(words) + 1
    for word, begin, end in zip(words, found.offsets[:-1], found.offsets[1:], strict=True):
        ngrams = compute_ngrams_bytes(word, shortest, shortest + more)
        assert found.buckets[begin:end].tolist() == [ft_hash_bytes(ngram) % buckets for ngram in ngrams]


def test_bytes_above_127_are_taken_for_negative_numbers():
    found = word_ngrams(["아이"], shortest=3, longest=3, buckets=2**32 - 1)
    assert found.buckets.tolist() == [by_hand("<아이"), by_hand("아이>")]


def test_of_hangul_taken_apart_they_are_of_jamo():
    found = word_ngrams([decompose("값")], shortest=4, longest=5, buckets=1000)
    wanted = ["<ㄱㅏㅄ", "<ㄱㅏㅄᴥ", "ㄱㅏㅄᴥ", "ㄱㅏㅄᴥ>", "ㅏㅄᴥ>"]
    assert found.buckets.tolist() == [by_hand(ngram) % 1000 for ngram in wanted]


@pytest.mark.parametrize("words", [[], [""], ["", "a", ""]])
def test_a_word_may_have_none(words):
    found = word_ngrams(words, shortest=4, longest=6, buckets=10)
    assert found.buckets.tolist() == []
    assert found.offsets.tolist() == [0] * (len(words) + 1)
    assert found.buckets.dtype == np.int64
