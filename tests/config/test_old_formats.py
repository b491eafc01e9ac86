"""A config.json of an earlier version goes on being read, every field of it; those of later ones are refused."""

import json
import re
from pathlib import Path

import pytest

from jaxseq.config import (
    AdadeltaConfig,
    AdamConfig,
    AdamWConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RMSpropConfig,
    RNNConfig,
    SGDConfig,
    TrainConfig,
    TransformerConfig,
    from_json,
    read_config,
    to_json,
)
from jaxseq.errors import ConfigError

DATA = {
    "source": "여기.txt",
    "encoding": "euc-kr",
    "normalize": ["nfc", "lowercase"],
    "tokenizer": "jamo",
    "min_count": 2,
    "split": [0.5, 0.3, 0.2],
    "layout": "windows",
    "length": 9,
    "shift": 2,
    "batch_size": 3,
    "shuffle": False,
    "memory_map": True,
}
RNN = {
    "cell": "gru",
    "reset_after": False,
    "features": 7,
    "layers": 2,
    "embedding": 3,
    "input_dropout": 0.1,
    "dropout": 0.2,
    "output_dropout": 0.3,
    "recurrent_dropout": 0.4,
    "variational": True,
}
TRANSFORMER = {
    "features": 12,
    "layers": 2,
    "heads": 3,
    "context": 8,
    "positions": "learned",
    "mlp_ratio": 2,
    "bias": True,
    "tie_embedding": False,
    "dropout": 0.1,
}
COMMON = {
    "learning_rate": 0.01,
    "schedule": "step",
    "warmup_steps": 3,
    "final_fraction": 0.2,
    "step_every": 5,
    "step_factor": 0.25,
    "clip_norm": 2.0,
    "clip_value": 3.0,
    "accumulate": 4,
}
RULES = {"b1": 0.8, "b2": 0.99, "eps": 1e-7, "decay": 0.95, "momentum": 0.0, "weight_decay": 0.0}
TRAIN = {
    "epochs": 2,
    "steps": 11,
    "seed": 5,
    "log_every": 3,
    "evaluate_every": 4,
    "evaluate_batches": 6,
    "checkpoint_every": 7,
    "keep": 2,
    "steps_per_dispatch": 8,
    "devices": 1,
    "allocator": "default",
    "compute_dtype": "bfloat16",
    "metric": "accuracy",
    "patience": 9,
    "max_nonfinite": 12,
    "max_rollbacks": 1,
    "debug_nonfinite": True,
}
SAMPLE = {"prompt": "그는 ", "length": 30, "temperature": 0.5}


LATER = (
    "bidirectional",
    "validation_source",
    "test_source",
    "splitter",
    "max_words",
    "file_normalization",
    "tokenizer_file",
    "pieces",
    "tie_embedding",
    "objective",
    "samples",
    "sampler",
    "cutoffs",
    "ema_decay",
    "rows",
    "row_cap",
    "activation",
    "model_devices",
    "processes",
    "process",
    "coordinator",
    "process_timeout",
)
"""Fields that format 1 did not have."""


def of_format_1(**sections) -> dict:
    """As versions 0.1 and 0.2 wrote it, every field with another value than its default."""
    return {
        "name": "old",
        "data": DATA,
        "model": {"family": "rnn", **RNN, "predict": "last"},
        "optimizer": {"name": "adam", **COMMON, **RULES},
        "train": TRAIN,
        "sample": SAMPLE,
        **sections,
    }


def read(tree) -> ExperimentConfig:
    return from_json(json.dumps(tree))


def tuples(values) -> dict:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def test_every_field_of_format_1_is_where_it_stands_now():
    assert read(of_format_1()) == ExperimentConfig(
        name="old",
        task=LanguageModelingConfig(predict="last", prompt="그는 ", sample_length=30, temperature=0.5),
        data=CorpusConfig(**tuples(DATA)),
        model=RNNConfig(**RNN),
        optimizer=AdamConfig(**COMMON, b1=0.8, b2=0.99, eps=1e-7),
        train=TrainConfig(**TRAIN),
    )


def test_the_number_may_stand_in_it():
    assert read({"format": 1, **of_format_1()}) == read(of_format_1())


def test_no_field_of_format_1_keeps_its_default_here():
    """Or a field that is lost would not be seen."""
    config = read(of_format_1(model={"family": "transformer", **TRANSFORMER}))
    rnn = read(of_format_1()).model
    for section, fresh in (
        (config.data, CorpusConfig()),
        (config.model, TransformerConfig()),
        (rnn, RNNConfig()),
        (config.optimizer, AdamConfig()),
        (config.train, TrainConfig()),
        (read(of_format_1()).task, LanguageModelingConfig()),
    ):
        unchanged = [name for name in vars(fresh) if getattr(section, name) == getattr(fresh, name)]
        assert not set(unchanged) - {*LATER}


def test_a_transformer_of_format_1_is_one_of_now():
    config = read(of_format_1(model={"family": "transformer", **TRANSFORMER}))
    assert config.model == TransformerConfig(**TRANSFORMER)
    assert isinstance(config.task, LanguageModelingConfig)
    assert config.task.predict == "every"


@pytest.mark.parametrize(
    ("name", "used", "expected"),
    [
        ("adam", {}, AdamConfig(**COMMON, b1=0.8, b2=0.99, eps=1e-7)),
        ("adamw", {"weight_decay": 0.1}, AdamWConfig(**COMMON, b1=0.8, b2=0.99, eps=1e-7, weight_decay=0.1)),
        ("rmsprop", {"momentum": 0.9}, RMSpropConfig(**COMMON, eps=1e-7, decay=0.95, momentum=0.9)),
        ("adadelta", {}, AdadeltaConfig(**COMMON, eps=1e-7, decay=0.95)),
        ("sgd", {"momentum": 0.9}, SGDConfig(**COMMON, momentum=0.9)),
    ],
)
def test_an_optimizer_of_format_1_keeps_the_fields_that_had_an_effect(name, used, expected):
    assert read(of_format_1(optimizer={"name": name, **COMMON, **RULES, **used})).optimizer == expected


def test_fields_that_are_missing_in_format_1_have_their_defaults_of_then_as_of_now():
    sparse = read({"name": "old", "data": {}, "model": {"family": "rnn"}, "optimizer": {}, "train": {}, "sample": {}})
    assert sparse == ExperimentConfig(
        name="old",
        task=LanguageModelingConfig(),
        data=CorpusConfig(),
        model=RNNConfig(),
        optimizer=AdamConfig(),
        train=TrainConfig(),
    )


def test_what_was_read_is_written_in_the_format_of_now():
    text = to_json(read(of_format_1()))
    assert list(json.loads(text)) == ["format", "name", "task", "data", "model", "optimizer", "train"]
    assert json.loads(text)["format"] == 2
    assert from_json(text) == read(of_format_1())


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"task": {}}, "task is unknown to this version of jaxseq: use the one that wrote it"),
        ({"extra": 3}, "extra is unknown"),
        ({"data": {"colour": 1}}, "data.colour is unknown"),
        ({"data": {"kind": "corpus"}}, "data.kind is unknown"),
        ({"model": {"family": "rnn", "heads": 4}}, "model.heads is unknown"),
        ({"model": {"family": "transformer", "predict": "last"}}, "model.predict is unknown"),
        ({"model": {"kind": "rnn"}}, "model.kind is unknown"),
        ({"model": {}}, "model.kind is None: choose autoencoder, "),
        ({"model": {"family": "markov"}}, "model.kind is 'markov': choose autoencoder, "),
        ({"model": {"family": []}}, "model.kind is []: choose autoencoder, "),
        (
            {"optimizer": {"name": "lion"}},
            "optimizer.kind is 'lion': choose adadelta, adagrad, adam, adamw, rmsprop or",
        ),
        ({"optimizer": {"name": ["sgd"]}}, "optimizer.kind is ['sgd']: choose adadelta"),
        ({"optimizer": {"name": "sgd", "nesterov": True}}, "optimizer.nesterov is unknown"),
        ({"optimizer": {"kind": "sgd"}}, "optimizer.kind is unknown"),
        ({"optimizer": {"name": "sgd", "momentum": 1.0}}, "optimizer.momentum is 1.0: give a number from 0 to"),
        ({"train": {"sampling": 1}}, "train.sampling is unknown"),
        ({"sample": {"top_k": 3}}, "sample.top_k is unknown"),
        ({"sample": {"sample_length": 3}}, "sample.sample_length is unknown"),
        ({"sample": {"length": 0}}, "task.sample_length is 0: give a number from 1 to 10,000,000"),
        ({"sample": 3}, "this is no jaxseq configuration: sample is 3, not a section"),
        ({"optimizer": []}, "this is no jaxseq configuration: optimizer is [], not a section"),
    ],
)
def test_what_stands_in_format_1_and_was_never_part_of_it_is_refused_by_name(sections, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        read(of_format_1(**sections))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["name", "data", "model", "optimizer", "train", "sample"])
def test_what_is_missing_in_format_1_is_named(name):
    tree = of_format_1()
    del tree[name]
    with pytest.raises(ConfigError, match=f"this is no jaxseq configuration: it has no {name}$"):
        read(tree)


@pytest.mark.parametrize("number", [0, -1, True, False, "2", "1", 2.0, 1.5, None, [], {}])
def test_what_is_no_number_of_a_format_is_refused(number):
    tree = {**json.loads(to_json(ExperimentConfig())), "format": number}
    with pytest.raises(ConfigError, match=rf"^format is {re.escape(repr(number))}: give a whole number from 1 to 2$"):
        read(tree)


@pytest.mark.parametrize("number", [3, 4, 10**30])
def test_a_later_format_is_refused_with_what_to_do(number):
    tree = {"format": number, "anything": ["else"]}
    with pytest.raises(ConfigError, match=f"^format is {number}, this version of jaxseq knows 2: use the one that"):
        read(tree)


def test_the_configurations_of_old_runs_are_read():
    files = sorted((Path(__file__).parents[1] / "old_runs").rglob("config.json"))
    assert len(files) >= 3
    for file in files:
        tree, config = json.loads(file.read_text(encoding="utf-8")), read_config(file)
        assert (config.name, config.model.kind) == (tree["name"], tree["model"]["family"])
        assert config.optimizer.kind == tree["optimizer"]["name"]
