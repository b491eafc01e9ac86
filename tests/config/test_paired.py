"""Sections of pairs: how each side is read, and what cannot be."""

from dataclasses import replace

import pytest

from jaxseq.config import ExperimentConfig, MadeUpConfig, PairsConfig, TextConfig, from_json, to_json
from jaxseq.errors import ConfigError

TEXT = {"source": "a.tsv", "encoding": "cp949", "normalize": ("lowercase",), "tokenizer": "word", "min_count": 3}
TEXT |= {"max_words": 90, "splitter": "words"}
FILE = {"tokenizer": "sentencepiece", "tokenizer_file": "a.model", "file_normalization": False, "pieces": 70}


@pytest.mark.parametrize("fields", [TEXT, FILE, {}])
def test_without_a_tokenizer_of_its_own_the_source_is_read_as_the_target(fields):
    section = PairsConfig(**fields)
    assert section.target_text == TextConfig(**{"tokenizer": "word", "splitter": "words_and_marks", **fields})
    assert section.source_text == section.target_text


def test_a_source_with_a_tokenizer_of_its_own_has_its_fields_too():
    own = {"tokenizer": "jamo", "normalize": ("nfc",), "min_count": 2, "pieces": 50}
    section = PairsConfig(**TEXT, **{f"source_{name}": value for name, value in own.items()})
    assert section.target_text == TextConfig(**TEXT)
    assert section.source_text == TextConfig(source="a.tsv", encoding="cp949", splitter="words", **own)
    read = replace(section, source_tokenizer="sentencepiece", source_min_count=1, source_tokenizer_file="b.model")
    assert read.source_text.tokenizer_file == "b.model"
    assert not PairsConfig(**FILE, source_tokenizer="word").target_text.file_normalization


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"source_pieces": 5},
            "data.source_pieces is 5: the source is read as data.pieces says, give it a tokenizer by",
        ),
        (
            {"source_normalize": ("nfc",)},
            "data.source_normalize is ('nfc',): the source is read as data.normalize says",
        ),
        ({"source_tokenizer": "byte", "source_min_count": 4}, "data.source_min_count is 4: the byte tokenizer knows"),
        (
            {"source_tokenizer": "sentencepiece"},
            "data.source_tokenizer is 'sentencepiece': it is read from a file, give",
        ),
        ({"source_tokenizer": "char", "joint": True}, "data.joint is True: it is one tokenizer for both sides, and"),
        ({"source_column": "2"}, "data.target_column is '2': the source stands there, give another column"),
        ({"test_target": "b.en"}, "data.test_target is 'b.en': give the sentences it translates by data.test_source"),
        ({"test_source": "b.de"}, "data.test_source is 'b.de': data.split has a share for test too, make it 0"),
        ({"target": "a.en", "validation_source": "b.tsv", "split": (0.9, 0, 0.1)}, "data.validation_target is '': "),
        ({"validation_target": "a.en"}, "data.validation_target is 'a.en': give the sentences"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(fields, message):
    with pytest.raises(ConfigError) as caught:
        PairsConfig(**fields)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"least": 5, "most": 4}, "data.least is 5: data.most is 4, give as many or fewer"),
        ({"source": "a.tsv"}, "data.source is 'a.tsv': made-up pairs are read from no file, leave it out"),
        ({"encoding": "cp949"}, "data.encoding is 'cp949': made-up pairs are read from no file, leave it out"),
        ({"exercise": "multiply"}, "data.exercise is 'multiply': choose reverse, sort or add"),
    ],
)
def test_made_up_pairs_have_no_source(fields, message):
    with pytest.raises(ConfigError) as caught:
        MadeUpConfig(**fields)
    assert str(caught.value).startswith(message)
    with pytest.raises(ConfigError, match=r"leave 'b\.tsv' out"):
        MadeUpConfig().elsewhere("b.tsv")
    assert MadeUpConfig().has_validation


def test_pairs_from_elsewhere_are_a_table():
    section = PairsConfig(
        source="a.de",
        target="a.en",
        split=(1.0, 0.0, 0.0),
        source_tokenizer="jamo",
        validation_source="b.de",
        validation_target="b.en",
        test_source="c.de",
        test_target="c.en",
    )
    assert section.splits == ("train", "validation", "test")
    other = section.elsewhere("d.tsv")
    assert (other.source, other.target, other.splits) == ("d.tsv", "", ("train",))
    assert other.source_text.tokenizer == "jamo"


@pytest.mark.parametrize(
    "section", [PairsConfig(source="a.tsv", source_tokenizer="jamo"), MadeUpConfig(exercise="add")]
)
def test_json_brings_back_an_equal_section(section):
    experiment = ExperimentConfig(data=section)
    assert from_json(to_json(experiment)) == experiment
