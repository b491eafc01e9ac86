"""tokenizer.json by any hand: a tokenizer or one line."""

import json
import random
from typing import Any

import pytest

from jaxseq.errors import InputError
from jaxseq.text import (
    ByteTokenizer,
    CharTokenizer,
    JamoTokenizer,
    Tokenizer,
    WordOptions,
    WordTokenizer,
    tokenizer_from_text,
)

CHAR: dict[str, Any] = CharTokenizer.train("to be, 값", normalize=("nfc",), unknown=True).to_json()
JAMO: dict[str, Any] = JamoTokenizer.train("to be, 값").to_json()
WORD: dict[str, Any] = WordTokenizer.train("to be, 값", options=WordOptions(unknown="buckets", buckets=3)).to_json()


def with_options(**fields: Any) -> str:
    return changed(WORD, options={**WORD["options"], **fields})


def result(text: str | bytes) -> Tokenizer | InputError:
    try:
        return tokenizer_from_text(text)
    except InputError as error:
        return error


def line(text: str | bytes) -> str:
    error = result(text)
    assert isinstance(error, InputError), text[:80]
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    return str(error)


def changed(tree: dict[str, Any], **fields: Any) -> str:
    return json.dumps({**tree, **fields})


def with_vocabulary(symbols: Any, specials: Any = ()) -> str:
    return changed(CHAR, vocabulary={"symbols": symbols, "specials": specials if specials else []})


@pytest.mark.parametrize(
    "tree", [CHAR, JAMO, WORD, ByteTokenizer().to_json(), ByteTokenizer(specials=("<pad>",)).to_json()]
)
def test_what_was_written_is_read(tree: dict[str, Any]) -> None:
    for text in (json.dumps(tree), json.dumps(tree, ensure_ascii=False), json.dumps(tree, ensure_ascii=False).encode()):
        assert tokenizer_from_text(text).to_json() == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no JSON"),
        ("{", "this is no JSON"),
        ("\ufeff{}", "this is no JSON"),
        (b"\xff\xfe{}", "is UTF-8, this is not at offset 0"),
        (json.dumps(CHAR).encode("utf-16"), "is UTF-8, this is not"),
        ("[" * 100_000, "nested so deeply"),
        ('{"a":' * 100_000, "nested so deeply"),
        ("NaN", "NaN is no JSON"),
        ('{"kind": -Infinity}', "-Infinity is no JSON"),
        ('{"kind": ' + "9" * 5000 + "}", "this is no JSON"),
        ('{"kind": "char", "kind": "char"}', "has a field twice"),
        ("null", "must have a 'kind' among"),
        (
            changed(CHAR, kind=True),
            "must have a 'kind' among char, jamo, byte, word, bpe, wordpiece, unigram, sentencepiece, not True",
        ),
        (changed(CHAR, kind=[[[["char"]]]]), "must have a 'kind' among"),
        (changed(CHAR, normalize=True), "must be a list of texts, not True"),
        (changed(CHAR, normalize=[True]), "must be a list of texts"),
        (changed(CHAR, normalize=["NFC"]), "there is no normaliser 'NFC'"),
        (changed(CHAR, normalize=["x" * 100_000]), "there is no normaliser 'xxx"),
        (changed(CHAR, normalize=["nfc"] * 100_000), "there are 100000 normalisers"),
        (changed(CHAR, **{f"x{i}": 0 for i in range(1000)}), "has a strange field"),
        (with_vocabulary([]), "holds no symbol of a text"),
        (with_vocabulary([], ["<unk>"]), "holds no symbol of a text"),
        (with_vocabulary(["a", "a"]), "'a' at id 1 of a vocabulary occurs before"),
        (with_vocabulary(["a", True]), "must be a list of texts"),
        (with_vocabulary({"a": 1}), "must be a list of texts"),
        (with_vocabulary([""]), "must be a text of 1 character or more"),
        (with_vocabulary(["ab"]), "'ab' cannot stand in the vocabulary"),
        (with_vocabulary(["x" * 100_000]), "cannot stand in the vocabulary"),
        (with_vocabulary(["a"], ["b"]), "'b' cannot stand in the vocabulary"),
        (with_vocabulary(["a"], ["<s>", "<s>"]), "'<s>' at id 1 of a vocabulary occurs before"),
        (with_vocabulary(["a"], [""]), "must be a text of 1 character or more"),
        (with_vocabulary(["a", "\ud800"]), "'\\ud800' in a tokenizer is half of a surrogate pair"),
        (changed(JAMO, mark="\ud800"), "is half of a surrogate pair"),
        (changed(JAMO, mark=""), "syllable mark '' must be one character"),
        (changed(JAMO, mark=True), "syllable mark True must be one character"),
        (changed(JAMO, mark="가"), "syllable mark '가' must be one character"),
        (changed(JAMO, mark=[[[]]] * 100_000), "syllable mark [[[]]"),
        (changed(WORD, words=[], options=WordOptions().to_json()), "holds no symbol of a text"),
        (changed(WORD, words=["a", "a"]), "'a' at id 1 of a vocabulary occurs before"),
        (changed(WORD, words=[""]), "must be a text of 1 character or more"),
        (changed(WORD, words="to"), "the words of a word tokenizer in JSON must be a list of texts, not 'to'"),
        (changed(WORD, words=["\ud800"]), "is half of a surrogate pair"),
        (changed(WORD, options=None), "the options of a word tokenizer in JSON must be an object with splitter,"),
        (changed(WORD, options={}), "the options of a word tokenizer in JSON lacks 'splitter'"),
        (with_options(more=1), "has a strange field 'more'"),
        (with_options(splitter="nltk"), "splitter of a word tokenizer is 'nltk': choose among filters, whitespace,"),
        (with_options(splitter=None), "splitter of a word tokenizer is None: it must be of the type str"),
        (with_options(max_words=-1), "max_words of a word tokenizer is -1: it must be 0 or more, or None for all"),
        (with_options(max_words=True), "max_words of a word tokenizer is True: it must be of the type int"),
        (with_options(min_count=0), "min_count of a word tokenizer is 0: it must be 1 or more"),
        (with_options(padding=1), "padding of a word tokenizer is 1: it must be of the type bool"),
        (with_options(unknown="no"), "unknown of a word tokenizer is 'no': choose among unk, buckets, drop, error"),
        (with_options(buckets=0), "buckets of a word tokenizer is 0: it must be 1 or more with unknown 'buckets'"),
        (with_options(buckets=10**12), "buckets of a word tokenizer is 1000000000000"),
        (with_options(unknown="unk"), "buckets of a word tokenizer is 3: it must be 1 or more with unknown 'buckets'"),
        (with_options(unknown="error", buckets=0, min_count=2), "unknown of a word tokenizer is 'error': words are"),
        (with_options(split=""), "split of a word tokenizer is '': it must have 1 character or more"),
        (with_options(unknown_text=0), "unknown_text of a word tokenizer is 0: it must be of the type str"),
        (changed(JAMO, vocabulary=None), "must be an object with specials, symbols, not NoneType"),
    ],
)
def test_what_is_no_tokenizer_is_refused_in_one_short_line(text: str | bytes, message: str) -> None:
    assert message in line(text)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [10, 300, 900, 5000])
@pytest.mark.parametrize("field", ["kind", "normalize", "vocabulary", "mark"])
def test_nesting_of_any_depth_is_one_line(field: str, depth: int) -> None:
    line(json.dumps({**JAMO, field: "HERE"}).replace('"HERE"', nested(depth)))


def test_any_change_of_a_byte_is_a_tokenizer_or_one_line() -> None:
    rng = random.Random(0)
    for tree in (CHAR, JAMO, WORD):
        whole = json.dumps(tree, ensure_ascii=False).encode()
        for at in range(len(whole)):
            for new in (b"", rng.randbytes(1), rng.choice([b'"', b"[", b"0", b"\\", b"\xff", b"}"])):
                found = result(whole[:at] + new + whole[at + 1 :])
                if isinstance(found, InputError):
                    assert "\n" not in str(found)
                else:
                    assert found.decode(found.encode("")) == ""
                    assert len(found.vocabulary) == found.vocabulary_size


def test_any_value_in_place_of_any_other_is_a_tokenizer_or_one_line() -> None:
    values: list[Any] = [None, True, 0, -1, 1e308, "", "a", "ab", [], ["a"], [None], {}, {"a": 1}, "\ud800", "\n", [[]]]
    for tree, inner in ((CHAR, "vocabulary"), (JAMO, "vocabulary"), (WORD, "options")):
        for value in values:
            for field in tree:
                line_or_tokenizer = result(json.dumps({**tree, field: value}))
                assert "\n" not in str(line_or_tokenizer) or not isinstance(line_or_tokenizer, InputError)
            for field in tree[inner]:
                result(json.dumps({**tree, inner: {**tree[inner], field: value}}))
