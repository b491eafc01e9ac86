"""Hangul, against hgtk, against Unicode's own decomposition, and against a plain reading of the rule."""

import re
import unicodedata

import hgtk
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from text_strategies import HANGUL_TEXTS, JAMO_SOUP, TEXTS

from jaxseq.errors import InputError
from jaxseq.text.codepoints import CHUNK, code_points, text_of
from jaxseq.text.hangul import (
    FINALS,
    INITIALS,
    MARK,
    VOWELS,
    compose,
    compose_code_points,
    decompose,
    decompose_code_points,
    open_code_points,
)

modest = settings(deadline=None, max_examples=150)
ALL_SYLLABLES = "".join(map(chr, range(0xAC00, 0xD7A4)))
UNIT = re.compile(f"([{INITIALS}][{VOWELS}][{FINALS}]?|[ㄱ-ㅣ]){MARK}")


def hgtk_decompose(text: str) -> str:
    return hgtk.text.decompose(text, latin_filter=False)


def long_decompose(text: str) -> str:
    """The vectorised way, however short the text."""
    return text_of(decompose_code_points(code_points(text), mark=ord(MARK)))


def long_compose(text: str) -> str:
    return text_of(compose_code_points(code_points(text), mark=ord(MARK)))


def composed_by_rule(text: str) -> str:
    """Each unit that ends in a mark, and no other jamo, through hgtk."""
    return UNIT.sub(lambda match: hgtk.text.compose(match[0]), text)


def test_all_11172_syllables_equal_hgtk_and_come_back() -> None:
    units = [hgtk_decompose(syllable) for syllable in ALL_SYLLABLES]
    assert len(units) == len(set(units)) == 11_172
    assert decompose(ALL_SYLLABLES) == long_decompose(ALL_SYLLABLES) == "".join(units)
    assert [decompose(syllable) for syllable in ALL_SYLLABLES] == units
    assert compose("".join(units)) == ALL_SYLLABLES
    assert "".join(map(compose, units)) == ALL_SYLLABLES


def test_all_syllables_agree_with_unicodes_canonical_decomposition() -> None:
    def canonical(unit: str) -> str:
        initial, vowel, *final = unit.removesuffix(MARK)
        conjoining = chr(0x1100 + INITIALS.index(initial)) + chr(0x1161 + VOWELS.index(vowel))
        return conjoining + "".join(chr(0x11A8 + FINALS.index(jamo)) for jamo in final)

    assert all(unicodedata.normalize("NFD", s) == canonical(decompose(s)) for s in ALL_SYLLABLES)


@modest
@given(TEXTS)
@example("ㅋㅋㅋ ㅠㅠ")
@example(f"가{MARK}{MARK}ㄱ{MARK}a{MARK}")
def test_decomposition_equals_hgtk_for_every_text(text: str) -> None:
    assert decompose(text) == long_decompose(text) == hgtk_decompose(text)


@modest
@given(HANGUL_TEXTS)
def test_composition_equals_hgtk_on_decompositions_of_texts_without_the_mark(text: str) -> None:
    jamo = hgtk_decompose(text)
    assert compose(jamo) == hgtk.text.compose(jamo) == text


@modest
@given(TEXTS, st.sampled_from([MARK, "\0", "|", "\u3130", "😀"]))
def test_every_text_comes_back_whatever_the_mark(text: str, mark: str) -> None:
    assert compose(decompose(text, mark), mark) == text
    jamo = decompose_code_points(code_points(text), mark=ord(mark))
    assert text_of(compose_code_points(jamo, mark=ord(mark))) == text


@modest
@given(TEXTS)
def test_a_decomposition_comes_back_from_its_composition(text: str) -> None:
    jamo = decompose(text)
    assert decompose(compose(jamo)) == jamo


@modest
@given(JAMO_SOUP | TEXTS)
@example("ㄱㅏㄱㅏㄱㄱㅏᴥㅏᴥㅏㄱᴥㄸᴥㄱㅏㄸᴥㄳㅏᴥᴥᴥㄱㅏㄴㄷㅏᴥ")
def test_malformed_jamo_keep_all_that_cannot_be_composed(text: str) -> None:
    assert compose(text) == long_compose(text) == composed_by_rule(text)


@pytest.mark.parametrize(
    ("jamo", "text"),
    [
        ("ㄱㅏ", "ㄱㅏ"),
        ("ㄱㅏㄴㄷㅏᴥ", "ㄱㅏㄴ다"),
        ("ㅏㄱᴥ", "ㅏㄱ"),
        ("ㄱㅏㄸᴥ", "ㄱㅏㄸ"),
        ("ᴥᴥaᴥ", "ᴥᴥaᴥ"),
        ("ㄱㄱㅏㄳᴥㅅ", "ㄱ갃ㅅ"),
    ],
)
def test_what_cannot_be_composed_stays(jamo: str, text: str) -> None:
    assert compose(jamo) == long_compose(jamo) == text


def test_hgtk_loses_the_mark_and_what_is_unfinished_where_we_do_not() -> None:
    assert hgtk.text.compose(hgtk_decompose(f"가{MARK}")) == "가"
    assert compose(decompose(f"가{MARK}")) == f"가{MARK}"
    assert hgtk.text.compose("ㄱㅏ") == ""


@modest
@given(JAMO_SOUP, JAMO_SOUP)
def test_what_comes_before_the_open_code_points_is_final(text: str, more: str) -> None:
    held = open_code_points(code_points(text))
    assert 0 <= held <= 3
    cut = len(text) - held
    assert compose(text + more) == compose(text[:cut]) + compose(text[cut:] + more)
    assert (compose(text + MARK) != compose(text) + MARK) == (held > 0)


@pytest.mark.parametrize("offset", range(5))
def test_chunks_of_a_long_text_meet_without_a_seam(offset: int) -> None:
    text = "a" * offset + "값" * CHUNK + "ㅋ😀ㅠ" * 7
    jamo = decompose(text)
    assert jamo == "a" * offset + "ㄱㅏㅄᴥ" * CHUNK + "ㅋᴥ😀ㅠᴥ" * 7
    assert compose(jamo) == text


def test_a_long_run_of_jamo_without_marks_stays() -> None:
    text = "ㄱㅏㄴ" * CHUNK
    assert compose(text) == text


@pytest.mark.parametrize("mark", ["", "ab", "ㄱ", "ㅏ", "ㄳ", "가", "힣", 5, None])
def test_a_mark_that_could_not_be_told_from_hangul_is_refused(mark: str) -> None:
    for function in (compose, decompose):
        with pytest.raises(InputError, match=r"syllable mark .* must be one character that is no Hangul"):
            function("가", mark)


def test_real_reviews_equal_hgtk_line_by_line(reviews: str) -> None:
    lines = reviews[:150_000].split("\n")
    expected = [hgtk_decompose(line) for line in lines]
    assert decompose("\n".join(lines)).split("\n") == expected
    assert [decompose(line) for line in lines] == expected
    assert [compose(line) for line in expected] == lines


def test_twelve_megabytes_of_real_reviews_come_back(reviews: str) -> None:
    jamo = decompose(reviews)
    assert not set(map(chr, range(0xAC00, 0xD7A4))) & set(jamo)
    assert compose(jamo) == reviews
