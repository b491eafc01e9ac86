"""Normalisers, against the definitions they name."""

import re
import unicodedata
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import NormalizerName
from jaxseq.errors import InputError
from jaxseq.text.normalize import (
    NORMALIZERS,
    breaks_to_spaces,
    collapse_whitespace,
    compose,
    letters_only,
    losses,
    lowercase,
    nfc,
    nfkc,
    normalizer,
    spaced_punctuation,
    unix_newlines,
)

modest = settings(deadline=None, max_examples=200)
SPACED = st.text(st.sampled_from("ab \t\n\r\x0b\x1f\x85\xa0\u2003\u3000\u200b"), max_size=20)


def test_the_names_are_those_of_the_configuration() -> None:
    assert tuple(NORMALIZERS) == get_args(NormalizerName)


def test_compose_applies_from_the_first_to_the_last() -> None:
    assert compose(lambda text: text + "1", lambda text: text + "2")("0") == "012"


def test_composing_nothing_changes_nothing() -> None:
    assert compose()("Ab\r\n") == "Ab\r\n"
    assert normalizer(())("Ab\r\n") == "Ab\r\n"


@modest
@given(SPACED)
def test_collapse_whitespace_replaces_each_run_by_one_space(text: str) -> None:
    runs: list[str] = []
    for character in text:
        if not character.isspace():
            runs.append(character)
        elif not runs or runs[-1] != " ":
            runs.append(" ")
    assert collapse_whitespace(text) == "".join(runs)


@modest
@given(SPACED)
def test_unix_newlines_leaves_the_lines_alone(text: str) -> None:
    result = unix_newlines(text)
    assert "\r" not in result
    assert result.split("\n") == text.replace("\r\n", "\r").replace("\n", "\r").split("\r")


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=10))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    for function in (nfc, nfkc, unix_newlines, collapse_whitespace, letters_only):
        assert function(function(text)) == function(text)


def test_the_unicode_forms_are_those_of_the_standard() -> None:
    decomposed = unicodedata.normalize("NFD", "값 é")
    assert nfc(decomposed) == "값 é"
    assert nfkc("ﬁ１") == "fi1"
    assert lowercase("ÀΣ") == "àς"


def test_an_unknown_normaliser_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no normaliser 'upper': choose among lowercase, nfc"):
        normalizer(("lowercase", "upper"))


@modest
@given(st.text(st.sampled_from("aÉ가'1 ²_.<>/br\n\u0301Ⅷ𝒜😀\ud800"), max_size=20))
def test_letters_only_has_a_space_for_all_but_letters_and_apostrophes(text: str) -> None:
    expected = (c if c.isalpha() or c == "'" else " " for c in breaks_to_spaces(text))
    kept = "".join(expected)
    assert letters_only(text) == kept
    assert letters_only(text + "a" * 2000) == kept + "a" * 2000  # a long one takes another way


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<br />b<br/>c<BR>d<br \n/>e", "a b c d e"),
        ("a < b br /> <b> <brr> <br /", "a < b br /> <b> <brr> <br /"),
        ("<br /><br />", "  "),
        ("", ""),
    ],
)
def test_breaks_to_spaces_replaces_the_tag_alone(text: str, expected: str) -> None:
    assert breaks_to_spaces(text) == expected


def test_letters_only_on_film_reviews_is_the_usual_regular_expression(films: list[str]) -> None:
    ascii_films = [film for film in films if film.isascii()]
    assert len(ascii_films) > 800
    for film in ascii_films:
        assert letters_only(film) == re.sub("[^a-zA-Z']", " ", re.sub(r"<br\s*/?>", " ", film))


@given(st.text("aZ é?.!,¿'1\n", max_size=40))
def test_spaced_punctuation_is_the_usual_preparation_of_sentences(text: str) -> None:
    """That of TensorFlow's tutorial on translation, but for runs of spaces."""
    usual = re.sub(r"[^a-zA-Z?.!,¿]+", " ", re.sub(r"([?.!,¿])", r" \1 ", text))
    assert spaced_punctuation(text).split() == usual.split()


def test_white_space_is_not_collapsed_after_letters_are_left_alone() -> None:
    with pytest.raises(InputError, match="collapse_whitespace comes after letters_only: leave it out"):
        normalizer(("letters_only", "nfc", "collapse_whitespace"))
    assert normalizer(("collapse_whitespace", "letters_only"))("a \n1b") == "a  b"


def test_every_normaliser_says_what_it_loses() -> None:
    assert all(losses((name,)) for name in NORMALIZERS)
    assert losses(()) == ()
    assert losses(("lowercase", "nfc", "lowercase")) == ("case", "Unicode form")
