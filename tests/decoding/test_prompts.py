"""Prompts and stop texts in every Unicode form, and what is said of those that cannot be read."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.decoding import Transcript, prompt_ids, prompt_remark, readable, stop_remark
from jaxseq.errors import UnknownSymbolError
from jaxseq.text import ByteTokenizer, CharTokenizer, JamoTokenizer, LineTokenizer, WordOptions, WordTokenizer
from jaxseq.text.hangul import decompose

TEXT = "Café, señor: 한글 값이 ﬁn\n"
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def form(name, text):
    return unicodedata.normalize(name, text)


@pytest.mark.parametrize("kind", [CharTokenizer, JamoTokenizer])
@pytest.mark.parametrize("trained", ["NFC", "NFD"])
@pytest.mark.parametrize("unknown", [False, True])
def test_a_prompt_is_read_in_the_form_that_the_vocabulary_has(kind, trained, unknown):
    tokenizer = kind.train(form(trained, TEXT), unknown=unknown)
    wanted = form(trained, "señor, 값이 한글")
    for given_form in FORMS:
        prompt = form(given_form, wanted)
        np.testing.assert_array_equal(prompt_ids(tokenizer, prompt), tokenizer.encode(wanted))
        assert Transcript(tokenizer, prompt).prompt == wanted
        remark = prompt_remark(tokenizer, prompt)
        if prompt == wanted:
            assert remark is None
        else:
            assert f"Unicode's form {trained}" in remark
            assert "--data.normalize nfc" in remark
            assert "\n" not in remark


@settings(deadline=None, max_examples=200)
@given(
    st.text("eé\u0301n\u0303ñ한\u1112\u1161\u11abab☃ﬁ", max_size=8),
    st.text("eé\u0301nñ한\u1112\u1161\u11aba", min_size=1),
)
def test_a_text_that_can_be_read_stays_as_it_is_and_no_form_is_better_than_the_one_taken(text, vocabulary):
    tokenizer = JamoTokenizer.train(vocabulary)

    def lacking(candidate):
        return sum(not set(decompose(c)) <= set(tokenizer.vocabulary.symbols) for c in set(candidate))

    taken = readable(tokenizer, text)
    others = [form(name, text) for name in FORMS]
    assert taken in (text, *others)
    assert lacking(taken) == min(lacking(text), *map(lacking, others))
    assert taken == text or lacking(taken) < lacking(text)


def test_the_symbol_that_no_form_has_is_the_one_named():
    with pytest.raises(UnknownSymbolError, match=r"the prompt cannot be read: '☃' \(U\+2603\) at offset 5 ") as caught:
        prompt_ids(CharTokenizer.train(TEXT), form("NFD", "señor☃"))
    assert "nfc" not in str(caught.value)


def test_training_on_one_form_is_advised_where_the_text_mixed_them():
    mixed = CharTokenizer.train("caf\u00e9 n\u0303")
    with pytest.raises(UnknownSymbolError, match=r"'ñ' .*letters taken apart, train with --data.normalize nfc"):
        prompt_ids(mixed, "\u00e9\u00f1")
    with pytest.raises(UnknownSymbolError) as caught:
        prompt_ids(CharTokenizer.train("caf\u00e9 n\u0303", normalize=["nfc"]), "\u00fc")
    assert "nfc" not in str(caught.value)


def test_a_prompt_for_a_model_of_bytes_stays_as_it_is():
    prompt = form("NFD", "señor")
    assert readable(ByteTokenizer(), prompt) == prompt
    assert prompt_remark(ByteTokenizer(), prompt) is None


def test_a_stop_text_that_can_never_match_is_told_with_its_symbol():
    tokenizer = CharTokenizer.train(TEXT)
    assert stop_remark(tokenizer, "señor") is None
    assert stop_remark(tokenizer, "\n") is None
    assert f"'☃ é' can never match, as '☃' (U+2603) is not among the {len(tokenizer.vocabulary)}" in stop_remark(
        tokenizer, "☃ é"
    )
    told = stop_remark(tokenizer, r"\n\nROMEO")
    assert r"--stop '\n\nROMEO' can never match, as '\' (U+005C)" in told
    assert told.endswith(r"if \n was meant as one character, write --stop $'\n'")
    assert stop_remark(CharTokenizer.train("a\\n"), r"\n") is None
    assert stop_remark(CharTokenizer.train("romeo", normalize=["lowercase"]), "ROMEO") is None
    assert "'\\ud800'" in stop_remark(ByteTokenizer(), "\ud800")


def test_a_stop_text_in_another_form_ends_the_sample():
    tokenizer = JamoTokenizer.train(TEXT)
    stop = form("NFD", "값이")
    assert stop_remark(tokenizer, stop) is None
    transcript = Transcript(tokenizer, "", stop=[stop])
    assert transcript.push(tokenizer.encode("한글 값이 ")) == "한글 "
    assert transcript.finish_reason == "stop"


@pytest.mark.parametrize("kind", [CharTokenizer, JamoTokenizer])
def test_with_unk_its_sign_can_be_matched_and_what_it_stands_for_cannot(kind):
    tokenizer = kind.train(TEXT, unknown=True)
    assert stop_remark(tokenizer, "\ufffd") is None
    assert "'☃' (U+2603)" in stop_remark(tokenizer, "é☃")
    assert "'뷁' (U+BDC1)" in stop_remark(tokenizer, "뷁")
    transcript = Transcript(tokenizer, "", stop=["\ufffd"])
    assert transcript.push(tokenizer.encode("é☃")) == "é"


def test_training_jamo_on_letters_taken_apart_says_so():
    assert JamoTokenizer.train(TEXT).remark is None
    assert JamoTokenizer.train(form("NFD", TEXT), normalize=["nfc"]).remark is None
    assert JamoTokenizer.train("옛한글 ᄒᆞᆫ \u113c\u119e").remark is None  # archaic: there are no syllables of it
    remark = JamoTokenizer.train(form("NFD", TEXT)).remark
    assert "conjoining jamo are symbols beside those of syllables" in remark
    assert "--data.normalize nfc" in remark


def test_words_that_are_read_as_unknown_are_told_some_of_them_by_name():
    words = WordTokenizer.train("to be", options=WordOptions(splitter="whitespace"))
    assert prompt_remark(words, "be to") is None
    assert prompt_remark(words, "to go") == "the vocabulary does not know 'go': read as unknown"
    many = prompt_remark(LineTokenizer(words), "a b\nc d e f g to a")
    assert many == "the vocabulary does not know 'a', 'b', 'c', 'd', 'e' and 2 more: read as unknown"
    assert stop_remark(words, "be") is None
    assert "--stop 'or be' can never match, as 'or' is not among the 4 symbols" in str(stop_remark(words, "or be"))
