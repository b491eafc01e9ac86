"""The tokenizer of bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import ByteTokenizer

modest = settings(deadline=None, max_examples=200)


@modest
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_ids_are_the_bytes_of_utf8_and_come_back(text: str) -> None:
    tokenizer = ByteTokenizer()
    assert bytes(tokenizer.encode(text).tolist()) == text.encode("utf-8")
    assert tokenizer.decode(tokenizer.encode(text)) == text


@modest
@given(st.binary(max_size=20))
def test_bytes_that_are_no_utf8_become_replacement_characters(data: bytes) -> None:
    assert ByteTokenizer().decode(list(data)) == data.decode("utf-8", "replace")


def test_there_is_a_symbol_for_each_byte() -> None:
    assert len(ByteTokenizer().vocabulary) == 256
    assert ByteTokenizer().vocabulary.symbols[0x41] == "<0x41>"


@modest
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_specials_stand_before_the_bytes_and_no_text_has_them(text: str) -> None:
    tokenizer = ByteTokenizer.train("", specials=("<pad>", "<end>"))
    ids = tokenizer.encode(text + "\0<pad>")
    assert ids.min() >= 2
    assert tokenizer.vocabulary_size == 258
    assert tokenizer.decode([0, *ids, 1]) == text + "\0<pad>"


def test_a_special_that_is_a_byte_is_refused() -> None:
    with pytest.raises(InputError, match="<0x41>"):
        ByteTokenizer(specials=("<0x41>",))


def test_half_of_a_surrogate_pair_is_named() -> None:
    with pytest.raises(UnknownSymbolError, match=r"'\\ud83d' \(U\+D83D\) at offset 2 is half of a surrogate pair"):
        ByteTokenizer().encode("ab\ud83d")
