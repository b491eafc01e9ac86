"""`jaxseq compare`: what several runs have measured, what differs between them, and their curves in one picture."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxseq import console
from jaxseq.commands.arguments import parse
from jaxseq.config.fields import shown
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.runs.compare import Comparison, Point


@dataclass(frozen=True)
class CompareArguments:
    """The best and the last values of every metric of several runs, the best of all marked with a star, and the fields
    in which their configurations differ. The runs may be of different tasks, and may be training."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="")]
    """Run directories, as runs/a runs/b."""
    split: Literal["train", "validation"] = "validation"
    """Part of the data that was measured on."""
    metric: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: all)")] = ""
    """Show this metric alone."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Draw the curves of the first metric that all runs have to this .png file."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object; null stands for what is no finite number."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError("there is nothing to compare: give run directories, as runs/a runs/b")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, reads, prints; returns the exit code."""
    arguments = parse(CompareArguments, argv, program=program)
    paths = [run_path(path) for path in arguments.runs]
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.compare import compare_runs, draw  # it imports JAX

        comparison = compare_runs(paths, metric=arguments.metric, split=arguments.split, poll=stop.poll)
        if arguments.picture is not None:
            stop.poll()
            draw(comparison, expanded(arguments.picture))
    if arguments.json:
        print(console.json_line(comparison.to_json()), end="")
    else:
        console.show("\n".join(_lines(comparison)))
    return 0


def _lines(comparison: "Comparison") -> Iterator[str]:
    """A block for each metric, a line in it for each run, and what differs."""
    names = [console.escaped_line(os.fspath(run.path)) for run in comparison.runs]
    for metric in comparison.metrics:
        better = comparison.better(metric)
        yield f"{comparison.split} {metric.replace('_', ' ')}" + (f" ({better} is better)" if better else "")
        yield f"{'best':>11} {'at step':>12}{'last':>12} {'at step':>12}"
        winner = comparison.winner(metric)
        for number, (run, name) in enumerate(zip(comparison.runs, names, strict=True), 1):
            best, last = run.best(metric, comparison.split), run.last(metric, comparison.split)
            mark = "*" if winner is not None and best is not None and best.value == winner else " "
            yield f"{_columns(best, mark)} {_columns(last, ' ')}  {number:>3}  {name}"
        if found := comparison.spread(metric):
            yield f"{_number(found.mean):>11}  mean of the best, standard deviation {found.deviation:.2g}"
        yield ""
    yield "what differs" if comparison.differences else "the configurations are the same"
    for field, values in comparison.differences.items():
        holders: dict[str, list[int]] = {}
        for number, value in enumerate(values, 1):
            holders.setdefault(repr(value), []).append(number)
        parts = (f"{shown(values[at[0] - 1])} ({', '.join(map(str, at))})" for at in holders.values())
        yield f"  {field}: {', '.join(parts)}"
    if comparison.remark:
        yield f"\n{comparison.remark}"


def _columns(point: "Point | None", mark: str) -> str:
    return f"{'-':>11} {'-':>12}" if point is None else f"{_number(point.value):>11}{mark}{point.step:>12,}"


def _number(value: float) -> str:
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.4g}"
