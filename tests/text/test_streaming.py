"""Stream decoders: the pieces join to the whole, and no piece holds half of anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_strategies import JAMO_SOUP, TEXTS, splits

from jaxseq.text import ByteTokenizer, CharTokenizer, JamoTokenizer, StreamDecoder, Tokenizer
from jaxseq.text.hangul import MARK

modest = settings(deadline=None, max_examples=150)
EVERY_JAMO = "".join(map(chr, range(0x3131, 0x3164)))
TOKENIZERS = [
    CharTokenizer.train("ㄱㅏ가 a😀", specials=("<pad>",), unknown=True),
    JamoTokenizer.train(EVERY_JAMO + "a 😀", specials=("<pad>",), unknown=True),
    ByteTokenizer(specials=("<pad>",)),
]


def pushed(stream: StreamDecoder, pieces: list[list[int]]) -> list[str]:
    return [*(stream.push(piece) for piece in pieces), stream.flush()]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.kind)
@modest
@given(data=st.data())
def test_pieces_of_any_ids_join_to_the_whole_for_every_split(tokenizer: Tokenizer, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, len(tokenizer.vocabulary) - 1), max_size=40))
    stream = tokenizer.stream()
    for _ in range(2):  # the second time after a flush
        assert "".join(pushed(stream, data.draw(splits(ids)))) == tokenizer.decode(ids)


@modest
@given(st.data())
def test_pieces_of_jamo_join_to_the_whole_for_every_split(data: st.DataObject) -> None:
    text = data.draw(JAMO_SOUP)
    tokenizer = JamoTokenizer.train(text + "가")
    ids = [tokenizer.vocabulary.id_of(symbol) for symbol in text if symbol != "가"]
    assert "".join(pushed(tokenizer.stream(), data.draw(splits(ids)))) == tokenizer.decode(ids)


@modest
@given(st.data(), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_pieces_of_utf8_never_hold_half_a_character(data: st.DataObject, text: str) -> None:
    tokenizer = ByteTokenizer()
    texts = pushed(tokenizer.stream(), data.draw(splits(tokenizer.encode(text).tolist())))
    assert "".join(texts) == text
    assert texts[-1] == ""
    assert all(tokenizer.encode(piece).size == len(piece.encode("utf-8")) for piece in texts)


@modest
@given(TEXTS)
def test_one_id_at_a_time_brings_each_character_as_soon_as_it_is_whole(text: str) -> None:
    tokenizer = JamoTokenizer.train(text + ".")
    stream = tokenizer.stream()
    for character in text:
        *first, last = tokenizer.encode(character)
        assert [stream.push([index]) for index in first] == [""] * len(first)
        assert stream.push([last]) == character
    assert stream.flush() == ""


def test_a_syllable_waits_for_its_mark_and_no_longer_than_it_can_become_one() -> None:
    tokenizer = JamoTokenizer.train("값이 간다")
    ids = [tokenizer.vocabulary.id_of(symbol) for symbol in f"ㄱㅏㄴ{MARK}ㄱㅏㄱㅏ ㄱㅏ"]
    stream = tokenizer.stream()
    assert [stream.push([index]) for index in ids] == ["", "", "", "간", "", "", "", "ㄱㅏ", "ㄱㅏ ", "", ""]
    assert stream.flush() == "ㄱㅏ"
    assert stream.flush() == ""


def test_an_emoji_waits_for_its_fourth_byte() -> None:
    stream = ByteTokenizer().stream()
    assert [stream.push([byte]) for byte in "é😀".encode()] == ["", "é", "", "", "", "😀"]


def test_a_broken_character_is_replaced_as_soon_as_it_is_known_to_be_broken() -> None:
    stream = ByteTokenizer().stream()
    assert stream.push([0xF0, 0x9F]) == ""
    assert stream.push([0x41]) == "\ufffdA"
    assert stream.push([0xE2]) == ""
    assert stream.flush() == "\ufffd"
