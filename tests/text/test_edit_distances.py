"""Edit distances against their recurrences by plain loops."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.text.edit_distances import edit_distances, hamming, levenshtein, near_spellings

TEXTS = st.text("ab가\U0001f600\u0301", max_size=6)


def by_hand(one, other):
    """Wagner and Fischer 1974."""
    row = list(range(len(other) + 1))
    for i, symbol in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (symbol != wanted)))
    return row[-1]


@given(TEXTS, TEXTS)
def test_levenshteins_distance_is_that_of_its_recurrence(one, other):
    assert levenshtein(one, other) == by_hand(one, other)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_every_pair_of_two_lists_is_held_against_each_other(ones, others):
    found = edit_distances(ones, others)
    assert found.shape == (len(ones), len(others))
    assert found.dtype == np.int32
    assert found.tolist() == [[by_hand(one, other) for other in others] for one in ones]


@given(st.text("abc", min_size=5, max_size=5), st.text("abc", min_size=5, max_size=5))
def test_hammings_distance_counts_the_places_that_differ(one, other):
    expected = sum(a != b for a, b in zip(one, other, strict=True))
    assert hamming(one, other) == expected
    assert edit_distances([one, other], [other], measure="hamming").tolist() == [[expected], [0]]


def test_texts_of_two_lengths_have_no_hamming_distance():
    with pytest.raises(InputError, match="sequences of 3 and 4 have no Hamming distance"):
        hamming("abc", "abcd")
    with pytest.raises(InputError, match="sequences of 2 to 3 have no Hamming distance"):
        edit_distances(["abc"], ["abc", "ab"], measure="hamming")
    assert edit_distances([], ["abc", "ab"], measure="levenshtein").shape == (0, 2)


def test_nothing_is_as_far_as_all_that_has_to_be_put_in():
    assert levenshtein("", "abc") == 3
    assert levenshtein("", "") == hamming("", "") == 0
    assert levenshtein("é", "e\u0301") == 2  # code points: normalise first


def test_lists_of_words_differ_by_words():
    assert levenshtein(["the", "film", "is", "good"], ["the", "good", "film", "is", "bad"]) == 2
    assert edit_distances([["a", "b"]], [["b"], ["a", "b", "c"]]).tolist() == [[1, 1]]


def test_near_spellings_are_nearest_first_and_of_equally_near_ones_the_earlier():
    words = ["the", "queens", "quen", "queen", "keen", "quay"]
    assert near_spellings("qeen", words) == ["quen", "queen", "keen"]
    assert near_spellings("qeen", words, count=1) == ["quen"]
    assert near_spellings("xylophone", words) == []
    assert near_spellings("ab", ["cd", "a", "xb"]) == ["a", "xb"]  # one change of two letters, not both
    assert near_spellings("", ["a", "bc"]) == ["a"]


def test_without_the_library_the_error_names_what_to_install(monkeypatch):
    for name in ("rapidfuzz", "rapidfuzz.distance", "rapidfuzz.process"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"need the package rapidfuzz: pip install 'jaxseq\[vectors\]'"):
        levenshtein("a", "b")
