"""`jaxseq evaluate`: metrics of a trained model on a split, with the carry and without it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.runs.evaluation import Measured


def _of_the_run(alias: str, *, metavar: str) -> Any:
    """An option whose default stands in the run, also by the name that messages about texts know it by."""
    return tyro.conf.arg(aliases=[alias], metavar=metavar, help_behavior_hint="(default: that of the run)")


@dataclass(frozen=True)
class EvaluateArguments:
    """Metrics of a run on a split. A language model is measured twice: with the carry handed on over the whole split,
    and with the initial carry at the start of every window."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/quickstart."""
    split: Literal["train", "validation", "test"] = "validation"
    """Part of the data."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""
    rows: int | None = None
    """Rows of a batch. A language model reads as many contiguous ones side by side in the pass with the carry: 1, the
    default, is the split in one piece; more is quicker, and each begins without a memory of what stands before it."""
    source: Annotated[str | None, _of_the_run("--data.source", metavar="TEXT")] = None
    """Another text to measure on, named as in training and split as that of the run."""
    encoding: Annotated[str | None, _of_the_run("--data.encoding", metavar="NAME")] = None
    """Encoding of that text."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object; null stands for what is no finite number."""

    def __post_init__(self) -> None:
        if self.rows is not None and not 1 <= self.rows < 2**31:
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
    print(console.json_line(_finite(results)) if arguments.json else f"{_table(results)}\n", end="")
    return 0


def _finite(results: Mapping[str, "Measured"]) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no NaN and no infinity."""
    return {
        how: {name: value if math.isfinite(value) else None for name, value in measured.metrics.items()}
        for how, measured in results.items()
    }


def _table(results: Mapping[str, "Measured"]) -> str:
    """A line for each evaluation, a column for each metric that it shows."""
    lines: list[list[str]] = []
    for name, (evaluation, values) in results.items():
        shown = [
            (metric.heading or metric.name, format(values[metric.name], metric.form)) for metric in evaluation.shown
        ]
        count, whole = values[evaluation.counted], values.get(f"split_{evaluation.counted}")
        shown.append((evaluation.counted, f"{count:,}" if whole is None else f"{count:,} of {whole:,}"))
        if not lines:
            lines.append(["", *(heading.replace("_", " ") for heading, _ in shown)])
        lines.append([evaluation.title or name, *(value for _, value in shown)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first, *others = widths
    return "\n".join(
        f"{title:{first}}" + "".join(f"{cell:>{width + 2}}" for cell, width in zip(cells, others, strict=True))
        for title, *cells in lines
    )
