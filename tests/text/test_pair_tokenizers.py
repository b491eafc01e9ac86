"""Tokenizers of both sides of pairs: starts, ends, order, joint vocabularies, and the way through JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import ByteTokenizer, CharTokenizer, JamoTokenizer, PairTokenizers, WordTokenizer

SOURCES, TARGETS = ["나는 우유를 마신다", "안녕"], ["I drink milk .", "hi ."]
KINDS = {
    "words": (WordTokenizer.train, WordTokenizer.train),
    "joint": (WordTokenizer.train, None),
    "jamo and characters": (JamoTokenizer.train, CharTokenizer.train),
    "bytes": (ByteTokenizer.train, None),
}


def trained(kind, **options):
    return PairTokenizers.train(SOURCES, TARGETS, *KINDS[kind], **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_source_ends_with_its_end_and_a_target_has_a_start_too(kind, reverse):
    tokenizers = trained(kind, reverse_source=reverse)
    inner = tokenizers.source.inner
    for text in SOURCES:
        ids = tokenizers.encode_source(text).tolist()
        assert ids.pop() == tokenizers.source.end
        assert (ids[::-1] if reverse else ids) == inner.encode(text).tolist()
    for text in TARGETS:
        start, *ids, end = tokenizers.encode_target(text).tolist()
        assert (start, end) == (tokenizers.target.start, tokenizers.target.end)
        assert ids == tokenizers.target.inner.encode(text).tolist()
    together = zip(SOURCES, tokenizers.encode_sources(SOURCES), strict=True)
    assert all(np.array_equal(ids, tokenizers.encode_source(text)) for text, ids in together)
    assert all(
        np.array_equal(ids, tokenizers.encode_target(text))
        for text, ids in zip(TARGETS, tokenizers.encode_targets(TARGETS), strict=True)
    )
    assert tokenizers.encode_source("").tolist() == [tokenizers.source.end]


def test_the_last_word_of_a_reversed_source_comes_first():
    tokenizers = PairTokenizers.train(["I drink milk"], ["나"], WordTokenizer.train, None, reverse_source=True)
    ids = tokenizers.encode_source("I drink milk")
    assert tokenizers.source.decode(ids[:-1]) == "milk drink I"


@given(text=st.text("ab 가각\n", max_size=8), more=st.lists(st.integers(0, 5)))
def test_what_was_encoded_is_decoded_as_far_as_the_first_end(text, more):
    tokenizers = PairTokenizers.train(["a"], ["ab 가각\n"], CharTokenizer.train, CharTokenizer.train)
    ids = tokenizers.encode_target(text.replace("\n", ""))
    assert tokenizers.decode(ids) == tokenizers.decode(ids[1:]) == text.replace("\n", "")
    assert tokenizers.decode(np.append(ids, more).astype(np.int32)) == text.replace("\n", "")
    assert tokenizers.decode(ids[:-1]) == text.replace("\n", "")


def test_a_joint_tokenizer_has_one_vocabulary_of_both_sides():
    joint, separate = trained("joint"), trained("words")
    assert joint.joint
    assert not separate.joint
    assert joint.source.vocabulary_size == joint.target.vocabulary_size
    words = set(joint.source.vocabulary.symbols)
    assert words == set(separate.source.vocabulary.symbols) | set(separate.target.vocabulary.symbols)


@pytest.mark.parametrize("kind", KINDS)
def test_json_brings_back_equal_ones(kind):
    tokenizers = trained(kind, reverse_source=kind == "joint")
    again = PairTokenizers.from_json(json.loads(json.dumps(tokenizers.to_json())))
    assert again == tokenizers
    assert (again.joint, again.fingerprint) == (tokenizers.joint, tokenizers.fingerprint)
    turned = trained(kind, reverse_source=kind != "joint")
    assert turned.fingerprint != tokenizers.fingerprint


def test_what_is_no_json_of_theirs_is_refused_in_a_line():
    tree = trained("words").to_json()
    for wrong in (None, {}, {**tree, "more": 1}, {**tree, "reverse_source": 1}, {**tree, "target": {"kind": "word"}}):
        with pytest.raises(InputError) as caught:
            PairTokenizers.from_json(wrong)
        assert "\n" not in str(caught.value)


def test_a_symbol_without_id_is_told_by_its_side_and_number():
    tokenizers = trained("jamo and characters")
    with pytest.raises(UnknownSymbolError, match=r"^source 2: 'x'"):
        tokenizers.encode_sources(["안녕", "x"])
    with pytest.raises(UnknownSymbolError, match=r"^target 1: 'x'"):
        tokenizers.encode_targets(["x"])
