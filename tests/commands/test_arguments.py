"""Command lines from dataclasses, their help, and mistakes as one line."""

import dataclasses
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from jaxseq.commands.arguments import fail, parse
from jaxseq.commands.main import COMMANDS, main
from jaxseq.commands.train import TrainArguments
from jaxseq.config import RNNConfig, TransformerConfig, load_config
from jaxseq.errors import InputError

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Inner:
    """A section."""

    size: int = 3
    """How large."""

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InputError(f"inner.size is {self.size}: give 0 or more")


@dataclass(frozen=True)
class Outer:
    """What can be given."""

    kind: Literal["a", "b"] = "a"
    """Which."""
    rate: float = 0.5
    """How fast."""
    names: tuple[str, ...] = ()
    """Any number."""
    inner: Inner = field(default_factory=Inner)


def parsed(*words, **options) -> Outer:
    return parse(Outer, words, program="try", **options)


def mistake(capsys, *words) -> str:
    with pytest.raises(SystemExit) as left:
        parsed(*words)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").removesuffix("\n")


def test_fields_are_given_by_their_names_and_the_rest_keeps_its_value():
    assert parsed() == Outer()
    given = parsed("--kind", "b", "--inner.size", "7", "--names", "x", "y")
    assert given == Outer("b", 0.5, ("x", "y"), Inner(7))
    assert parsed("--rate", "1e-3", default=given) == dataclasses.replace(given, rate=1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--inner.sizes 3", "Unrecognized options: --inner.sizes, 3 (perhaps you meant --inner.size?); see try --help"),
        ("--zzz", "Unrecognized options: --zzz; see try --help"),
        ("stray", "Unrecognized options: stray; see try --help"),
        ("--inner.size x", "Error parsing --inner.size: invalid literal for int() with base 10: 'x'; see try --help"),
        ("--rate fast", "Error parsing --rate: could not convert string to float: 'fast'; see try --help"),
        ("--kind c", "invalid choice 'c' for argument '--kind'. Expected one of ('a', 'b'); see try --help"),
        ("--rate", "Missing value for argument '--rate'. Expected 1 values; see try --help"),
        ("--inner.size -1", "inner.size is -1: give 0 or more; see try --help"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_mistake_is_one_line_whatever_the_terminal(capsys, monkeypatch, words, told, encoding):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", encoding == "utf-8")
    assert mistake(capsys, *words.split()) == told
    assert os.environ["COLUMNS"] == "30"


def test_the_width_of_the_terminal_is_left_as_it_was(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    mistake(capsys, "--zzz")
    assert "COLUMNS" not in os.environ


def test_help_shows_usage_description_fields_and_defaults_and_leaves_with_0(capsys):
    with pytest.raises(SystemExit) as left:
        parsed("--help", usage="[FILE]", description="What it is for.")
    assert left.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("usage: try [FILE] [-h]")
    for part in (
        "What it is for.",
        "--inner.size INT",
        "How large. (default: 3)",
        "--kind {a,b}",
        "Which. (default: a)",
    ):
        assert part in out


def test_fail_leaves_with_2(capsys):
    with pytest.raises(SystemExit) as left:
        fail("so it is")
    assert left.value.code == 2
    assert capsys.readouterr() == ("", "error: so it is\n")


def fields_of(config, prefix=""):
    """Every field as it is named on the command line, with its default."""
    for one in dataclasses.fields(config):
        value, name = getattr(config, one.name), prefix + one.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from fields_of(value, f"{name}.")
        else:
            yield name, value


@pytest.mark.parametrize("words", [[], ["configs/shakespeare_transformer.py"]], ids=["quickstart", "transformer"])
def test_the_help_of_train_lists_every_field_with_meaning_and_default(capsys, monkeypatch, words):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")  # in a wider terminal tyro sets the boxes side by side
    with pytest.raises(SystemExit) as left:
        main(["train", *words, "--help"])
    assert left.value.code == 0
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    config = load_config(words[0])[0] if words else load_config("configs/quickstart.py")[0]
    arguments = TrainArguments(**{one.name: getattr(config, one.name) for one in dataclasses.fields(config)})
    for name, value in fields_of(arguments):
        at = next(i for i, line in enumerate(lines) if line.startswith((f"--{name} ", f"--{name},")))
        below = itertools.takewhile(lambda line: not line.startswith("--"), lines[at + 1 :])
        meaning = " ".join(below)
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value) or "''"
        assert f"(default: {shown})" in f"{lines[at]} {meaning}", name
    family = TransformerConfig if words else RNNConfig
    assert isinstance(config.model, family)
    assert ("--model.heads INT" in "\n".join(lines)) == bool(words)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: jaxseq {command}")


def test_without_a_command_those_there_are_are_listed(capsys):
    assert main([]) == 2
    listed = capsys.readouterr().out
    assert all(command in listed for command in COMMANDS)
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == listed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("jaxseq 0.")
