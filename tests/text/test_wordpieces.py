"""WordPiece: the library applied directly is the oracle; what is lost is declared, and offsets are kept."""

import json
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import TEXT, wordpiece

from jaxseq.errors import InputError
from jaxseq.text import BertNormalization, WordPieceTokenizer, tokenizer_from_text


def library(tokenizer: WordPieceTokenizer) -> Any:
    """What the library makes of the same pieces; its ids begin at 0."""
    vocab = {piece: at for at, piece in enumerate(tokenizer.pieces)}
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab, unk_token="[UNK]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    if tokenizer.bert is not None:
        model.normalizer = tokenizers.normalizers.BertNormalizer(
            clean_text=tokenizer.bert.clean_text,
            handle_chinese_chars=tokenizer.bert.handle_chinese_chars,
            strip_accents=tokenizer.bert.strip_accents,
            lowercase=tokenizer.bert.lowercase,
        )
    return model


TEXTS = st.text(max_size=30) | st.text(
    st.sampled_from([*TEXT, "#", "[", "漢", "\u0301", "\x00", "\u3000"]), max_size=40
)


@pytest.mark.parametrize("bert", [None, BertNormalization(), BertNormalization(False, False, True, False)])
@settings(deadline=None, max_examples=150)
@given(text=TEXTS)
def test_ids_and_offsets_are_those_that_the_library_gives_the_whole_text(bert, text):
    tokenizer = WordPieceTokenizer(wordpiece().pieces, bert=bert)
    expected = library(tokenizer).encode(text)
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert ids.tolist() == [1 + id for id in expected.ids] == tokenizer.encode(text).tolist()
    assert list(map(tuple, offsets.tolist())) == expected.offsets


def test_white_space_is_lost_offsets_are_not():
    """tokenizers#216: `foo (bar)` comes back as `foo ( bar )`."""
    tokenizer = WordPieceTokenizer.train("foo ( bar ) " * 9, size=60)
    text = " foo (bar)\n\n"
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert tokenizer.decode(ids) == tokenizer.normalize(text) == "foo ( bar )"
    assert tokenizer.loses == ("white space", "unknown words")
    assert [text[start:end] for start, end in offsets] == ["foo", "(", "bar", ")"]


def test_a_word_that_cannot_be_made_of_pieces_is_one_unknown_and_keeps_its_place():
    tokenizer = wordpiece()
    unknown = tokenizer.vocabulary.id_of("[UNK]")
    assert unknown == 1
    text = "Speak, ЖЖЖ " + "a" * 100 + " " + "a" * 101
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert [text[start:end] for start, end in offsets[ids == unknown]] == ["ЖЖЖ", "a" * 101]
    assert tokenizer.decode(ids) == "Speak , � " + "a" * 100 + " �"


def test_pieces_within_words_are_marked_and_the_mark_in_a_text_is_text():
    tokenizer = WordPieceTokenizer.train("# ## walker walking ##x #hash " * 20, size=120)
    text = "walker ##x ## # walking"
    assert tokenizer.decode(tokenizer.encode(text)) == "walker # # x # # # walking" == tokenizer.normalize(text)


def test_any_ids_have_a_text():
    tokenizer = wordpiece()
    inside = next(id for id, name in enumerate(tokenizer.vocabulary.symbols) if name.startswith("##"))
    name = tokenizer.vocabulary.symbols[inside]
    word = tokenizer.vocabulary.id_of("S")
    assert tokenizer.decode([inside, inside, word, 0, inside, 1]) == f"{name[2:] * 2} S{name[2:]} �"


def test_normalisation_of_bert_is_declared():
    text = "Café  漢字\x00 ÉTÉ"
    lower = WordPieceTokenizer(("[UNK]", "cafe", "漢", "字", "ete"), bert=BertNormalization())
    assert lower.loses == ("white space", "case", "marks", "control characters", "unknown words")
    assert lower.decode(lower.encode(text)) == lower.normalize(text) == "cafe 漢 字 ete"
    _, offsets = lower.encode_with_offsets(text)
    assert [text[start:end] for start, end in offsets] == ["Café", "漢", "字", "ÉTÉ"]
    cased = BertNormalization(lowercase=False)
    assert WordPieceTokenizer(("[UNK]", "a"), bert=cased).loses == (
        "white space",
        "control characters",
        "unknown words",
    )
    with pytest.raises(InputError, match=r"^lowercase of BERT's normalisation is None: it must be true or false$"):
        BertNormalization(lowercase=None)  # pyright: ignore[reportArgumentType]


def test_a_line_of_200_000_characters_is_learned_from():
    line = "dromedary wallaby, " * 10_500 + "zyzzyva zyzzyva"
    assert len(line) > 199_000
    tokenizer = WordPieceTokenizer.train(line, size=200)
    assert {"dromedary", "wallaby", "zyzzyva"} <= {*tokenizer.vocabulary.symbols}


def test_real_texts_lose_white_space_alone(shakespeare, reviews):
    text = shakespeare[:150_000] + reviews[:40_000]
    tokenizer = WordPieceTokenizer.train(text.splitlines(), size=4000)
    assert tokenizer.vocabulary_size == 4000
    ids = tokenizer.encode(text)
    assert ids.tolist() == [1 + id for id in library(tokenizer).encode(text).ids]
    decoded = tokenizer.decode(ids)
    assert decoded == tokenizer.normalize(text)
    assert "".join(decoded.split()) == "".join(text.split())


def test_sizes_and_texts_that_cannot_be_are_refused():
    with pytest.raises(
        InputError, match=r"^size is 5, and the characters, the unknown word and padding have 7 ids: give"
    ):
        WordPieceTokenizer.train("low", size=5)
    assert WordPieceTokenizer.train("low", size=7).vocabulary_size == 7
    for text in ("", " \n\t", []):
        with pytest.raises(InputError, match=r"^there is no word to train a tokenizer on"):
            WordPieceTokenizer.train(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pieces": ["[UNK]", "a", "a"]}, "'a' at id 3 of a vocabulary occurs before"),
        ({"pieces": ["[UNK]", ""]}, "must be a text of 1 character or more"),
        ({"pieces": ["[UNK]"]}, "holds no symbol of a text"),
        ({"unknown": 2}, "the unknown word of a wordpiece tokenizer is 2: it must be a place from 0 to 1"),
        ({"unknown": None}, "the unknown word of a wordpiece tokenizer is None"),
        ({"unknown": True}, "the unknown word of a wordpiece tokenizer is True"),
        ({"reserved": [5]}, "what a wordpiece tokenizer reserves must be places from 0 to 1"),
        ({"bert": {}}, "BERT's normalisation in JSON lacks 'clean_text'"),
        ({"bert": 1}, "BERT's normalisation in JSON must be an object"),
    ],
)
def test_json_that_is_none_is_refused_in_one_line(fields, message):
    tree = {"kind": "wordpiece", "normalize": [], "padding": True, "pieces": ["[UNK]", "a"], "unknown": 0}
    with pytest.raises(InputError) as caught:
        tokenizer_from_text(json.dumps({**tree, "reserved": [], "bert": None, **fields}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_keeps_berts_normalisation():
    tokenizer = WordPieceTokenizer(("[UNK]", "a"), bert=BertNormalization(strip_accents=False))
    assert tokenizer_from_text(json.dumps(tokenizer.to_json())) == tokenizer
