from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from jaxseq.decoding import StopFilter
from jaxseq.errors import InputError

texts = st.text("ab\n", max_size=30)
stop_strings = st.text("ab\n", min_size=1, max_size=4)


def passed(text: str, stops: list[str], cuts: list[int]) -> tuple[str, bool]:
    text_filter = StopFilter(stops)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text_filter.push(text[start:end]) for start, end in pairwise(bounds)]
    return "".join(pieces) + text_filter.flush(), text_filter.stopped


@settings(deadline=None, max_examples=300)
@given(texts, stop_strings, st.lists(st.integers(0, 30), max_size=6))
def test_text_ends_where_str_find_finds_the_stop_string(text, stop, cuts):
    at = text.find(stop)
    assert passed(text, [stop], cuts) == (text if at < 0 else text[:at], at >= 0)


@settings(deadline=None, max_examples=300)
@given(texts, st.lists(stop_strings, max_size=3), st.lists(st.integers(0, 30), max_size=6))
def test_of_several_stop_strings_the_one_that_is_complete_first_ends_the_text(text, stops, cuts):
    for end in range(len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            assert passed(text, stops, cuts) == (text[: end - max(map(len, found))], True)
            return
    assert passed(text, stops, cuts) == (text, False)


def test_only_what_may_begin_a_stop_string_is_held_back():
    text = StopFilter(["\n\nROMEO"])
    assert text.push("one\n") == "one"
    assert text.push("two\n\nRO") == "\ntwo"
    assert text.push("SE") == "\n\nROSE"
    assert text.push("\n\nROMEO: more") == ""
    assert text.stopped
    assert text.push("still more") == text.flush() == ""


def test_an_empty_stop_string_is_refused():
    with pytest.raises(InputError, match="a stop string is empty"):
        StopFilter(["a", ""])
