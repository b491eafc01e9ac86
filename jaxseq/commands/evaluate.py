"""`jaxseq evaluate`: metrics of a trained model on a split, with the carry and without it."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, StopRequest, own_unless


def _of_the_run(alias: str, *, metavar: str) -> Any:
    """An option whose default stands in the run, also by the name that messages about texts know it by."""
    return tyro.conf.arg(aliases=[alias], metavar=metavar, help_behavior_hint="(default: that of the run)")


@dataclass(frozen=True)
class EvaluateArguments:
    """Loss, perplexity, bits per character and accuracy of a run on a split: with the carry handed on over the whole
    split, and with the initial carry at the start of every window."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/quickstart."""
    split: Literal["train", "validation", "test"] = "validation"
    """Part of the text."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""
    rows: int = 1
    """Contiguous rows read side by side in the pass with the carry. 1 is the split in one piece; more is quicker, and
    each row begins without a memory of what stands before it."""
    source: Annotated[str | None, _of_the_run("--data.source", metavar="TEXT")] = None
    """Another text to measure on, named as in training and split as that of the run."""
    encoding: Annotated[str | None, _of_the_run("--data.encoding", metavar="NAME")] = None
    """Encoding of that text."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object; null stands for what is no finite number."""

    def __post_init__(self) -> None:
        if not 1 <= self.rows < 2**31:
            raise InputError(f"--rows is {self.rows}: give a number from 1 to {2**31 - 1}")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, measures, prints; returns the exit code."""
    arguments = parse(EvaluateArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    with own_unless(stop) as stop:
        runtime.configure()
        from jaxseq.runs.evaluation import evaluate_run  # after that: it imports JAX

        stop.patience = PATIENCE
        results = evaluate_run(
            arguments.run,
            split=arguments.split,
            checkpoint=arguments.checkpoint,
            rows=arguments.rows,
            source=arguments.source,
            encoding=arguments.encoding,
            stop=stop,
        )
    print(console.json_line(_finite(results)) if arguments.json else _table(results) + "\n", end="")
    return 0


def _finite(results: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no NaN and no infinity."""
    return {
        how: {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        for how, metrics in results.items()
    }


def _table(results: dict[str, dict[str, float]]) -> str:
    names = {"carried": "carry kept over the split", "windows": "carry reset at every window"}
    lines = [f"{'':28}{'loss':>9}{'perplexity':>12}{'bits/char':>11}{'accuracy':>10}{'tokens':>22}"]
    for how, values in results.items():
        measured = f"{values['tokens']:,} of {values['split_tokens']:,}"
        lines.append(
            f"{names[how]:28}{values['loss']:9.4f}{values['perplexity']:12.4f}"
            f"{values['bits_per_character']:11.4f}{values['accuracy']:10.2%}{measured:>22}"
        )
    return "\n".join(lines)
