"""Byte pairs: the library applied directly is the oracle, and every text comes back."""

import json
import random
import re
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import TEXT, bpe

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import BytePairTokenizer, tokenizer_from_text
from jaxseq.text.byte_pairs import byte_letters

SPACES = " \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2003\u2028\u200b\u202f\u205f\u3000\ufeff"


def library(tokenizer: BytePairTokenizer) -> Any:
    """What the library makes of the same pieces and merges; its ids begin at 0."""
    vocab = {piece: at for at, piece in enumerate(tokenizer.pieces)}
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, list(tokenizer.merges)))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    return model


def test_the_letters_of_bytes_are_those_of_the_library():
    assert set(byte_letters()) == set(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    before = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for character in map(chr, range(0x800)):
        letters = "".join(byte_letters()[byte] for byte in character.encode())
        assert before.pre_tokenize_str(character)[0][0] == letters


@settings(deadline=None, max_examples=400)
@given(text=st.text(max_size=40) | st.text(st.sampled_from(SPACES + "ab'sé1.,한😀\u0301²Ⅷ"), max_size=30))
def test_ids_are_those_that_the_library_gives_the_whole_text(text):
    """It reads words once each; so where white space ends and begins must be what the library's expression has."""
    assert bpe().encode(text).tolist() == [1 + id for id in library(bpe()).encode(text).ids]


def test_training_learns_what_the_library_learns_of_the_text_in_one_piece(shakespeare, reviews):
    for text in (shakespeare[:200_000], reviews[:100_000]):
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=699, min_frequency=2, initial_alphabet=sorted(byte_letters()), show_progress=False
        )
        model = tokenizers.Tokenizer(tokenizers.models.BPE())
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.train_from_iterator([text], trainer)
        ours = BytePairTokenizer.train(text, size=700)
        assert ours.vocabulary_size == 700
        assert dict(zip(ours.pieces, range(699), strict=True)) == model.get_vocab()
        assert BytePairTokenizer.train(iter(text.splitlines(keepends=True)), size=700).vocabulary_size == 700


def test_real_texts_come_back_and_have_the_librarys_ids(shakespeare, reviews):
    tokenizer = BytePairTokenizer.train([shakespeare[:100_000], reviews[:100_000]], size=1000)
    for text in (shakespeare[100_000:400_000], reviews[100_000:250_000]):
        ids = tokenizer.encode(text)
        assert ids.tolist() == [1 + id for id in library(tokenizer).encode(text).ids]
        assert tokenizer.decode(ids) == text
        assert len(ids) < 0.6 * len(text.encode())
        lines = text.splitlines(keepends=True)
        assert "".join(map(tokenizer.decode, tokenizer.encode_texts(lines))) == text


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 100, 4097])
def test_runs_of_spaces_keep_their_number(count):
    """tokenizers#817: runs of spaces become other numbers of spaces."""
    for space in (" ", "\t", "\n", "\r\n", " \n", "\u3000"):
        text = "def" + space * count + "f" + space * count
        assert bpe().decode(bpe().encode(text)) == text


def test_merges_of_spaces_survive_a_reload():
    """tokenizers#645: spaces in merges corrupt the JSON."""
    tokenizer = BytePairTokenizer.train("a    b        c    d \n \n" * 50, size=300)
    assert any(set(left + right) == {"Ġ"} for left, right in tokenizer.merges)
    again = tokenizer_from_text(json.dumps(tokenizer.to_json()))
    assert again == tokenizer
    text = "a  b    c        d \n \n \n"
    assert again.encode(text).tolist() == tokenizer.encode(text).tolist()
    assert again.decode(again.encode(text)) == text


def test_names_of_pieces_are_their_text_or_their_bytes():
    tokenizer = BytePairTokenizer.train("값이 값이 <0xEA> <0xEA><0xEA>" * 9, size=300)
    names = tokenizer.vocabulary.symbols
    assert {"<pad>", "값", "a", " ", "<0xEA><0xB0>"} & {*names} >= {"<pad>", "값", "a", " "}
    for id, name in enumerate(names[1:], 1):
        text = tokenizer.decode([id])
        assert name == text or ("\ufffd" in text and re.fullmatch(r"<*(<0x[0-9A-F]{2}>)+>*", name))


def test_a_line_of_200_000_characters_is_learned_from():
    """sentencepiece#214: long lines are passed over in training."""
    line = " ".join(random.Random(0).choices(["dromedary", "wallaby", "한국어"], k=28_000))
    assert len(line) > 200_000
    line += " zyzzyva zyzzyva"  # all of it: to the end
    tokenizer = BytePairTokenizer.train(line, size=2000)
    assert {" dromedary", " wallaby", " 한국어", " zyzzyva"} <= {*tokenizer.vocabulary.symbols}
    unbroken = BytePairTokenizer.train("ab" * 15_000 + "zyzzyva" * 2, size=270)
    assert "ab" in unbroken.vocabulary.symbols


def test_there_are_fewer_ids_where_there_are_no_more_pairs():
    assert BytePairTokenizer.train("low low").vocabulary_size < 270
    assert BytePairTokenizer.train("").vocabulary_size == 257
    assert BytePairTokenizer.train("", padding=False).vocabulary_size == 256
    once = BytePairTokenizer.train("low lower", min_count=1)
    assert " lower" in once.vocabulary.symbols
    with pytest.raises(
        InputError, match=r"^size is 256, and the 256 bytes and padding have 257 ids: give 257 or more$"
    ):
        BytePairTokenizer.train("low", size=256)
    with pytest.raises(UnknownSymbolError, match="half of a surrogate pair"):
        BytePairTokenizer.train("a\ud800")


def test_a_reserved_piece_is_a_name_that_no_text_has():
    tokenizer = bpe()
    more = BytePairTokenizer((*tokenizer.pieces, "<|endoftext|>"), tokenizer.merges, (len(tokenizer.pieces),))
    end = more.vocabulary_size - 1
    assert more.vocabulary.symbols[end] == "<|endoftext|>"
    assert end not in more.encode("<|endoftext|>")
    assert more.decode([*more.encode("a<|endoftext|>"), end]) == "a<|endoftext|>"
    assert more.fingerprint != tokenizer.fingerprint


def test_another_expression_for_words_is_the_librarys():
    pattern = r"\p{Lu}?\p{Ll}+|\s+|."
    tokenizer = BytePairTokenizer(bpe().pieces, bpe().merges, (), pattern)
    model = library(tokenizer)
    before = tokenizers.pre_tokenizers
    model.pre_tokenizer = before.Sequence(
        [
            before.Split(tokenizers.Regex(pattern), "isolated"),
            before.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    ids = tokenizer.encode(TEXT)
    assert ids.tolist() == [1 + id for id in model.encode(TEXT).ids] != (bpe().encode(TEXT)).tolist()
    assert tokenizer.decode(ids) == TEXT
    assert tokenizer_from_text(json.dumps(tokenizer.to_json())) == tokenizer


PIECES = list(byte_letters())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pieces": PIECES[1:]}, "byte 0x00 is not among the pieces of a bpe tokenizer"),
        ({"pieces": [*PIECES, "a"]}, "'a' at id 257 of a vocabulary occurs before"),
        ({"pieces": [*PIECES, "a b"]}, "'a b' is no piece of a bpe tokenizer"),
        ({"pieces": [*PIECES, ""]}, "'' is no piece of a bpe tokenizer"),
        ({"pieces": "abc"}, "the pieces of a bpe tokenizer in JSON must be a list of texts"),
        ({"merges": [["a", "b"]]}, "a bpe tokenizer merges 'a' and 'b': one of these, or both together, is not among"),
        ({"merges": ["a b"]}, "the merges of a bpe tokenizer in JSON must be a list of lists of two pieces"),
        ({"merges": [["a", 1]]}, "a merge of a bpe tokenizer in JSON must be a list of texts"),
        ({"merges": None}, "the merges of a bpe tokenizer in JSON must be"),
        ({"reserved": [256]}, "what a bpe tokenizer reserves must be places from 0 to 255, in rising order"),
        ({"reserved": [True]}, "what a bpe tokenizer reserves in JSON must be a list of integers"),
        ({"reserved": [0]}, "byte 0x00 is not among the pieces"),
        ({"pattern": "("}, "pattern of a bpe tokenizer is no regular expression"),
        ({"pattern": 1}, "pattern of a bpe tokenizer is 1: it must be a text, or null"),
        ({"padding": 1}, "padding of a bpe tokenizer is 1: it must be true or false"),
        ({"more": 1}, "a bpe tokenizer in JSON has a strange field 'more'"),
    ],
)
def test_json_that_is_none_is_refused_in_one_line(fields, message):
    tree = {"kind": "bpe", "normalize": [], "padding": True, "pieces": PIECES, "merges": [], "reserved": []}
    with pytest.raises(InputError) as caught:
        tokenizer_from_text(json.dumps({**tree, "pattern": None, **fields}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
