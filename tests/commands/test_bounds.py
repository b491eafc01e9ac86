"""Numbers at the ends of their bounds, and models that no memory holds: done, or one line before anything is begun."""

from pathlib import Path

import pytest
from command_line import TINY, jaxseq, refused

from jaxseq.config import AdamConfig, TrainConfig
from jaxseq.config.fields import Bounds, rules_of

ROOT = Path(__file__).parents[2]
ONCE = ["--train.steps", "3", "--train.epochs", "1", "--train.devices", "1", "--train.steps-per-dispatch", "2"]
ONCE += ["--train.model-devices", "1", "--train.processes", "1", "--train.process=-1"]


def ends_of(kind, section, which):
    """Every number of a section at the end of its bounds that `which` names, as words."""
    return [
        f"--{section}.{name.replace('_', '-')}={getattr(rule.limit, which)}"
        for name, rule in rules_of(kind).items()
        if isinstance(rule.limit, Bounds)
    ]


@pytest.mark.parametrize("which", ["least", "most"])
def test_a_run_with_every_number_at_the_end_of_its_bounds_comes_to_its_end(folder, which):
    whole = ["--optimizer.row-cap", "0"]  # updates by rows gather no batches, and accumulate is at its end too
    words = [*TINY, *ends_of(AdamConfig, "optimizer", which), *ends_of(TrainConfig, "train", which), *ONCE, *whole]
    code, _, err = jaxseq("train", *words, folder=folder)
    assert code == 0, err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--model.features 65536", "lower model.features or model.layers"),
        ("--model.layers 60 --model.features 30000", "lower model.features or model.layers"),
        ("--optimizer.kind sgd --model.features 65536", "for parameters and their gradients, and there are 24.0 GB"),
        (
            "--train.steps-per-dispatch 2147483647 --train.log-every 2147483647 --train.evaluate-every 2147483647 "
            "--train.checkpoint-every 2147483647",
            "for 2,147,483,647 batches for one dispatch",
        ),
    ],
)
def test_what_cannot_fit_into_memory_is_refused_before_anything_is_written(folder, monkeypatch, words, told):
    monkeypatch.setattr("jaxseq.runtime.memory_limit", lambda: 24 * 10**9)
    assert told in refused("train", *TINY, *words.split(), folder=folder)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--model.context 1048576 --data.layout rows --data.length 16", "for the carry"),
        ("--model.mlp-ratio 256 --model.features 65536", "lower model.features"),
        ("--model.heads 64 --data.length 3000 --data.batch-size 4", "lower data.length or data.batch_size"),
        ("--model.context 1048576 --model.features 1024", "the sample at the end needs at least"),
    ],
)
def test_neither_is_a_transformer_that_is_too_large(folder, monkeypatch, words, told):
    monkeypatch.setattr("jaxseq.runtime.memory_limit", lambda: 24 * 10**9)
    words = [f"{ROOT}/configs/shakespeare_transformer.py", "--data.source", "text.txt", *words.split()]
    words += ["--task.prompt", "the"]
    assert told in refused("train", *words, "--data.split", "1", "0", "0", folder=folder)


def test_more_steps_than_can_be_counted_are_refused(folder):
    words = [*TINY, "--train.steps", "0", "--train.epochs", "2147483647"]
    told = refused("train", *words, folder=folder)
    assert "train.epochs is 2147483647: with 56 batches in an epoch" in told
    assert "give at most 38,347,922" in told
