"""Normalised texts and where their characters come from."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from test_cuts import NAMES, TEXTS

from jaxseq.text.alignment import align
from jaxseq.text.cuts import all_cuts, last_cut
from jaxseq.text.normalize import normalizer


@settings(deadline=None, max_examples=500)
@given(text=TEXTS, names=NAMES)
def test_spans_rise_and_parts_of_a_text_become_what_is_aligned_with_them(text, names):
    function = normalizer(names)
    aligned = align(text, function)
    assert aligned.text == function(text)
    assert len(aligned.starts) == len(aligned.ends) == len(aligned.text)
    assert (np.diff(aligned.starts) >= 0).all()
    assert (np.diff(aligned.ends) >= 0).all()
    assert ((aligned.starts >= 0) & (aligned.starts <= aligned.ends) & (aligned.ends <= len(text))).all()
    for cut in all_cuts(text):
        after = len(function(text[:cut]))
        assert (aligned.ends[:after] <= cut).all()
        assert (aligned.starts[after:] >= cut).all()


@settings(deadline=None, max_examples=300)
@given(text=TEXTS, names=NAMES)
def test_parts_between_all_cuts_normalise_to_what_the_whole_does(text, names):
    cuts = all_cuts(text)
    assert {last_cut(text[:end]) for end in range(2, len(text) + 1)} <= {0, *cuts}
    function = normalizer(names)
    assert "".join(function(text[a:b]) for a, b in pairwise([0, *cuts, len(text)])) == function(text)


@pytest.mark.parametrize(
    ("text", "names", "part", "surface"),
    [
        ("NO WAY", ("lowercase",), "way", "WAY"),
        ("a   b\n\n c", ("collapse_whitespace",), " c", "\n\n c"),
        ("Cafe\u0301s", ("nfc", "lowercase"), "é", "e\u0301"),
        ("so<br /><br />good", ("breaks_to_spaces",), "good", "good"),
        ("so<br />good", ("breaks_to_spaces",), " ", "<br />"),
        ("x\r\ny", ("unix_newlines",), "y", "y"),
        ("ΟΔΟΣ.", ("lowercase",), "ς", "Σ"),
        ("ﬁ ne", ("nfkc",), "ne", "ne"),
        ("ﬁ ne", ("nfkc",), "i", "ﬁ"),
        ("\u1112\u1161\u11ab글", ("nfc",), "글", "글"),
        ("same", (), "am", "am"),
    ],
)
def test_a_part_is_brought_back_to_what_it_was(text, names, part, surface):
    aligned = align(text, normalizer(names))
    start = aligned.text.index(part)
    ((begin, end),) = aligned.back(np.array([[start, start + len(part)]])).tolist()
    assert text[begin:end] == surface


def test_spans_of_nothing_stay_so():
    aligned = align("A  B", normalizer(("lowercase", "collapse_whitespace")))
    assert aligned.back(np.array([[0, 0], [1, 1], [3, 3]])).tolist() == [[0, 0], [1, 1], [4, 4]]
    empty = align("", normalizer(("lowercase",)))
    assert empty.back(np.zeros((1, 2), np.int64)).tolist() == [[0, 0]]
    assert empty.back(np.zeros((0, 2), np.int64)).shape == (0, 2)
