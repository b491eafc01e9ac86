"""What holds for every tokenizer, and the way from JSON back to one."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from small_tokenizers import sentencepiece_model

from jaxseq.errors import InputError
from jaxseq.text import (
    TOKENIZERS,
    BytePairTokenizer,
    ByteTokenizer,
    CharTokenizer,
    JamoTokenizer,
    MorphemeTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    UnigramTokenizer,
    WordOptions,
    WordPieceTokenizer,
    WordTokenizer,
    tokenizer_from_json,
)

TEXT = "To be, 값이 ㅋㅋ 😀\n"
EVERY = [
    CharTokenizer.train(TEXT),
    CharTokenizer.train(TEXT, normalize=("lowercase",), unknown=True),
    CharTokenizer.train(TEXT, specials=("<pad>",), min_count=2),
    JamoTokenizer.train(TEXT),
    JamoTokenizer.train(TEXT, normalize=("nfc",), mark="|"),
    ByteTokenizer(),
    ByteTokenizer.train(TEXT, normalize=("lowercase",), specials=("<pad>",)),
    WordTokenizer.train(TEXT),
    WordTokenizer.train(TEXT, normalize=("lowercase", "letters_only"), options=WordOptions(max_words=2)),
    WordTokenizer.train(TEXT, options=WordOptions(splitter="pieces", padding=False, unknown="error")),
    WordTokenizer.train(TEXT, options=WordOptions(splitter="treebank", unknown="buckets", buckets=5, max_words=3)),
    MorphemeTokenizer.train(TEXT),
    BytePairTokenizer.train(TEXT),
    BytePairTokenizer.train(TEXT * 3, normalize=("lowercase",), size=270, padding=False),
    WordPieceTokenizer.train(TEXT),
    UnigramTokenizer.train(TEXT),
    UnigramTokenizer.train(TEXT, prefix=True),
    SentencePieceTokenizer.read(sentencepiece_model()),
    SentencePieceTokenizer.read(sentencepiece_model(bytes_too=False), normalization=False),
]
every = pytest.mark.parametrize("tokenizer", EVERY, ids=lambda tokenizer: tokenizer.kind)


def test_every_kind_stands_under_its_name() -> None:
    assert {name: kind.kind for name, kind in TOKENIZERS.items()} == {
        name: name
        for name in (
            *("char", "jamo", "byte", "word", "bpe", "wordpiece", "unigram", "sentencepiece", "morpheme", "lines"),
        )
    }


@every
def test_json_brings_back_an_equal_tokenizer(tokenizer: Tokenizer) -> None:
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    assert type(again) is type(tokenizer)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


def test_tokenizers_that_differ_in_anything_differ_in_the_fingerprint() -> None:
    assert len({tokenizer.fingerprint for tokenizer in EVERY}) == len(EVERY)


@every
def test_encoding_is_pure(tokenizer: Tokenizer) -> None:
    before = json.dumps(tokenizer.to_json())
    first, second = tokenizer.encode(TEXT), tokenizer.encode(TEXT)
    assert first.tolist() == second.tolist()
    first += 1
    assert tokenizer.encode(TEXT).tolist() == second.tolist()
    assert json.dumps(tokenizer.to_json()) == before


@every
def test_nothing_is_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.encode("").dtype == np.int32
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode(np.zeros(0)) == ""


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
def test_ids_may_be_integers_of_any_type(tokenizer: Tokenizer, dtype: type) -> None:
    ids = tokenizer.encode("To be")
    ids = ids[ids <= np.iinfo(dtype).max]
    assert tokenizer.decode(ids.astype(dtype)) == tokenizer.decode(ids.tolist()) == tokenizer.decode(ids)


# tensorflow/docs#2261: is the table of v rows, or of v + 1?
@every
def test_every_id_has_a_name_and_a_row_of_a_table(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocabulary_size == len(tokenizer.vocabulary)
    assert tokenizer.encode(TEXT).max() < tokenizer.vocabulary_size


_NAMED = "<pad> <unk> </s> <PAD> <s>"


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharTokenizer.train(_NAMED, specials=("<pad>", "</s>"), unknown=True),
        JamoTokenizer.train(_NAMED, specials=("<pad>", "</s>"), unknown=True),
        ByteTokenizer(specials=("<pad>", "</s>")),
        *(WordTokenizer.train(_NAMED, options=WordOptions(splitter=splitter)) for splitter in ("whitespace", "pieces")),
    ],
    ids=lambda tokenizer: tokenizer.kind,
)
def test_the_name_of_a_special_in_a_text_is_text(tokenizer: Tokenizer) -> None:
    """tf#38043: a literal <PAD> is, or is not, padding."""
    ids = tokenizer.encode(_NAMED)
    assert ids.min() >= len(tokenizer.vocabulary.specials)
    assert tokenizer.decode(ids) == _NAMED


def test_what_is_lost_is_told() -> None:
    assert [tokenizer.loses for tokenizer in EVERY] == [
        (),
        ("case", "unknown symbols"),
        ("unknown symbols",),
        (),
        ("Unicode form",),
        (),
        ("case",),
        ("punctuation", "white space", "unknown words"),
        ("case", "line breaks of HTML", "punctuation", "digits", "marks", "white space", "unknown words"),
        (),
        ("quotation marks", "white space", "unknown words"),
        ("Unicode form", "white space", "morphemes joined", "unknown symbols"),
        (),
        ("case",),
        ("white space", "unknown words"),
        (),
        ("leading space",),
        ("Unicode form", "compatibility forms", "control characters", "white space", "line ends", "the sign ▁"),
        ("line ends", "the sign ▁", "unknown symbols"),
    ]


@every
def test_ids_without_a_symbol_are_refused_by_value_and_place(tokenizer: Tokenizer) -> None:
    size = len(tokenizer.vocabulary)
    for wrong in (-1, size):
        with pytest.raises(
            ValueError, match=f"id {wrong} at position 1 has no symbol: the ids go from 0 to {size - 1}"
        ):
            tokenizer.decode([0, wrong])
        with pytest.raises(ValueError, match=f"id {wrong} at position 1 "):
            tokenizer.stream().push([0, wrong])


@every
def test_a_batch_of_ids_and_real_numbers_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\): decode one sequence"):
        tokenizer.decode([[0, 1]])
    with pytest.raises(TypeError, match="type float64: give integers"):
        tokenizer.decode([0.0, 1.0])


KINDS = ", ".join(TOKENIZERS)
CHAR = {"kind": "char", "normalize": [], "vocabulary": {"specials": [], "symbols": ["a"]}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], f"a tokenizer in JSON must have a 'kind' among {KINDS}, not None"),
        ({**CHAR, "kind": "morse"}, f"must have a 'kind' among {KINDS}, not 'morse'"),
        ({**CHAR, "kind": ["char"]}, "must have a 'kind' among"),
        ({"kind": "char", "normalize": []}, "a char tokenizer in JSON lacks 'vocabulary'"),
        ({**CHAR, "mark": "|"}, "a char tokenizer in JSON has a strange field 'mark'"),
        ({**CHAR, "normalize": "nfc"}, "a tokenizer's normalisers in JSON must be a list of texts"),
        ({**CHAR, "normalize": ["upper"]}, "there is no normaliser 'upper'"),
        ({**CHAR, "vocabulary": {"specials": [], "symbols": ["ab"]}}, "'ab' cannot stand in the vocabulary of a char"),
        ({**CHAR, "kind": "jamo"}, "a jamo tokenizer in JSON lacks 'mark'"),
        ({**CHAR, "kind": "jamo", "mark": 5}, "syllable mark 5 must be one character"),
        ({"kind": "byte", "normalize": [], "vocabulary": {}}, "a byte tokenizer in JSON has a strange field"),
    ],
)
def test_json_that_is_no_tokenizer_is_refused_in_one_line(tree: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        tokenizer_from_json(tree)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_refuses_the_json_of_another() -> None:
    with pytest.raises(InputError, match="kind is 'byte': a char tokenizer is read from kind 'char'"):
        CharTokenizer.from_json({**CHAR, "kind": "byte"})


def test_importing_the_text_package_does_not_import_jax() -> None:
    code = "import sys, jaxseq.text; print(sorted({m.split('.')[0] for m in sys.modules} & {'jax', 'flax', 'torch'}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
