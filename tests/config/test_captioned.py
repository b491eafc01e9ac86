"""Sections of pictures, with captions and without: what cannot be, which splits there are, and what is stored."""

import pytest

from jaxseq.config import (
    CaptionedConfig,
    CaptionsConfig,
    DigitScenesConfig,
    DigitsConfig,
    ExperimentConfig,
    from_json,
    to_json,
)
from jaxseq.data.scene_captions import LANGUAGES
from jaxseq.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": (64, 0)}, "data.size is (64, 0): give height and width, or 0 0 for pictures as they are"),
        ({"channels": 2}, "data.channels is 2: give 3 for colour or 1 for grey"),
        ({"channels": 4}, "data.channels is 4: give a number from 1 to 3"),
        ({"languages": ("en", "en")}, "data.languages is ('en', 'en'): name each language once"),
        ({"languages": ("",)}, "data.languages is ('',): name each language once"),
        ({"test_source": "b.zip"}, "data.test_source is 'b.zip': data.split has a share for test too, make it 0"),
        ({"test_captions": "b.tsv"}, "data.test_captions is 'b.tsv': give the pictures by data.test_source"),
        ({"validation_captions": "b.tsv"}, "data.validation_captions is 'b.tsv': give the pictures by"),
        ({"combinations": "en", "split": (0.9, 0.1, 0)}, "data.combinations is 'en': give data.split shares for"),
        (
            {"combinations": "en", "languages": ("ko",)},
            "data.combinations is 'en': name one of data.languages, ('ko',)",
        ),
        ({"split": (0.5, 0.1, 0.1)}, "data.split is (0.5, 0.1, 0.1): give three shares that add up to 1"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(fields, message):
    with pytest.raises(ConfigError) as caught:
        CaptionsConfig(**fields)
    assert str(caught.value).startswith(message)


def test_captions_from_elsewhere_are_pictures_with_a_table_among_them():
    section = CaptionsConfig(
        source="a.zip",
        captions="a.tsv",
        split=(0.9, 0.1, 0),
        test_source="b.zip",
        test_captions="b.tsv",
        languages=("en", "ko"),
    )
    assert section.splits == ("train", "validation", "test")
    assert section.has_validation
    other = section.elsewhere("c.zip")
    assert (other.source, other.captions, other.test_source, other.test_captions) == ("c.zip", "", "", "")
    assert other.languages == ("en", "ko")
    assert not CaptionsConfig(split=(1, 0, 0)).has_validation


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"digits": 4}, "data.digits is 4: give a number from 1 to 3"),
        ({"size": (31, 48)}, "data.size[0] is 31: give a number from 32 to 4,096"),
        ({"channels": 3}, "data.channels is 3: give a number from 1 to 1"),
        ({"languages": ()}, "data.languages is (): name one at least"),
        ({"languages": ("german",)}, "data.languages[0] is 'german': choose english or korean"),
        ({"encoding": "cp949"}, "data.encoding is 'cp949': captions of scenes are read from no file, leave it out"),
    ],
)
def test_what_no_scene_can_be_is_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        DigitScenesConfig(**fields)
    assert str(caught.value).startswith(message)


def test_scenes_are_made_for_every_split_and_come_from_nowhere_else():
    assert DigitScenesConfig().has_validation
    assert DigitScenesConfig().languages == LANGUAGES
    with pytest.raises(ConfigError, match=r"scenes are made up, leave 'b\.tsv' out"):
        DigitScenesConfig().elsewhere("b.tsv")


def test_digits_may_all_be_trained_on():
    assert DigitsConfig().has_validation
    assert not DigitsConfig(validation=0).has_validation
    assert DigitsConfig().elsewhere("data/fashion").source == "data/fashion"
    with pytest.raises(ConfigError, match=r"data\.batch_size is 0: give a number"):
        DigitsConfig(batch_size=0)


@pytest.mark.parametrize(
    "section",
    [
        CaptionsConfig(source="a.zip", languages=("english", "korean"), combinations="english", size=(64, 48)),
        DigitScenesConfig(digits=3, languages=("korean",)),
        DigitsConfig(validation=0, examples=9),
    ],
)
def test_json_brings_back_an_equal_section(section):
    experiment = ExperimentConfig(data=section)
    assert from_json(to_json(experiment)) == experiment


def test_captions_are_read_in_words_unless_said_otherwise():
    for section in (CaptionedConfig, CaptionsConfig, DigitScenesConfig):
        assert (section().tokenizer, section().splitter) == ("word", "words_and_marks")
