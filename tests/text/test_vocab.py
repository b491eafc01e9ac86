"""Vocabularies: ranks, fixed ids, JSON and fingerprints."""

import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.vocab import Vocabulary

modest = settings(deadline=None, max_examples=100)
WORDS = st.lists(st.text("abㅏ\ud800😀", min_size=1, max_size=2), max_size=30)


def test_symbols_rank_by_frequency_and_ties_by_code_point() -> None:
    vocabulary = Vocabulary.build("ccbbaaa😀가")
    assert vocabulary.symbols == ("a", "b", "c", "가", "😀")


@modest
@given(WORDS, st.randoms())
def test_the_order_of_the_corpus_makes_no_difference(words: list[str], rng: random.Random) -> None:
    shuffled = rng.sample(words, len(words))
    assert Vocabulary.build(words) == Vocabulary.build(shuffled) == Vocabulary.build(Counter(shuffled))


def test_ties_may_be_left_in_the_order_of_the_corpus() -> None:
    assert Vocabulary.build("ccbbaaa😀가", ties="first").symbols == ("a", "c", "b", "😀", "가")
    assert Vocabulary.build({"b": 1, "a": 1, "c": 2}, ties="first", max_size=2).symbols == ("c", "b")


def test_specials_take_the_first_ids_and_keep_them() -> None:
    vocabulary = Vocabulary.build(["the", "<unk>", "<unk>", "the", "cat"], specials=("<pad>", "<unk>"))
    assert vocabulary.symbols == ("<pad>", "<unk>", "the", "cat")
    assert [vocabulary.id_of(symbol) for symbol in vocabulary.symbols] == [0, 1, 2, 3]
    assert len(vocabulary) == 4


def test_rare_symbols_and_those_beyond_the_size_are_left_out() -> None:
    counts = {"a": 5, "b": 3, "c": 2, "d": 1}
    assert Vocabulary.build(counts, min_count=2).symbols == ("a", "b", "c")
    assert Vocabulary.build(counts, specials=("<unk>",), max_size=3).symbols == ("<unk>", "a", "b")
    with pytest.raises(ValueError, match="max_size 0 leaves no room for 1 specials"):
        Vocabulary.build(counts, specials=("<unk>",), max_size=0)


def test_an_unknown_symbol_is_named() -> None:
    with pytest.raises(UnknownSymbolError, match="symbol 'z' is not among the vocabulary's 2 symbols"):
        Vocabulary.build("ab").id_of("z")


@modest
@given(WORDS)
def test_json_brings_back_an_equal_vocabulary(words: list[str]) -> None:
    vocabulary = Vocabulary.build(words, specials=("<pad>",))
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.fingerprint == vocabulary.fingerprint


@modest
@given(WORDS, WORDS)
def test_fingerprints_are_equal_only_for_equal_vocabularies(first: list[str], second: list[str]) -> None:
    one, two = Vocabulary.build(first), Vocabulary.build(second)
    assert (one.fingerprint == two.fingerprint) == (one == two)


def test_the_fingerprint_never_changes_from_one_version_to_the_next() -> None:
    # sha256 of {"specials":["<unk>"],"symbols":["b","a"]}, what a checkpoint written long ago remembers
    assert Vocabulary(("b", "a"), ("<unk>",)).fingerprint == "9ba5ea207fb8dc5d"


def test_a_special_and_a_ranked_symbol_differ_in_the_fingerprint() -> None:
    assert Vocabulary(("b",), ("a",)).fingerprint != Vocabulary(("a", "b")).fingerprint


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "a vocabulary in JSON must be an object with specials, symbols, not list"),
        ({"symbols": []}, "a vocabulary in JSON lacks 'specials'"),
        ({"symbols": [], "specials": [], "extra": 1}, "has a strange field 'extra'"),
        ({"symbols": "abc", "specials": []}, "a vocabulary's symbols in JSON must be a list of texts, not 'abc'"),
        ({"symbols": ["a", 1], "specials": []}, "must be a list of texts"),
        ({"symbols": ["a", "b", "a"], "specials": []}, "symbol 'a' at id 2 of a vocabulary occurs before"),
        ({"symbols": ["a"], "specials": ["a"]}, "symbol 'a' at id 1 of a vocabulary occurs before"),
        ({"symbols": ["a", ""], "specials": []}, "symbol '' at id 1 of a vocabulary must be"),
    ],
)
def test_json_that_is_no_vocabulary_is_refused(tree: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Vocabulary.from_json(tree)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
