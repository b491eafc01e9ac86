"""Where a fuzzed command is typed: a folder with a text, a run, and a neighbour's things that nobody may touch."""

import contextlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import ROOT, TINY, text
from processes import Main, Outcome, Setting, run

TRANSFORMER = [f"{ROOT}/configs/shakespeare_transformer.py", "--model.heads=2", "--model.layers=1", "--model.context=4"]
TRANSFORMER += ["--task.prompt=the"]
KINDS = {
    "--task.kind": "{language_modeling}",
    "--data.kind": "{corpus}",
    "--model.kind": "{rnn,transformer}",
    "--optimizer.kind": "{adam,adamw,rmsprop,adadelta,adagrad,sgd}",
}
"""Options that help tells of in a sentence, and what their values look like."""
TEMPLATES = {"tiny": [], "mapped": ["--data.memory-map"], "transformer": TRANSFORMER}
"""Runs that are there before, by name, and what is said for them beside `TINY`."""


@dataclass
class Case:
    """A command, what is around it, and what it may do."""

    folder: Path
    argv: list[str]
    told: str = ""
    """What was done to the files."""
    codes: tuple[int, ...] = (0, 2)
    kept: list[Path] = field(default_factory=list)
    """What stands inside a run directory and is not the run's."""
    setting: dict[str, object] = field(default_factory=dict)
    check: Callable[[Outcome], list[str]] | None = None
    """More that must hold at the end."""
    terminal: bool = False
    """Whether it is typed on a terminal."""
    real: bool = False

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def run(self) -> Path:
        return self.work / "runs" / "tiny"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"


@dataclass(frozen=True)
class World:
    """What all cases share: runs to copy, and the options there are."""

    templates: Path
    options: dict[str, dict[str, str]]
    """What a value looks like, by option, by command."""
    figures: dict[str, str]
    """What `evaluate --json` says of the templates."""

    @classmethod
    def make(cls, base: Path, main: Main) -> "World":
        """Trains the runs that cases begin with, in `base`.

        Raises:
            RuntimeError: that fails.
        """
        templates = base / "templates"
        templates.mkdir()
        text(templates / "text.txt", 2500)
        figures, options = {}, {}

        def said(*argv: str) -> str:
            outcome = run(main, argv, Setting(templates, limit=300))
            if outcome.code:
                raise RuntimeError(f"{' '.join(argv)} fails with exit code {outcome.code}: {outcome.error[-2000:]}")
            return outcome.out.decode()

        for name, more in TEMPLATES.items():
            said(*training(more), f"--run-dir=runs/{name}")
            figures[name] = said("evaluate", f"runs/{name}", "--json")
        for name, command in {"rnn": ["train"], "transformer": ["train", TRANSFORMER[0]]}.items():
            options[name] = {**_options(said(*command, "--help")), **KINDS}
        for command in ("sample", "evaluate"):
            options[command] = _options(said(command, "--help"))
        return cls(templates, options, figures)

    def case(self, folder: Path, *, template: str = "tiny", stopped: bool = False) -> Case:
        """A new folder with all that cases have; a `stopped` run lacks its newest checkpoint, and so can go on."""
        case = Case(folder, [])
        for path in (case.work / "runs" / "neighbour" / "checkpoints", case.outside / "folder", folder / "tmp"):
            path.mkdir(parents=True)
        shutil.copy2(self.templates / "text.txt", case.work / "text.txt")
        shutil.copytree(self.templates / "runs" / template, case.run)
        if stopped:
            shutil.rmtree(case.run / "checkpoints" / "00000004")
        for place in (
            "work/runs/neighbour/metrics.csv",
            "work/runs/neighbour/checkpoints/epoch1.ckpt",
            "work/notes.md",
        ):
            (folder / place).write_text("a,b\n1,2\n")
        for place in ("secret.txt", "victim.txt", "folder/inside.txt"):
            (case.outside / place).write_text("what nobody may see or touch\n" * 20)
        (case.outside / "own.json").write_text(json.dumps({"mine": 1}))
        return case


def training(more: list[str], *, source: str = "text.txt") -> list[str]:
    """A command line that trains for a second; what `more` says overrides."""
    config = [word for word in more[:1] if word.endswith(".py")]
    return ["train", *config, *replaced([*TINY, f"--data.source={source}"], more[len(config) :])]


def replaced(words: list[str], more: list[str]) -> list[str]:
    """`words` without the options that `more` has too, and `more`."""
    named = {word.split("=")[0] for word in more}
    return [word for word in words if word.split("=")[0] not in named] + more


def own_words(template: str) -> list[str]:
    """The command line that goes on with a template."""
    return [*training(TEMPLATES[template]), "--run-dir=runs/tiny"]


def any_command(
    chance: random.Random, template: str, *, weights: tuple[int, int, int, int] = (4, 1, 3, 2)
) -> list[str]:
    """A command on runs/tiny: going on, starting anew, sampling, evaluating."""
    return chance.choices(
        (
            own_words(template),
            [*own_words(template), "--fresh"],
            [
                "sample",
                "runs/tiny",
                "--length=4",
                *chance.choice(([], ["--json"], ["--next=3"], ["--checkpoint=newest"])),
            ],
            ["evaluate", "runs/tiny", *chance.choice(([], ["--json"], ["--split=train"], ["--checkpoint=newest"]))],
        ),
        weights,
    )[0]


def _options(told: str) -> dict[str, str]:
    """Options and what their values look like, out of a `--help` 80 columns wide."""
    found = {}
    for line in told.splitlines():
        if match := re.match(r"│ (--[\w.-]+)(?:, --[\w.-]+)?(?: +(.*?))? *│$", line):
            found[match[1]] = match[2] or ""
    return found


def files_in(run: Path) -> list[Path]:
    """All files of a run directory, in order."""
    return sorted(path for path in run.rglob("*") if path.is_file() and not path.is_symlink())


def allow(path: Path) -> None:
    """Lets the owner at `path` again, where that is still there."""
    with contextlib.suppress(FileNotFoundError):
        path.chmod(0o755)


def remove(path: Path) -> None:
    """Whatever stands at `path`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
