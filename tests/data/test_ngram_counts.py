"""n-grams counted at once, against plain dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.errors import InputError

SIZE = 5
texts_of_ids = st.lists(st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=9), max_size=4)


def joined(texts):
    """ids and starts."""
    lengths = [len(text) for text in texts]
    return np.array([i for text in texts for i in text], np.int32), np.cumsum([0, *lengths], dtype=np.int64)[:-1]


def tokens_of(counts, k):
    """All k-grams as tuples."""
    grams = counts.orders[k - 1]
    if k == 1:
        return [(word,) for word in grams.words.tolist()]
    before = tokens_of(counts, k - 1)
    return [(*before[c], w) for c, w in zip(grams.contexts.tolist(), grams.words.tolist(), strict=True)]


@settings(deadline=None)
@given(texts_of_ids, st.integers(1, 4), st.sampled_from([None, 0]))
def test_they_are_those_that_a_loop_counts(texts, order, begin):
    ids, starts = joined(texts)
    found = count_ngrams(ids, order=order, vocabulary_size=SIZE, starts=starts, begin=begin)
    with_begins = [([] if begin is None else [begin]) + list(text) for text in texts]
    raw, lefts = Counter(), defaultdict(set)
    for text in with_begins:
        for k in range(1, order + 1):
            for i in range(len(text) - k + 1):
                raw[tuple(text[i : i + k])] += 1
                lefts[tuple(text[i : i + k])].add(text[i - 1] if i else "start")
    for k in range(1, order + 1):
        grams, tokens = found.orders[k - 1], tokens_of(found, k)
        assert tokens == sorted(tokens) == (sorted(g for g in raw if len(g) == k) if k > 1 else tokens)
        assert grams.counts.tolist() == [raw[gram] for gram in tokens]
        is_raw = [k == order or gram[0] == begin for gram in tokens]
        assert grams.lefts.tolist() == [
            raw[gram] if whole else len(lefts[gram]) for gram, whole in zip(tokens, is_raw, strict=True)
        ]
        if k > 1:
            shorter = tokens_of(found, k - 1)
            assert [shorter[i] for i in grams.suffixes] == [gram[1:] for gram in tokens]
        assert {array.dtype for array in grams} == {np.dtype(np.int32)}


def test_running_text_is_one_text_and_a_part_may_begin_within_one():
    ids = np.array([1, 2, 1, 2, 3], np.int32)
    whole = count_ngrams(ids, order=2, vocabulary_size=4)
    assert tokens_of(whole, 2) == [(1, 2), (2, 1), (2, 3)]
    part = count_ngrams(ids, order=2, vocabulary_size=4, starts=[2], begin=0)
    assert tokens_of(part, 2) == [(0, 1), (1, 2), (2, 3)]
    assert part.orders[1].counts.tolist() == [1, 2, 1]
    assert part.orders[0].lefts.tolist() == [1, 2, 1, 1]  # 1 stands behind the symbol, and first


def test_the_words_of_a_play_are_counted_as_python_counts_them(data_folder):
    text = (data_folder / "gutenberg_plays" / "shakespeare-hamlet.txt").read_text(encoding="latin-1").split()
    names = sorted(set(text))
    ids = np.searchsorted(names, text).astype(np.int32)
    found = count_ngrams(ids, order=3, vocabulary_size=len(names))
    for k in (2, 3):
        expected = Counter(zip(*(ids[i:].tolist() for i in range(k)), strict=False))
        assert dict(zip(tokens_of(found, k), found.orders[k - 1].counts.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        ([1, 9], {}, "token ids run from 1 to 9, the vocabulary has 5"),
        ([1, 2], {"starts": [0, 2]}, "texts start at 0 to 2, there are 2 tokens: give offsets of tokens"),
        ([1, 2], {"starts": [-1]}, "texts start at -1 to -1"),
        ([1, 0], {"begin": 0}, "token 1 is the begin symbol 0, which is put before texts here: leave it out"),
        ([1, 2], {"begin": 5}, "the begin symbol is 5, the vocabulary has 5"),
    ],
)
def test_what_cannot_be_counted_is_told(ids, options, message):
    with pytest.raises(InputError, match=message) as caught:
        count_ngrams(ids, order=2, vocabulary_size=SIZE, **options)
    assert "\n" not in str(caught.value)


def test_there_are_no_n_grams_of_no_tokens():
    with pytest.raises(ValueError, match="there are no n-grams of 0 tokens"):
        count_ngrams([1], order=0, vocabulary_size=SIZE)
