"""`--SECTION.kind` on the command line: which fields there are hangs on it, and what is no field of a kind is told."""

import json

import pytest
from command_line import TINY, jaxseq, refused

from jaxseq.commands.kinds import choose_kinds
from jaxseq.config import (
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RMSpropConfig,
    RNNConfig,
    SGDConfig,
    TransformerConfig,
)

RATE = AdamConfig(learning_rate=0.03, schedule="cosine", b1=0.5)
START = ExperimentConfig(model=RNNConfig(features=24, layers=3, dropout=0.1), optimizer=RATE)


@pytest.mark.parametrize(
    "words",
    [
        ["--optimizer.kind", "sgd", "--data.length", "9"],
        ["--optimizer.kind=sgd", "--data.length", "9"],
        ["--data.length", "9", "--optimizer.kind", "sgd"],
        ["--data.length", "9", "--optimizer.kind", "rmsprop", "--optimizer.kind=sgd"],
    ],
    ids=["two words", "one word", "last", "twice"],
)
def test_a_kind_is_chosen_in_two_words_or_one_wherever_it_stands(words):
    config, rest = choose_kinds(START, words)
    assert rest == ["--data.length", "9"]
    assert config.optimizer == SGDConfig(learning_rate=0.03, schedule="cosine")
    assert (config.model, config.data, config.task) == (START.model, START.data, START.task)


def test_fields_that_both_kinds_have_keep_their_values():
    config, _ = choose_kinds(START, ["--model.kind", "transformer", "--optimizer.kind", "rmsprop"])
    assert config.model == TransformerConfig(features=24, layers=3, dropout=0.1)
    assert config.optimizer == RMSpropConfig(learning_rate=0.03, schedule="cosine")


def test_the_same_kind_leaves_every_field_as_it_is():
    words = ["--task.kind", "language_modeling", "--data.kind=corpus", "--model.kind=rnn", "--optimizer.kind=adam"]
    config, rest = choose_kinds(START, words)
    assert config is START
    assert rest == []


def test_values_that_cannot_go_together_in_another_kind_take_its_defaults():
    odd = ExperimentConfig(model=RNNConfig(features=5))
    assert choose_kinds(odd, ["--model.kind", "transformer"])[0].model == TransformerConfig()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--optimizer.kind", "--optimizer.kind has no value: choose adadelta, adagrad, adam, adamw, rmsprop, sgd"),
        (
            "--optimizer.kind --fresh",
            "optimizer.kind is '--fresh': choose adadelta, adagrad, adam, adamw, rmsprop or",
        ),
        ("--optimizer.kind=", "optimizer.kind is '': choose adadelta, adagrad, adam, adamw, rmsprop or sgd"),
        ("--optimizer.kind lion", "optimizer.kind is 'lion': choose adadelta, adagrad, adam, adamw, rmsprop or sgd"),
        (
            "--model.kind=Transformer",
            "model.kind is 'Transformer': choose autoencoder, bag, captioner, corners, detector, encoder, nbsvm, "
            "ngram, rnn, seq2seq, seq2seq_transformer, transformer, vectors or window_bag",
        ),
        ("--task.kind translating", "task.kind is 'translating': choose autoencoding, "),
        ("--data.kind x", "data.kind is 'x': choose baskets, captions, corpus"),
        ("--train.kind x", "Unrecognized options: --train.kind, x"),
        (
            "--optimizer.momentum 0.9",
            "--optimizer.momentum is none of adam's: leave it out, or take --optimizer.kind rmsprop or sgd",
        ),
        (
            "--optimizer.kind=sgd --optimizer.weight_decay=0.1",
            "--optimizer.weight-decay is none of sgd's: leave it out, or take --optimizer.kind adamw",
        ),
        (
            "--model.no-bias",
            "--model.no-bias is none of rnn's: leave it out, or take --model.kind corners or detector or encoder or",
        ),
        ("--model.nothing 3", "Unrecognized options: --model.nothing, 3"),
        ("--optimizer.name sgd", "--optimizer.name was renamed: give --optimizer.kind"),
        ("--model.predict=last", "--model.predict was renamed: give --task.predict"),
        ("--sample.length 3", "--sample.length was renamed: give --task.sample-length"),
        ("--sample.prompt x", "--sample.prompt was renamed: give --task.prompt"),
        ("--sample.temperature 1", "--sample.temperature was renamed: give --task.temperature"),
    ],
)
def test_what_is_no_kind_or_no_option_of_one_is_told_in_one_line(folder, words, told):
    assert told in refused("train", *TINY, *words.split(), folder=folder)


def test_help_shows_the_fields_of_the_kind_alone_and_lists_the_others(folder):
    def shown(*words):
        code, out, _ = jaxseq("train", *words, "--help", folder=folder)
        assert code == 0
        return out

    out = shown()
    assert "--model.cell" in out
    assert "--optimizer.b1" in out
    assert not {"--model.heads", "--optimizer.momentum", "--optimizer.weight-decay"} & set(out.split())
    listed = " ".join(out.split())
    for kinds in (
        "--model.kind autoencoder, bag, captioner, corners, detector, encoder, nbsvm, ngram, rnn, seq2seq, "
        "seq2seq_transformer, transformer, vectors, window_bag;",
        "--optimizer.kind adadelta, adagrad, adam, adamw, rmsprop, sgd ",
    ):
        assert kinds in listed
    other = shown("--model.kind", "transformer", "--optimizer.kind=sgd")
    assert {"--model.heads", "--optimizer.momentum"} <= set(other.split())
    assert not {"--model.cell", "--optimizer.b1"} & set(other.split())


MINE = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar
from jaxseq.config import *
from jaxseq.config.fields import FIXED, Bounds, check_fields

@register("optimizer")
@dataclass(frozen=True)
class LionConfig(OptimizerConfig):
    kind: ClassVar[str] = "lion_of_a_test"

    beta: Annotated[float, Bounds(0, 1), FIXED] = 0.9
    """Decay of what nobody else has."""

    def __post_init__(self) -> None:
        check_fields(self, "optimizer")

config = ExperimentConfig(name="mine")
'''


@pytest.fixture
def mine(folder, monkeypatch):
    """A configuration that defines a kind of optimizer, in mine.py; the kind is forgotten afterwards."""
    from jaxseq.config import kinds

    monkeypatch.setattr(kinds, "_KINDS", {section: dict(known) for section, known in kinds._KINDS.items()})
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    return folder


def test_a_kind_that_a_configuration_defines_is_found_and_its_fields_are_options(mine):
    chosen = ("train", "mine.py", "--optimizer.kind", "lion_of_a_test")
    out = jaxseq(*chosen, "--help", folder=mine).out
    assert "--optimizer.beta" in out.split()
    assert "Decay of what nobody else has." in " ".join(out.split())
    assert "adadelta, adagrad, adam, adamw, lion_of_a_test, rmsprop, sgd" in " ".join(out.split())
    assert "optimizer.beta is 2.0: give a number from 0 to 1" in refused(*chosen, "--optimizer.beta=2", folder=mine)
    told = refused(*chosen, *TINY, folder=mine)  # nothing makes updates of it
    assert "optimizer.kind is 'lion_of_a_test': there is no update rule for it" in told


def test_what_was_chosen_stands_in_the_run_directory_and_goes_on(folder):
    words = ("train", "--name", "it", *TINY, "--train.steps", "4", "--optimizer.kind", "sgd")
    assert jaxseq(*words, folder=folder).code == 0
    tree = json.loads((folder / "runs" / "it" / "config.json").read_text(encoding="utf-8"))
    assert (tree["format"], tree["optimizer"]["kind"], tree["model"]["kind"]) == (2, "sgd", "rnn")
    assert tree["optimizer"]["momentum"] == 0.0
    assert "b1" not in tree["optimizer"]
    assert jaxseq(*words, folder=folder).code == 0
    assert "optimizer.kind: 'sgd' -> 'adam'" in refused(*words[:-2], folder=folder)


def test_every_section_has_the_kind_that_the_quickstart_takes():
    config = ExperimentConfig()
    assert [type(section) for section in (config.task, config.data, config.model, config.optimizer)] == [
        LanguageModelingConfig,
        CorpusConfig,
        RNNConfig,
        AdamConfig,
    ]
