"""The tokenizer of masked language models: what is hidden, what is unknown, and what no text has."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tokenizers import bpe, sentencepieces, unigram

from jaxseq.errors import InputError
from jaxseq.text import (
    ByteTokenizer,
    CharTokenizer,
    JamoTokenizer,
    MaskedTokenizer,
    WordOptions,
    WordPieceTokenizer,
    WordTokenizer,
)
from jaxseq.text.masked_tokenizer import MASK

TEXT = "a dog barks at the cat"
BASES = {
    "word": WordTokenizer.train([TEXT], options=WordOptions(splitter="words_and_marks", padding=True)),
    "char": CharTokenizer.train([TEXT], specials=("<pad>",), unknown=True),
    "jamo": JamoTokenizer.train([TEXT, "나는 개"], specials=("<pad>",), unknown=True),
    "byte": ByteTokenizer.train([TEXT], specials=("<pad>",)),
    "wordpiece": WordPieceTokenizer.train([TEXT], size=60, min_count=1),
    "bpe": bpe(),
    "unigram": unigram(prefix=True),
    "sentencepiece": sentencepieces(),
}
KNOWS_ALL = ("byte", "bpe", "unigram")
"""Those without an id for what is unknown."""
every_base = pytest.mark.parametrize("kind", BASES)


def masked(kind: str, unknown_text: str = "") -> MaskedTokenizer:
    return MaskedTokenizer(BASES[kind], unknown_text)


@every_base
def test_ids_of_its_own_stand_behind_those_of_its_base_and_in_no_text(kind):
    tokenizer = masked(kind)
    base = BASES[kind].vocabulary_size
    assert (tokenizer.start, tokenizer.separator, tokenizer.mask) == (base, base + 1, base + 2)
    assert tokenizer.vocabulary_size == len(tokenizer.vocabulary.symbols) == base + 3
    assert tokenizer.vocabulary.symbols[-3:] == ("[CLS]", "[SEP]", "[MASK]")
    for text in (TEXT, "[MASK] [CLS] <unk>", ""):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32
        np.testing.assert_array_equal(ids, BASES[kind].encode(text))
        assert ids.max(initial=0) < base
        assert tokenizer.decode(ids) == BASES[kind].decode(ids)
    for one, other in zip(
        tokenizer.encode_each([TEXT, "", "the"]), map(tokenizer.encode, [TEXT, "", "the"]), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@every_base
def test_specials_are_ids_that_no_known_text_has(kind):
    for unknown_text in ("", "<unk>"):
        tokenizer = masked(kind, unknown_text)
        assert {tokenizer.start, tokenizer.separator, tokenizer.mask} <= set(tokenizer.specials)
        assert 0 in tokenizer.specials  # padding
        assert list(tokenizer.specials) == sorted(set(tokenizer.specials))
        assert not set(tokenizer.specials) & set(tokenizer.encode(TEXT).tolist())
        if tokenizer.unknown is not None:
            assert tokenizer.unknown in tokenizer.specials
    assert (masked(kind).unknown is None) == (kind in KNOWS_ALL)


@every_base
def test_a_word_that_was_taken_out_is_unknown_and_never_text(kind):
    tokenizer = masked(kind, "<unk>")
    ids = tokenizer.encode("the <unk> barks").tolist()
    assert ids.count(tokenizer.unknown) == 1
    at = ids.index(tokenizer.unknown)
    space = " " if kind in ("char", "jamo", "byte") else ""
    assert ids[:at] == BASES[kind].encode("the" + space).tolist()
    assert ids[at + 1 :] == BASES[kind].encode(" barks").tolist()
    if kind != "sentencepiece":  # which knows "the" by its letters alone
        assert tokenizer.decode(ids) == "the <unk> barks"
    (other,) = tokenizer.encode_each(["the <unk> barks"])
    assert other.tolist() == ids
    assert tokenizer.vocabulary_size == BASES[kind].vocabulary_size + 3 + (kind in KNOWS_ALL)
    assert len(tokenizer.vocabulary.symbols) == tokenizer.vocabulary_size


@every_base
def test_an_unknown_word_of_the_base_is_a_special_too(kind):
    unseen = "ж"  # one that no base has seen
    found = set(masked(kind).encode(unseen).tolist())
    silent = set(masked(kind).specials)
    if kind in KNOWS_ALL or kind == "sentencepiece":  # which read it as bytes
        assert not found & silent
    else:
        assert found <= silent


@every_base
def test_only_in_a_question_is_mask_a_token(kind):
    tokenizer = masked(kind)
    text = "the [MASK] barks[MASK]"
    hidden = tokenizer.encode_hidden(text)
    assert (hidden == tokenizer.mask).sum() == 2
    assert hidden[-1] == tokenizer.mask
    assert not (tokenizer.encode(text) == tokenizer.mask).any()
    assert tokenizer.encode_hidden(MASK).tolist() == [tokenizer.mask]
    assert tokenizer.encode_hidden(f"{MASK}{MASK}").tolist() == [tokenizer.mask] * 2
    np.testing.assert_array_equal(tokenizer.encode_hidden(TEXT), tokenizer.encode(TEXT))
    if kind not in ("char", "jamo", "byte"):  # there the space between is a token
        assert tokenizer.encode_hidden(f"{MASK} {MASK}").tolist() == [tokenizer.mask] * 2


def test_a_token_with_its_space_before_it_is_what_mask_stands_for():
    tokenizer = masked("bpe")
    whole = tokenizer.encode("hear me speak").tolist()
    for word in (" me", "hear"):
        piece = BASES["bpe"].encode(word).tolist()
        place = next(at for at in range(len(whole)) if whole[at : at + len(piece)] == piece)
        wanted = [*whole[:place], tokenizer.mask, *whole[place + len(piece) :]]
        assert tokenizer.encode_hidden("hear me speak".replace(word.strip(), MASK)).tolist() == wanted


@pytest.mark.parametrize("kind", ["char", "byte", "word"])
@given(parts=st.lists(st.sampled_from(["a dog", "the", "cat", ""]), min_size=1, max_size=4))
def test_decoding_gives_the_question_back(kind, parts):
    tokenizer = masked(kind, "<unk>")
    text = " [MASK] ".join([*parts, "<unk>"])
    wanted = text if kind != "word" else " ".join(text.split())
    assert tokenizer.decode(tokenizer.encode_hidden(text)) == wanted
    around = [tokenizer.start, *tokenizer.encode_hidden(text), tokenizer.separator]
    assert tokenizer.decode(around) == wanted


@every_base
@pytest.mark.parametrize("unknown_text", ["", "<unk>"])
def test_json_gives_an_equal_one(kind, unknown_text):
    tokenizer = masked(kind, unknown_text)
    again = MaskedTokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    assert again.fingerprint == tokenizer.fingerprint != masked(kind, "<x>").fingerprint


def test_what_is_no_tokenizer_is_told_in_a_line():
    for tree, told in (
        ([], "the tokenizer of a masked language model in JSON must be an object with base, not list"),
        ({"base": {}, "mask": 1}, "has a strange field 'mask': it must have base"),
        ({"base": 3}, "a tokenizer in JSON must have a 'kind' among"),
        ({**masked("word").to_json(), "unknown_text": 3}, "what stands for an unknown word is 3: give a word"),
    ):
        with pytest.raises(InputError) as caught:
            MaskedTokenizer.from_json(tree)
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)
    for text in (" <unk>", MASK):
        with pytest.raises(InputError, match="what stands for an unknown word is"):
            masked("word", text)
    with pytest.raises(ValueError, match="has no symbol"):
        masked("word").decode([masked("word").vocabulary_size])
