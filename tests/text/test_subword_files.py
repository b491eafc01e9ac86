"""tokenizer.json of subwords by any hand: a tokenizer or one line."""

import json
import random
from typing import Any

import pytest
from small_tokenizers import bpe, sentencepieces, unigram, wordpiece

from jaxseq.errors import InputError
from jaxseq.text import Tokenizer, tokenizer_from_text

TREES: list[dict[str, Any]] = [made().to_json() for made in (bpe, wordpiece, unigram, sentencepieces)]
trees = pytest.mark.parametrize("tree", TREES, ids=[tree["kind"] for tree in TREES])
VALUES: list[Any] = [None, True, 0, -1, 1e308, "", "a", [], ["a"], [["a", 1]], [None], {}, {"a": 1}, "\ud800", [[]]]


def use(text: str | bytes) -> Tokenizer | str:
    """The tokenizer, when it has encoded and decoded something, or why there is none."""
    try:
        found = tokenizer_from_text(text)
        ids = found.encode("First Citizen: 값 \n")
        assert found.decode(ids) == found.decode(ids.tolist())
        assert found.decode(range(found.vocabulary_size)) is not None
        assert len(found.vocabulary) == found.vocabulary_size
    except InputError as error:
        return str(error)
    return found


@trees
def test_any_value_in_place_of_any_other_is_a_tokenizer_or_one_line(tree):
    for field in tree:
        for value in VALUES:
            found = use(json.dumps({**tree, field: value}))
            assert not isinstance(found, str) or ("\n" not in found and len(found) < 400), (field, value)


@trees
def test_a_field_less_or_more_is_one_line(tree):
    for field in tree:
        found = use(json.dumps({name: value for name, value in tree.items() if name != field}))
        assert isinstance(found, str)
        assert field in found
    assert "has a strange field 'more'" in str(use(json.dumps({**tree, "more": 0})))


@trees
def test_any_change_of_a_byte_is_a_tokenizer_or_one_line(tree):
    rng = random.Random(0)
    whole = json.dumps(tree, ensure_ascii=False).encode()
    lines = 0
    for _ in range(250):
        at = rng.randrange(len(whole))
        new = rng.choice([b"", rng.randbytes(1), b'"', b"[", b"0", b"\\", b"\xff", b"}"])
        found = use(whole[:at] + new + whole[at + 1 :])
        lines += isinstance(found, str)
        assert not isinstance(found, str) or ("\n" not in found and len(found) < 400)
    assert lines > 50


@trees
@pytest.mark.parametrize("depth", [10, 900, 5000])
def test_nesting_of_any_depth_is_one_line(tree, depth):
    for field in tree:
        found = use(json.dumps({**tree, field: "HERE"}).replace('"HERE"', "[" * depth + "]" * depth))
        assert isinstance(found, str)
        assert len(found) < 400
