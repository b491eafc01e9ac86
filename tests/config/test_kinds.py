"""Sections that there are several kinds of: registered once, found by name, refused with the names there are."""

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest

from jaxseq.config import (
    SECTIONS,
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    LabelledConfig,
    ModelConfig,
    RNNConfig,
    TransformerConfig,
    from_json,
    kinds,
    kinds_of,
    load_config,
    register,
    to_dict,
    to_json,
    with_kind,
)
from jaxseq.config.fields import FIXED, Bounds, check_fields
from jaxseq.errors import ConfigError


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is forgotten with it."""
    monkeypatch.setattr(kinds, "_KINDS", {section: dict(known) for section, known in kinds._KINDS.items()})


def markov():
    @register("model")
    @dataclass(frozen=True)
    class MarkovConfig(ModelConfig):
        kind: ClassVar[str] = "markov"

        order: Annotated[int, Bounds(1, 9), FIXED] = 2
        """Tokens that the next one hangs on."""
        features: Annotated[int, Bounds(1, 100), FIXED] = 7
        """As other models have it."""

        def __post_init__(self) -> None:
            check_fields(self, "model")

    return MarkovConfig


def test_what_was_not_chosen_takes_the_default_of_the_new_kind():
    config = ExperimentConfig(data=CorpusConfig(batch_size=7))
    chosen = with_kind(config, "data", "labelled").data
    assert chosen == LabelledConfig(batch_size=7)
    assert (config.data.tokenizer, chosen.tokenizer) == ("char", "word")


def test_a_registered_kind_is_written_read_and_chosen_like_any_other():
    before = list(kinds_of("model"))
    kind = markov()
    assert list(kinds_of("model")) == sorted([*before, "markov"])
    config = ExperimentConfig(model=kind(order=3))
    assert to_dict(config)["model"] == {"kind": "markov", "order": 3, "features": 7}
    assert from_json(to_json(config)) == config
    chosen = with_kind(ExperimentConfig(model=RNNConfig(features=9)), "model", "markov")
    assert chosen.model == kind(order=2, features=9)
    with pytest.raises(ConfigError, match=r"model\.order is 10: give a whole number|model\.order is 10: give a number"):
        from_json(to_json(config).replace('"order": 3', '"order": 10'))


def test_the_kinds_given_away_are_a_copy():
    kinds_of("model").clear()
    assert kinds_of("model")


def test_the_same_class_defined_again_takes_its_own_place():
    first, second = markov(), markov()
    assert first is not second
    assert kinds_of("model")["markov"] is second


def test_two_classes_cannot_have_one_kind():
    with pytest.raises(ValueError, match=r"model\.kind 'rnn' is RNNConfig: give Other another one"):

        @register("model")
        @dataclass(frozen=True)
        class Other(ModelConfig):
            kind: ClassVar[str] = "rnn"

    assert kinds_of("model")["rnn"] is RNNConfig


def test_the_same_name_may_be_a_kind_of_another_section():
    @register("task")
    @dataclass(frozen=True)
    class Other(type(ExperimentConfig().task)):
        kind: ClassVar[str] = "rnn"

    assert (kinds_of("task")["rnn"], kinds_of("model")["rnn"]) == (Other, RNNConfig)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("name", ["another", "", "RNN", None, [], 3, True, {"a": 1}])
def test_a_kind_that_there_is_none_of_is_refused_with_those_there_are(section, name):
    tree = to_dict(ExperimentConfig())
    tree[section] = {"kind": name}
    *others, last = kinds_of(section)
    choices = f"{', '.join(others)} or {last}" if others else last
    with pytest.raises(ConfigError, match=rf"^{section}\.kind is {re.escape(repr(name))}: choose {choices}$"):
        from_json(json.dumps(tree))
    with pytest.raises(ConfigError, match=rf"^{section}\.kind is .*: choose {choices}$"):
        with_kind(ExperimentConfig(), section, name)


def test_a_class_that_is_no_registered_kind_is_no_section():
    @dataclass(frozen=True)
    class Unregistered(ModelConfig):
        kind: ClassVar[str] = "unregistered"

    for model, told in ((Unregistered(), "'unregistered'"), (ModelConfig(), "None")):
        with pytest.raises(ConfigError, match=f"model.kind is {told}: choose autoencoder, "):
            ExperimentConfig(model=model)
    with pytest.raises(ConfigError, match=r"model is AdamConfig\(.*: give a ModelConfig"):
        ExperimentConfig(model=AdamConfig())  # pyright: ignore[reportArgumentType]


def test_with_another_kind_the_other_sections_stay_as_they_are():
    config = ExperimentConfig(model=TransformerConfig(features=8, heads=2, layers=1))
    other = with_kind(config, "model", "rnn")
    assert other.model == RNNConfig(features=8, layers=1)
    assert dataclasses.replace(other, model=config.model) == config
    assert with_kind(config, "model", "transformer") is config


def test_a_kind_defined_in_a_configuration_file_is_found(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom typing import Annotated, ClassVar\nfrom jaxseq.config import *\n"
        '@register("model")\n@dataclass(frozen=True)\nclass Mine(ModelConfig):\n    kind: ClassVar[str] = "mine"\n'
        "    width: int = 3\nconfig = ExperimentConfig(model=Mine(width=4))\n",
        encoding="utf-8",
    )
    for _ in range(2):  # a file that is run again defines its classes again
        config, _ = load_config(file)
        assert to_dict(config)["model"] == {"kind": "mine", "width": 4}
        assert from_json(to_json(config)) == config
