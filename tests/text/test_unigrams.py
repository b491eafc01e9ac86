"""The unigram tokenizer: a search through all ways to cut is the oracle, and every text comes back."""

import json
import math
import random
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import TEXT, unigram

from jaxseq.errors import InputError
from jaxseq.text import UnigramTokenizer, tokenizer_from_text
from jaxseq.text.chunks import LINES


def likeliest(word: str, scores: dict[str, float]) -> float:
    """The highest sum of scores of pieces that make up `word`."""
    best = [0.0] + [-math.inf] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            best[end] = max(best[end], best[start] + scores.get(word[start:end], -math.inf))
    return best[-1]


def test_pieces_of_a_word_are_the_likeliest(shakespeare):
    tokenizer = UnigramTokenizer.train(shakespeare[:60_000], size=700, coverage=1.0)
    scores = dict(tokenizer.pieces[256:])
    words = sorted(set(LINES.chunk.findall(shakespeare[:60_000])))
    assert len(words) > 2000
    for word, ids in zip(words, tokenizer.encode_texts(words), strict=True):
        pieces = [tokenizer.pieces[id - 1] for id in ids.tolist()]
        assert "".join(piece for piece, _ in pieces) == word
        assert sum(score for _, score in pieces) == pytest.approx(likeliest(word, scores))


def library(tokenizer: UnigramTokenizer) -> Any:
    """What the library makes of the same pieces and of spaces that are marked; its ids begin at 0."""
    pieces = [(piece.replace(" ", "▁"), score) for piece, score in tokenizer.pieces]
    model = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, 0, True))
    before = tokenizers.pre_tokenizers
    scheme = "always" if tokenizer.prefix else "never"
    model.pre_tokenizer = before.Metaspace(prepend_scheme=scheme, split=True)
    return model


@pytest.mark.parametrize("prefix", [False, True])
@settings(deadline=None, max_examples=200)
@given(
    text=st.text(st.characters(exclude_characters="▁<", exclude_categories=["Cs"]), max_size=30)
    | st.text("  \n\tsepakSpeak영화é😀", max_size=40)
)
def test_ids_are_those_of_the_librarys_metaspace_with_its_bytes(prefix, text):
    tokenizer = unigram(prefix=prefix)
    assert tokenizer.encode(text).tolist() == [1 + id for id in library(tokenizer).encode(text).ids]


def test_a_space_before_a_text_is_declared_where_it_is_put_there():
    tokenizer = unigram(prefix=True)
    assert tokenizer.loses == ("leading space",)
    assert tokenizer.encode("speak").tolist() == tokenizer.encode(" speak").tolist()
    for text in ("speak", " speak"):
        assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalize(text) == "speak"
    assert tokenizer.decode(tokenizer.encode("  speak ")) == " speak "
    for text in ("x speak", " x speak"):
        _, offsets = tokenizer.encode_with_offsets(text)
        assert "".join(text[start:end] for start, end in offsets) == text
    assert unigram().encode("speak").tolist() != unigram().encode(" speak").tolist()


def test_what_pieces_do_not_know_is_in_bytes_that_have_the_whole_character_as_offsets():
    tokenizer = unigram()
    text = "speak ЖЖ▁x"
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert bytes(id - 1 for id in ids.tolist() if id <= 256) == "ЖЖ▁".encode()
    assert [text[start:end] for (start, end), id in zip(offsets, ids, strict=True) if id <= 256] == [*"ЖЖЖЖ▁▁▁"]
    assert tokenizer.vocabulary.symbols[1 + 0xD0] == "<0xD0>"
    assert tokenizer.decode([1 + 0xD0]) == "\ufffd"
    assert tokenizer.decode([1 + 0xD0, 1 + 0x96]) == "Ж"


def test_a_piece_that_is_spelled_like_a_byte_is_a_piece():
    tokenizer = UnigramTokenizer.train("x<0x41> " * 50 + "<0x0A>", size=300)
    for text in ("<0x41>", "x<0x0A> <0x41>\nA"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    piece = UnigramTokenizer((*tokenizer.pieces, ("<0x41>", -0.01)))
    ids = piece.encode("<0x41>")
    assert ids.tolist() == [piece.vocabulary_size - 1] == [piece.vocabulary.id_of("<0x41>")]
    assert piece.vocabulary.symbols[1 + 0x41] == "<<0x41>>"
    assert piece.decode(ids) == "<0x41>"


def test_signs_that_the_trainer_keeps_for_itself_do_not_cost_the_text_around_them():
    """SentencePiece passes over texts that have them, in silence."""
    for sign in ("\t", "\0", "▁", "▅", "<unk>", "</s>"):
        words = random.Random(0).choices(
            [f"{sign}wallaby{sign}", f"dromedary{sign}", "wallaby", "dromedary", "emus"], k=400
        )
        tokenizer = UnigramTokenizer.train(" ".join(words), size=320)
        assert {"wallaby", " dromedary"} <= {*tokenizer.vocabulary.symbols}
        text = f"wallaby{sign}{sign} {sign}"
        assert tokenizer.decode(tokenizer.encode(text)) == text
        if len(sign) == 1:
            assert tokenizer.encode(sign).tolist() == [1 + byte for byte in sign.encode()]


def test_a_line_of_200_000_characters_is_learned_from():
    """sentencepiece#214: lines of more than 4,192 bytes are passed over in training."""
    line = " ".join(random.Random(0).choices(["dromedary", "wallaby", "한국어"], k=28_000)) + " zyzzyva zyzzyvas" * 4
    assert len(line) > 200_000
    names = UnigramTokenizer.train(line, size=340, coverage=1.0).vocabulary.symbols
    assert {" dromedary", " wallaby", " 한국어", " zyzzyva"} <= {*names}
    unbroken = UnigramTokenizer.train("wallaby" * 30_000, size=300)
    assert any("wallab" in name for name in unbroken.vocabulary.symbols)


def test_real_texts_come_back(shakespeare, reviews):
    text = shakespeare[:30_000] + reviews[:30_000]
    tokenizer = UnigramTokenizer.train(text.splitlines(keepends=True), size=3000)
    assert tokenizer.vocabulary_size == 3000
    other = shakespeare[200_000:300_000] + reviews[200_000:300_000]
    ids = tokenizer.encode(other)
    assert tokenizer.decode(ids) == other
    assert len(ids) < 0.5 * len(other.encode())
    assert ids.tolist() == [1 + id for id in library(tokenizer).encode(other).ids]


def test_characters_that_coverage_leaves_out_are_bytes():
    text = "low lower slow " * 200 + "q"
    all_of_them = UnigramTokenizer.train(text, size=300, coverage=1.0)
    most = UnigramTokenizer.train(text, size=300, coverage=0.99)
    assert "q" in all_of_them.vocabulary.symbols
    assert "q" not in most.vocabulary.symbols
    assert most.encode("q").tolist() == [1 + ord("q")]
    assert most.decode(most.encode(text)) == text
    for wrong in (0, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"^coverage is .*: it must be above 0, and 1 at most$"):
            UnigramTokenizer.train(text, coverage=wrong)


def test_sizes_and_texts_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"^size is 259, and padding, bytes and characters have up to 263 ids: give"):
        UnigramTokenizer.train("low er ", size=259)
    assert UnigramTokenizer.train("low er low er").vocabulary_size < 290
    for text in ("", "\t", []):
        with pytest.raises(InputError, match=r"^there is no text to train a tokenizer on"):
            UnigramTokenizer.train(text)


def test_without_bytes_there_is_an_unknown_id_that_is_declared():
    tokenizer = UnigramTokenizer((("<unk>", 0.0), ("a", -1.0), (" a", -1.0), ("\n", -3.0)), None, 0)
    assert tokenizer.loses == ("unknown symbols",)
    assert tokenizer.vocabulary.specials == ("<pad>", "<unk>")
    assert tokenizer.encode("a<unk> a\n").tolist() == [2, 1, 3, 4]
    assert tokenizer.decode([2, 1, 3, 4]) == "a\ufffd a\n"
    ids, offsets = tokenizer.encode_with_offsets("aЖЖ a")
    assert (ids.tolist(), offsets.tolist()) == ([2, 1, 3], [[0, 1], [1, 3], [3, 5]])


BYTES = [[f"<0x{byte:02X}>", 0] for byte in range(256)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pieces": [["a", -1]], "first_byte": None, "unknown": 0}, "holds no symbol of a text"),
        ({"pieces": [*BYTES, ["a", -1], ["a", -2]]}, "'a' at id 258 of a vocabulary occurs before"),
        ({"pieces": [*BYTES, ["a", 10**400]]}, "must be a list of lists, each of a text and a number"),
        ({"pieces": [*BYTES, ["a", "-1"]]}, "must be a list of lists, each of a text and a number"),
        ({"pieces": [*BYTES, ["a"]]}, "must be a list of lists, each of a text and a number"),
        ({"pieces": None}, "must be a list of lists, each of a text and a number, not None"),
        ({"pieces": BYTES[1:]}, "first_byte of a unigram tokenizer is 0: it must be a place among its 255 pieces"),
        ({"first_byte": None}, "has neither first_byte nor unknown"),
        ({"first_byte": 2}, "first_byte of a unigram tokenizer is 2"),
        ({"unknown": -1}, "unknown of a unigram tokenizer is -1"),
        ({"unknown": "a"}, "unknown of a unigram tokenizer is 'a'"),
        ({"prefix": None}, "prefix of a unigram tokenizer is None"),
        ({"reserved": [1, 0]}, "what a unigram tokenizer reserves must be places from 0 to 256, in rising order"),
    ],
)
def test_json_that_is_none_is_refused_in_one_line(fields, message):
    tree = {"kind": "unigram", "normalize": [], "padding": True, "pieces": [*BYTES, ["a", -1]], "first_byte": 0}
    with pytest.raises(InputError) as caught:
        tokenizer_from_text(json.dumps({**tree, "unknown": None, "reserved": [], "prefix": False, **fields}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_text_it_was_trained_on_takes_fewer_ids_than_bytes():
    assert len(unigram().encode(TEXT)) < 0.7 * len(TEXT.encode())
