"""Lines of any tokenizer, with a start and an end."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_strategies import splits

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import (
    ByteTokenizer,
    CharTokenizer,
    JamoTokenizer,
    LineTokenizer,
    WordOptions,
    WordTokenizer,
    tokenizer_from_json,
    tokenizer_from_text,
)

TEXT = "to be 값이\n\nor not\n"
INNER = [
    CharTokenizer.train("tobernva 값이 "),
    CharTokenizer.train("to be", unknown=True),
    JamoTokenizer.train("tobernva 값이 "),
    ByteTokenizer.train("", specials=("<pad>",)),
    WordTokenizer.train(TEXT, options=WordOptions(splitter="whitespace")),
    WordTokenizer.train("to be <start>", options=WordOptions(splitter="whitespace", padding=False)),
]
every = pytest.mark.parametrize("inner", INNER, ids=lambda inner: inner.kind)
TEXTS = st.text("to be\n값", max_size=20)


@every
@settings(deadline=None)
@given(text=TEXTS)
def test_lines_come_back_as_the_inner_tokenizer_gives_each(inner, text):
    tokenizer = LineTokenizer(inner)
    lines = [inner.decode(inner.encode(line)) for line in text.split("\n")]
    assert tokenizer.decode(tokenizer.encode(text)) == "\n".join(lines)


@every
@settings(deadline=None)
@given(text=TEXTS)
def test_every_line_has_a_start_and_all_but_the_last_an_end(inner, text):
    tokenizer = LineTokenizer(inner)
    expected = []
    for line in text.split("\n"):
        expected += [tokenizer.start, *inner.encode(line).tolist(), tokenizer.end]
    assert tokenizer.encode(text).tolist() == expected[:-1]
    whole = [id for line in text.split("\n") for id in tokenizer.encode_line(line).tolist()]
    assert whole == expected


@every
@settings(deadline=None)
@given(data=st.data())
def test_any_ids_decode_a_few_at_a_time_to_the_same_text(inner, data):
    tokenizer = LineTokenizer(inner)
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocabulary_size - 1), max_size=20))
    stream = tokenizer.stream()
    assert "".join([*map(stream.push, data.draw(splits(ids))), stream.flush()]) == tokenizer.decode(ids)


@every
def test_ids_are_those_of_the_inner_tokenizer_and_two_behind_them(inner):
    tokenizer = LineTokenizer(inner)
    assert tokenizer.vocabulary_size == inner.vocabulary_size + 2 == len(tokenizer.vocabulary)
    assert tokenizer.vocabulary.symbols[:-2] == inner.vocabulary.symbols
    assert len(set(tokenizer.vocabulary.symbols)) == tokenizer.vocabulary_size
    assert tokenizer.loses == inner.loses


def test_a_start_or_an_end_in_a_text_is_a_word_like_others():
    tokenizer = LineTokenizer(INNER[-1])
    assert tokenizer.encode("<start> to").tolist() == [tokenizer.start, 3, 1]
    assert tokenizer.vocabulary.symbols[-2:] == ("<<start>>", "<end>")
    assert tokenizer.decode(tokenizer.encode("<start> to")) == "<start> to"


def test_the_start_of_a_line_and_padding_stand_for_no_text():
    assert LineTokenizer(INNER[4]).silent_ids == (0, INNER[4].vocabulary_size)
    assert LineTokenizer(INNER[0]).silent_ids == (INNER[0].vocabulary_size,)


@every
def test_json_brings_back_an_equal_tokenizer(inner):
    tokenizer = LineTokenizer(inner)
    tree = json.loads(json.dumps(tokenizer.to_json()))
    assert tokenizer_from_json(tree) == tokenizer
    assert tokenizer_from_text(json.dumps(tree)).fingerprint == tokenizer.fingerprint != inner.fingerprint


@pytest.mark.parametrize(
    "tree",
    [
        {"kind": "lines"},
        {"kind": "lines", "inner": None},
        {"kind": "lines", "inner": {"kind": "lines", "inner": INNER[0].to_json()}},
        {"kind": "lines", "inner": INNER[0].to_json(), "more": 1},
    ],
)
def test_json_of_something_else_is_refused(tree):
    with pytest.raises(InputError):
        tokenizer_from_json(tree)


def test_unknown_words_are_named_over_all_lines_and_what_has_no_id_is_an_error():
    words, characters = LineTokenizer(INNER[4]), LineTokenizer(INNER[0])
    assert words.unknown_words("to go\nor go on") == ["go", "on"]
    assert characters.unknown_words("to x\nx") == ["x"]
    with pytest.raises(UnknownSymbolError, match="'x'"):
        characters.encode("to\nx")


def test_trained_alone_it_reads_words():
    tokenizer = LineTokenizer.train("To be\nor", normalize=("lowercase",))
    assert tokenizer.decode(tokenizer.encode("TO  be\nor")) == "to be\nor"
