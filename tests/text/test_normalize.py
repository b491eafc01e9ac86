"""Normalisers, against the definitions they name."""

import unicodedata
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import NormalizerName
from jaxseq.errors import InputError
from jaxseq.text.normalize import (
    NORMALIZERS,
    collapse_whitespace,
    compose,
    lowercase,
    nfc,
    nfkc,
    normalizer,
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
    for function in (nfc, nfkc, unix_newlines, collapse_whitespace):
        assert function(function(text)) == function(text)


def test_the_unicode_forms_are_those_of_the_standard() -> None:
    decomposed = unicodedata.normalize("NFD", "값 é")
    assert nfc(decomposed) == "값 é"
    assert nfkc("ﬁ１") == "fi1"
    assert lowercase("ÀΣ") == "àς"


def test_an_unknown_normaliser_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no normaliser 'upper': choose among lowercase, nfc"):
        normalizer(("lowercase", "upper"))
