"""Experiments as values and as files."""

import dataclasses
import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import (
    AdamConfig,
    AdamWConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    OptimizerConfig,
    RNNConfig,
    SGDConfig,
    TrainConfig,
    TransformerConfig,
    differences,
    from_json,
    load_config,
    read_config,
    to_dict,
    to_json,
)
from jaxseq.config.fields import Resuming
from jaxseq.errors import ConfigError

OTHER = ExperimentConfig(
    name="other",
    data=CorpusConfig(source="여기.txt", normalize=("nfc", "lowercase"), split=(0.5, 0.3, 0.2), layout="windows"),
    model=TransformerConfig(features=12, heads=3, positions="learned"),
    optimizer=AdamWConfig(weight_decay=0.1),
    train=TrainConfig(steps=7, compute_dtype="bfloat16"),
    task=LanguageModelingConfig(prompt="그는 ", temperature=1.5),
)


@pytest.mark.parametrize("config", [ExperimentConfig(), OTHER], ids=["rnn", "transformer"])
def test_json_gives_the_same_experiment_back(config):
    text = to_json(config)
    assert from_json(text) == config
    assert to_json(from_json(text)) == text
    assert list(json.loads(text).items())[:2] == [("format", 2), ("name", config.name)]
    assert json.loads(text)["model"]["kind"] in ("rnn", "transformer")


@given(st.integers(1, 2**16), st.floats(1e-12, 1e6), st.text())
@settings(deadline=None, max_examples=30)
def test_json_keeps_numbers_and_text_exactly(size, rate, text):
    config = ExperimentConfig(
        model=RNNConfig(features=size),
        optimizer=AdamConfig(learning_rate=rate),
        task=LanguageModelingConfig(prompt=text.encode("utf-8", "ignore").decode()),
    )
    assert from_json(to_json(config)) == config


def test_experiments_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExperimentConfig().data.length = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_differences_are_named_field_by_field_and_names_do_not_count():
    old = ExperimentConfig(model=RNNConfig(features=16), train=TrainConfig(epochs=1))
    assert differences(old, dataclasses.replace(old, name="renamed")) == []
    new = dataclasses.replace(old, model=RNNConfig(features=17), train=TrainConfig(epochs=2))
    assert list(map(str, differences(old, new))) == ["model.features: 16 -> 17", "train.epochs: 1 -> 2"]


def test_another_kind_of_model_is_a_difference():
    found = differences(ExperimentConfig(), dataclasses.replace(ExperimentConfig(), model=TransformerConfig()))
    assert {each.resuming for each in found} == {Resuming.FIXED}
    told = list(map(str, found))
    assert "model.kind: 'rnn' -> 'transformer'" in told
    assert "model.cell: 'lstm' -> 'absent'" in told
    assert "model.heads: 'absent' -> 4" in told


@pytest.mark.parametrize(
    ("section", "values", "told"),
    [
        (CorpusConfig, {"length": 0}, "data.length is 0"),
        (CorpusConfig, {"shift": -1}, "data.shift is -1"),
        (CorpusConfig, {"batch_size": 0}, "data.batch_size is 0"),
        (CorpusConfig, {"min_count": 0}, "data.min_count is 0"),
        (CorpusConfig, {"tokenizer": "byte", "min_count": 2}, "data.min_count is 2: the byte tokenizer"),
        (CorpusConfig, {"split": (0.5, 0.6, 0.1)}, "data.split is"),
        (CorpusConfig, {"split": (0.0, 0.5, 0.5)}, "data.split is"),
        (CorpusConfig, {"split": (1.5, -0.5, 0.0)}, r"data.split\[0\] is 1.5: give a number from 0 to 1"),
        (CorpusConfig, {"split": (math.nan, 0.5, 0.5)}, r"data.split\[0\] is nan"),
        (RNNConfig, {"features": 0}, "model.features is 0"),
        (RNNConfig, {"layers": 0}, "model.layers is 0"),
        (RNNConfig, {"embedding": -1}, "model.embedding is -1"),
        (RNNConfig, {"dropout": 1.0}, "model.dropout is 1.0"),
        (RNNConfig, {"recurrent_dropout": -0.1}, "model.recurrent_dropout is -0.1"),
        (TransformerConfig, {"features": 10, "heads": 4}, "model.features is 10: it must be a multiple"),
        (TransformerConfig, {"features": 12, "heads": 4}, "model.features / model.heads is 3: rotary positions"),
        (TransformerConfig, {"context": 0}, "model.context is 0"),
        (TransformerConfig, {"dropout": math.nan}, "model.dropout is nan"),
        (OptimizerConfig, {"learning_rate": 0.0}, "optimizer.learning_rate is 0.0"),
        (OptimizerConfig, {"learning_rate": math.inf}, "optimizer.learning_rate is inf"),
        (OptimizerConfig, {"learning_rate": math.nan}, "optimizer.learning_rate is nan"),
        (OptimizerConfig, {"accumulate": 0}, "optimizer.accumulate is 0"),
        (AdamConfig, {"b1": 1.0}, "optimizer.b1 is 1.0"),
        (OptimizerConfig, {"clip_norm": -1.0}, "optimizer.clip_norm is -1.0"),
        (AdamWConfig, {"weight_decay": -0.1}, "optimizer.weight_decay is -0.1"),
        (SGDConfig, {"momentum": 1.0}, "optimizer.momentum is 1.0"),
        (TrainConfig, {"epochs": 0}, "train.epochs is 0: give train.epochs or train.steps"),
        (TrainConfig, {"steps": -1}, "train.steps is -1"),
        (TrainConfig, {"keep": 0}, "train.keep is 0"),
        (TrainConfig, {"seed": -1}, "train.seed is -1"),
        (TrainConfig, {"seed": 2**32}, "train.seed is 4294967296"),
        (TrainConfig, {"devices": -1}, "train.devices is -1"),
        (LanguageModelingConfig, {"temperature": 0.0}, "task.temperature is 0.0"),
        (LanguageModelingConfig, {"temperature": -1.0}, "task.temperature is -1.0"),
        (LanguageModelingConfig, {"sample_length": 0}, "task.sample_length is 0"),
        (ExperimentConfig, {"name": ""}, "name is ''"),
        (ExperimentConfig, {"name": "a/b"}, "name is 'a/b'"),
        (ExperimentConfig, {"name": ".."}, "name is '..'"),
        (
            ExperimentConfig,
            {"train": TrainConfig(patience=2), "data": CorpusConfig(split=(0.9, 0.0, 0.1))},
            "train.patience is 2: without a validation split",
        ),
    ],
)
def test_an_impossible_value_is_refused_by_name(section, values, told):
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")) as caught:
        section(**values)
    assert "\n" not in str(caught.value)


def changed(**sections) -> str:
    """The config.json of the quickstart with other sections, which have its kinds unless they say otherwise."""
    tree = to_dict(ExperimentConfig())
    for name, values in sections.items():
        section = isinstance(values, dict) and isinstance(tree.get(name), dict)
        kind = {"kind": tree[name]["kind"]} if section and "kind" in tree[name] else {}
        tree[name] = {**kind, **values} if section else values
    return json.dumps(tree)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "config.json is no JSON"),
        ("[1]", "config.json holds a list"),
        ("{}", "no jaxseq configuration: it has no name"),
        (changed(data=3), "no jaxseq configuration: data is 3, not a section"),
        (changed(model={"kind": "markov"}), "model.kind is 'markov': choose autoencoder, "),
        (changed(model={"kind": None}), "model.kind is None: choose autoencoder, "),
        (changed(model={"kind": []}), r"model.kind is \[\]: choose"),
        (changed().replace('"kind": "rnn", ', ""), "model.kind is None: choose autoencoder, "),
        (
            changed(optimizer={"kind": "lion"}),
            "optimizer.kind is 'lion': choose adadelta, adagrad, adam, adamw, rmsprop or",
        ),
        (changed(task={"top_k": 3}), "task.top_k is unknown to this version of jaxseq"),
        (changed(sample={}), "sample is unknown to this version of jaxseq"),
        (changed(optimizer={"momentum": 0.9}), "optimizer.momentum is unknown to this version"),
        (changed(task={"sample_length": 0}), "task.sample_length is 0: give a number from 1 to 10,000,000"),
        (changed(task={"sample_length": "3"}), "task.sample_length is '3': give a whole number from 1"),
        (changed(task={"sample_length": None}), "task.sample_length is None: give a whole number"),
        (changed(task={"sample_length": True}), "task.sample_length is True: give a whole number"),
        (changed(task={"prompt": "\ud800"}), "task.prompt is .*half of a surrogate pair"),
        (changed(data={"source": 5}), "data.source is 5: give text"),
        (changed(data={"source": ["a"]}), r"data.source is \['a'\]: give text"),
        (changed(data={"source": "a\0b"}), "data.source is .*no file has a name with a NUL"),
        (changed(data={"source": "\ud800"}), "data.source is .*half of a surrogate pair"),
        (changed(data={"source": "long" * 2000}), "data.source is 'longlong.*: give at most 4,096 characters"),
        (changed(data={"split": [0.4, 0.3, 0.2, 0.1]}), r"data.split is \[0.4, 0.3, 0.2, 0.1\]: give 3 items"),
        (changed(data={"split": [0.5, "0.5", 0]}), r"data.split\[1\] is '0.5': give a number from 0 to 1"),
        (changed(data={"split": 1}), "data.split is 1: give a list"),
        (changed(data={"normalize": "nfc"}), "data.normalize is 'nfc': give a list"),
        (changed(data={"normalize": ["nfc", 3]}), r"data.normalize\[1\] is 3: choose lowercase"),
        (changed(data={"normalize": ["nfc"] * 17}), "data.normalize is .*: give at most 16 items"),
        (changed(data={"shuffle": 1}), "data.shuffle is 1: give true or false"),
        (changed(model={"kind": "rnn", "cell": "foo"}), "model.cell is 'foo': choose lstm, gru or rnn"),
        (changed(model={"kind": "rnn", "cell": {}}), "model.cell is {}: choose lstm, gru or rnn"),
        (changed(model={"kind": "rnn", "features": 16.5}), "model.features is 16.5: give a whole number from 1 to"),
        (changed(model={"kind": "rnn", "heads": 4}), "model.heads is unknown"),
        (changed(model={"kind": "transformer", "features": 6}), "model.features is 6: it must be a multiple"),
        (changed(optimizer={"learning_rate": math.nan}), "optimizer.learning_rate is nan: give a number from 1e-37"),
        (changed(optimizer={"learning_rate": 10**400}), "optimizer.learning_rate is 1000"),
        (changed(optimizer={"learning_rate": {"a": 1}}), "optimizer.learning_rate is {'a': 1}: give a number"),
        (changed(optimizer={"clip_norm": 1e-45}), "optimizer.clip_norm is 1e-45: give 0, or a number from 1e-12 to"),
        (changed(name="a/b"), "name is 'a/b'"),
        (changed(name="\x1b[2J\n/"), r"name is '\\x1b\[2J\\n/'"),
        ('{"a": 1e400, "a": 2}', "config.json gives 'a' twice"),
        ('{"a": {"b": 1, "b": 1}}', "config.json gives 'b' twice"),
        ('{"a": ' + "1" * 5000 + "}", "config.json is no JSON: Exceeds the limit"),
        ("[" * 100_000 + "]" * 100_000, "config.json is nested too deeply"),
        (changed(data=[[]]).replace("[[]]", "[" * 400 + "]" * 400), "data is .*, not a section"),
        (changed(train=None).replace("null", '{"steps": 1e400}'), "train.steps is inf: give a whole number"),
    ],
)
def test_what_is_no_configuration_is_refused_with_the_reason(text, told, tmp_path):
    with pytest.raises(ConfigError, match=told) as caught:
        from_json(text)
    assert str(caught.value).isprintable()
    file = tmp_path / "config.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{file}: .*{told}"):
        read_config(file)


def test_a_configuration_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json cannot be read \(No such file"):
        read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"config\.json is damaged"):
        read_config(tmp_path / "config.json")
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(2**25)
    with pytest.raises(ConfigError, match=r"config\.json cannot be read \(it has more than 16,777,216 bytes\)"):
        read_config(tmp_path / "config.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_in_place_of_a_configuration_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ConfigError, match=r"config\.json cannot be read \(it is a named pipe, not a regular file\)"):
        read_config(tmp_path / "config.json")


def test_a_field_that_an_older_version_did_not_have_takes_its_default():
    assert from_json(changed(train={"steps": 3})).train == TrainConfig(steps=3)
    assert from_json(changed(model={"kind": "rnn"})).model == RNNConfig()


def written(folder, text):
    file = folder / "mine.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_python_file_gives_its_config_and_its_docstring(tmp_path):
    file = written(
        tmp_path,
        '"""What it is."""\nfrom jaxseq.config import ExperimentConfig\n'
        'def make():\n    return ExperimentConfig(name=NAME)\nNAME = "mine"\nconfig = make()\n',
    )
    assert load_config(file) == (ExperimentConfig(name="mine"), "What it is.")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "defines no `config`"),
        ("config = 3", "defines no `config`"),
        ("\nx = (", r"mine\.py:2: SyntaxError: '\(' was never closed"),
        ("raise ValueError('a\\n\\x1b[2Jb')", r"mine\.py:1: ValueError: a \\x1b\[2Jb$"),
        (
            "from jaxseq.config import *\nconfig = ExperimentConfig(data=RNNConfig())",
            r"mine\.py:2: data is RNNConfig\(.*: give a DataConfig$",
        ),
        ("import nowhere", r"mine\.py:1: ModuleNotFoundError: No module named 'nowhere'"),
        (
            "from jaxseq.config import *\n\nconfig = ExperimentConfig(data=CorpusConfig(lenght=3))",
            r"mine\.py:3: TypeError: .* unexpected keyword argument 'lenght'",
        ),
        (
            "from jaxseq.config import *\nconfig = ExperimentConfig(data=CorpusConfig(length=0))",
            r"mine\.py:2: data\.length is 0: give a number from 1 to 1,048,576$",
        ),
    ],
)
def test_a_python_file_that_is_no_configuration_is_refused_with_place_and_reason(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told) as caught:
        load_config(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_where_there_is_no_such_file_those_there_are_are_named(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "first.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no configuration fist; those in configs/ are: configs/first\.py"):
        load_config("fist")
    with pytest.raises(ConfigError, match="no configuration configs; "):
        load_config("configs")
    with pytest.raises(ConfigError, match="no configuration long"):
        load_config("long" * 100)


def test_a_file_name_that_is_no_utf8_is_kept():
    config = ExperimentConfig(data=CorpusConfig(source="caf\udce9.txt"))
    assert from_json(to_json(config).encode().decode()) == config
    assert "영화" in to_json(ExperimentConfig(data=CorpusConfig(source="영화.txt")))
