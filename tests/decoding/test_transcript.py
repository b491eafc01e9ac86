import numpy as np
import pytest

from jaxseq.decoding import Transcript, prompt_ids
from jaxseq.errors import UnknownSymbolError
from jaxseq.text import ByteTokenizer, CharTokenizer, JamoTokenizer

KOREAN = "닭이 운다. 영화 참 좋다!\n"


@pytest.mark.parametrize("tokenizer", [JamoTokenizer.train(KOREAN), ByteTokenizer(), CharTokenizer.train(KOREAN)])
def test_half_a_syllable_or_character_never_comes_out(tokenizer):
    transcript = Transcript(tokenizer, "닭")
    assert transcript.prompt == "닭"
    shown = ""
    for token in tokenizer.encode(KOREAN):
        shown += transcript.push([token])
        assert KOREAN.startswith(shown)
    shown += transcript.finish()
    assert shown == transcript.text == KOREAN
    assert transcript.finish_reason == "length"


@pytest.mark.parametrize("tokenizer", [JamoTokenizer.train(KOREAN), ByteTokenizer(), CharTokenizer.train(KOREAN)])
@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_a_stop_string_that_spans_tokens_and_chunks_never_comes_out(tokenizer, chunk):
    transcript = Transcript(tokenizer, "", stop=["영화"])
    ids = tokenizer.encode(KOREAN)
    shown = "".join(transcript.push(ids[at : at + chunk]) for at in range(0, len(ids), chunk)) + transcript.finish()
    assert shown == transcript.text == "닭이 운다. "
    assert transcript.finish_reason == "stop"


@pytest.mark.parametrize("tokenizer", [JamoTokenizer.train(KOREAN), ByteTokenizer()])
def test_a_syllable_that_the_length_cuts_in_two_is_left_out(tokenizer):
    ids = tokenizer.encode("영화")
    for length in range(len(ids)):
        transcript = Transcript(tokenizer, "")
        transcript.push(ids[:length])
        transcript.finish()
        assert transcript.text == ("영" if length >= len(tokenizer.encode("영")) else "")


def test_what_may_begin_a_stop_string_comes_out_at_the_end():
    tokenizer = JamoTokenizer.train(KOREAN)
    transcript = Transcript(tokenizer, "", stop=["다!!"])
    assert transcript.push(tokenizer.encode("좋다!")[:-1]) == "좋"
    assert transcript.push(tokenizer.encode("!")) == ""
    assert transcript.finish() == "다!"


def test_stop_strings_are_normalised_as_all_text_is():
    tokenizer = CharTokenizer.train("To be, Romeo", normalize=["lowercase"])
    transcript = Transcript(tokenizer, "To", stop=["ROMEO"])
    assert transcript.prompt == "to"
    assert transcript.push(tokenizer.encode(" be, romeo")) == " be, "


def test_an_empty_prompt_is_a_line_end_or_else_the_most_frequent_symbol():
    with_line_end = CharTokenizer.train("aab\n")
    assert prompt_ids(with_line_end, "").tolist() == [with_line_end.vocabulary.id_of("\n")]
    assert prompt_ids(CharTokenizer.train("aab"), "").tolist() == [0]
    assert prompt_ids(CharTokenizer.train("aab", unknown=True, specials=["<s>"]), "").tolist() == [2]
    assert prompt_ids(CharTokenizer.train("a a b", normalize=["collapse_whitespace"]), "").tolist() == [0]
    assert prompt_ids(ByteTokenizer(), "").tolist() == [10]
    assert Transcript(with_line_end, "").prompt == ""


def test_unknown_characters_of_a_prompt_are_named_with_their_place():
    with pytest.raises(UnknownSymbolError, match=r"the prompt cannot be read: 'é' .* at offset 2 .* 3 symbols"):
        prompt_ids(CharTokenizer.train("abc"), "abé")


def test_the_ids_of_a_prompt_are_those_of_the_tokenizer():
    tokenizer = CharTokenizer.train("To be", normalize=["lowercase"])
    np.testing.assert_array_equal(prompt_ids(tokenizer, "BE"), tokenizer.encode("be"))
