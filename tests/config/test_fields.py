"""What is declared beside each field, and that it is seen to, whoever builds a section."""

import json
import math
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import (
    SECTIONS,
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    TrainConfig,
    from_json,
    kinds_of,
    to_dict,
    to_json,
)
from jaxseq.config.fields import Bounds, Items, Resuming, Text, rules_of
from jaxseq.errors import ConfigError

KINDS = [*((section, kind) for section in SECTIONS for kind in kinds_of(section).values()), ("train", TrainConfig)]
FIELDS = [
    pytest.param(section, kind, name, rule, id=f"{kind.__name__}.{name}")
    for section, kind in KINDS
    for name, rule in rules_of(kind).items()
]
EVEN = {
    "model.heads": {"features": 2**16, "positions": "learned"},
    "model.features": {"heads": 1, "positions": "learned"},
}
"""What makes the ends of the bounds of a field possible beside the other fields."""
TOGETHER: dict[str, dict[str, Any]] = {
    "train.epochs": {"steps": 1},
    "data.max_words": {"tokenizer": "word"},
    "optimizer.row_cap": {"rows": True},
}
TOGETHER |= {f"data.source_{name}": {"source_tokenizer": "word"} for name in ("pieces", "max_words", "min_count")}
TOGETHER |= {"data.least": {"most": 1_000}}
TOGETHER |= {"task.masked": {"random": 0.0}, "task.random": {"masked": 0.0}}
TOGETHER |= {"model.shortest": {"longest": 64}, "model.longest": {"shortest": 1}}
TOGETHER |= {
    name: {"filters": (1,) * 16, "decoder_padding": ("same",)} for name in ("model.poolings", "model.upsamplings")
}
TOGETHER |= {"data.shortest": {"longest": 1e6}, "data.longest": {"shortest": 0.1, "margin": 0.1}}
TOGETHER |= {"data.margin": {"longest": 1e6}}
AT_ITS_END = {("train.process", 65_535): {"processes": 65_536, "coordinator": "host:1"}}
"""The same for one of the ends alone."""


@pytest.mark.parametrize(("section", "kind", "name", "rule"), FIELDS)
def test_beside_every_field_stands_what_it_may_hold_and_whether_a_run_may_go_on_with_another_value(
    section, kind, name, rule
):
    assert isinstance(rule.resuming, Resuming)
    if get_origin(rule.type) is Literal or rule.type is bool:
        assert rule.limit is None
    elif get_origin(rule.type) is tuple and get_args(rule.type)[-1] is ...:
        assert isinstance(rule.limit, Items)
    elif rule.type is str:
        assert isinstance(rule.limit, Text)
    else:
        assert isinstance(rule.limit, Bounds)
        assert math.isfinite(rule.limit.least)
        assert math.isfinite(rule.limit.most)


def test_the_name_of_an_experiment_has_a_rule_too():
    rule = rules_of(ExperimentConfig)["name"]
    assert isinstance(rule.limit, Text)
    assert rule.resuming is Resuming.FREE


NUMBERS = [
    param
    for param in FIELDS
    if isinstance(param.values[3].limit, Bounds) and get_origin(param.values[3].type) is not tuple
]


@pytest.mark.parametrize(("section", "kind", "name", "rule"), NUMBERS)
def test_the_ends_of_the_bounds_are_taken_and_what_lies_beyond_is_refused_in_one_line(section, kind, name, rule):
    bounds, full = rule.limit, f"{section}.{name}"
    even = EVEN.get(full, {}) if "heads" in rules_of(kind) else {}
    others = {name: value for name, value in {**even, **TOGETHER.get(full, {})}.items() if name in rules_of(kind)}
    for value in (bounds.least, bounds.most, *([0] if bounds.zero else [])):
        built = getattr(kind(**{**others, **AT_ITS_END.get((full, value), {}), name: value}), name)
        assert built == value
        assert type(built) is rule.type
    step = 1 if rule.type is int else 1e-9 * bounds.most
    beyond: list[Any] = [-step, bounds.most + step, 2**63, 10**30, 1e308, 10**5000, math.inf, -math.inf, 1e-45]
    beyond = [value for value in beyond if not bounds.least <= value <= bounds.most]
    for value in [*beyond, math.nan, True, "1", None, [1], *([1.5] if rule.type is int else [])]:
        with pytest.raises(ConfigError) as caught:
            kind(**{**others, name: value})
        message = str(caught.value)
        assert message.startswith(f"{full} is ")
        assert f"number from {bounds}" in message
        assert message.isprintable()
        assert len(message) < 250


def test_what_serves_for_a_type_becomes_it():
    section = AdamConfig(learning_rate=1, warmup_steps=np.int64(7), b1=np.float32(0.5))  # pyright: ignore
    assert [type(x) for x in (section.learning_rate, section.warmup_steps, section.b1)] == [float, int, float]
    data = CorpusConfig(normalize=["nfc"], split=[1, 0, 0])  # pyright: ignore[reportArgumentType]
    assert (data.normalize, data.split) == (("nfc",), (1.0, 0.0, 0.0))
    assert from_json(to_json(ExperimentConfig(data=data, optimizer=section))).optimizer == section
    with pytest.raises(ConfigError, match=r"data\.shuffle is"):
        CorpusConfig(shuffle=np.bool_(True))  # pyright: ignore[reportArgumentType]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_whatever_stands_in_a_file_is_an_experiment_or_one_line(data):
    """Any JSON value in any field and as any kind: what is taken is written and read again as it is."""
    tree = to_dict(ExperimentConfig())
    section = data.draw(st.sampled_from([*SECTIONS, "train"]))
    name = data.draw(st.sampled_from(sorted(tree[section])))
    tree[section][name] = data.draw(json_values)
    config, told = None, ""
    try:
        config = from_json(json.dumps(tree))
    except ConfigError as error:
        told = str(error)
    if config is None:
        assert told.startswith((f"{section}.{name}", "train.epochs"))
        assert told.isprintable()
    else:
        assert from_json(to_json(config)) == config
