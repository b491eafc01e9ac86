"""The tokenizer of captions: languages as tokens, one vocabulary, and which word a token is of."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import CaptionTokenizer, CharTokenizer, LineTokenizer, WordTokenizer

CAPTIONS = [("english", "a dog runs"), ("korean", "개가 달린다"), ("english", "a <english> dog")]
LANGUAGES = ("english", "korean")
WORDS = CaptionTokenizer.train(CAPTIONS, LANGUAGES, WordTokenizer.train)
LETTERS = CaptionTokenizer.train(CAPTIONS, LANGUAGES, CharTokenizer.train)

both = pytest.mark.parametrize("tokenizer", [WORDS, LETTERS], ids=["words", "letters"])


@both
def test_a_caption_begins_with_its_language_which_is_no_part_of_its_text(tokenizer):
    for language, text in CAPTIONS[:2]:
        ids = tokenizer.encode(language, text)
        assert (
            ids[0] == tokenizer.begin(language) != tokenizer.begin({"english": "korean", "korean": "english"}[language])
        )
        assert ids[-1] == tokenizer.end
        assert tokenizer.decode(ids) == tokenizer.decode(ids[1:]) == text
        assert tokenizer.decode([*ids, *ids]) == text  # as far as the first end
    assert tokenizer.vocabulary_size == tokenizer.lines.vocabulary_size + 2


@both
def test_all_ids_have_names_and_no_caption_holds_a_silent_one(tokenizer):
    names = tokenizer.vocabulary.symbols
    assert len(names) == len(set(names)) == tokenizer.vocabulary_size
    assert [names[tokenizer.begin(language)] for language in LANGUAGES][1] == "<korean>"
    silent = set(tokenizer.silent_ids)
    assert {tokenizer.begin(language) for language in LANGUAGES} <= silent
    assert tokenizer.lines.start in silent
    assert tokenizer.end not in silent
    for language, text in CAPTIONS[:2]:
        assert not silent & set(tokenizer.encode(language, text)[1:].tolist())


@both
def test_many_are_encoded_as_each_alone(tokenizer):
    found = tokenizer.encode_each(CAPTIONS)
    for ids, (language, text) in zip(found, CAPTIONS, strict=True):
        np.testing.assert_array_equal(ids, tokenizer.encode(language, text))


@both
def test_json_gives_an_equal_one(tokenizer):
    again = CaptionTokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    assert again.fingerprint == tokenizer.fingerprint
    assert tokenizer.fingerprint != CaptionTokenizer(tokenizer.lines, ("english",)).fingerprint


def test_captions_without_a_language_begin_as_lines_do():
    tokenizer = CaptionTokenizer.train([("", "a dog")], ("",), WordTokenizer.train)
    assert tokenizer.encode("", "a dog").tolist() == LineTokenizer(tokenizer.lines.inner).encode_line("a dog").tolist()
    assert tokenizer.vocabulary_size == tokenizer.lines.vocabulary_size
    with pytest.raises(InputError, match="the language is 'english', and captions were learned in of no name"):
        tokenizer.begin("english")


@both
@given(data=st.data())
def test_a_token_is_of_the_word_that_its_text_ends_in(tokenizer, data):
    words = data.draw(st.lists(st.sampled_from(["a", "dog", "runs"]), min_size=1, max_size=5))
    ids = tokenizer.encode("english", " ".join(words))[1:]
    found = tokenizer.words_of(ids)
    assert len(found) == len(ids)
    assert found[-1] == len(words)  # the end
    if tokenizer is WORDS:
        assert found[:-1] == list(range(len(words)))
    else:  # a space is of the word before it
        lengths = [len(word) + 1 for word in words]
        assert found[:-1] == [at for at, length in enumerate(lengths) for _ in range(length)][:-1]


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match="the language is 'german', and captions were learned in english, korean"):
        WORDS.encode("german", "a dog")
    with pytest.raises(UnknownSymbolError, match="caption 2: "):
        LETTERS.encode_each([("english", "a dog"), ("english", "a dög")])
    for languages in ((), ("english", "english")):
        with pytest.raises(InputError, match="name one or more, each once"):
            CaptionTokenizer(WORDS.lines, languages)
    for tree in (None, {"lines": 1}, {"lines": WORDS.lines.to_json(), "languages": [1]}):
        with pytest.raises(InputError):
            CaptionTokenizer.from_json(tree)
