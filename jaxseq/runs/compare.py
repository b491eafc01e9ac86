"""Runs held against each other: what they have measured, and what differs between their configurations."""

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxseq.config import ExperimentConfig, differences, read_config
from jaxseq.console import escaped_line, tell
from jaxseq.errors import InputError
from jaxseq.metrics.metric import Metric
from jaxseq.opening import open_regular
from jaxseq.reporting.comparison import MOST_CURVES, Curve, draw_comparison, is_comparison
from jaxseq.runs.load import artifacts_of, experiment_of, files_of
from jaxseq.runs.ownership import CONFIG
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import write_atomic
from jaxseq.storage.metrics_file import METRICS_CSV, read_metrics
from jaxseq.tasks import task_of

Split = Literal["train", "validation"]

_NO_METRICS = {"step", "epoch", "split", "learning_rate", "gradient_norm", "skipped"}


class Point(NamedTuple):
    """A value and the step at which it was measured."""

    value: float
    step: int


class Spread(NamedTuple):
    """How values lie, as those of the same run with several seeds."""

    mean: float
    deviation: float
    """Sample standard deviation (the divisor is n - 1); NaN for a single value."""
    least: float
    most: float


@dataclass(frozen=True)
class ComparedRun:
    """What a run directory says of its run."""

    path: Path
    config: ExperimentConfig
    rows: list[dict[str, str]]
    artifacts: str | None
    """Digest of what its task keeps in checkpoints, as a tokenizer; None where there is nothing so far."""

    @property
    def metrics(self) -> list[str]:
        """Names of what it measures, in the order of the file."""
        return [name for name in self.rows[0] if name not in _NO_METRICS]

    def points(self, metric: str, split: str) -> list[Point]:
        """The values of a metric on a split, in order."""
        rows = (row for row in self.rows if row["split"] == split and row.get(metric))
        return [Point(float(row[metric]), int(row["step"])) for row in rows]

    def last(self, metric: str, split: str) -> Point | None:
        """The newest value; None where there is none."""
        return next(iter(self.points(metric, split)[::-1]), None)

    def best(self, metric: str, split: str) -> Point | None:
        """The best value, the first of equal ones; None where there is none, or where nobody knows which way is
        better."""
        known, best = self.known.get(metric), None
        for point in self.points(metric, split) if known else []:
            if known and known.is_better(point.value, best and best.value):
                best = point
        return best

    @property
    def known(self) -> dict[str, Metric]:
        """What its task knows of metrics, by their names."""
        return {metric.name: metric for metric in task_of(self.config).metrics}


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other."""

    runs: tuple[ComparedRun, ...]
    metrics: tuple[str, ...]
    """All that any of them measures, or the one asked for."""
    split: Split
    differences: dict[str, list[Any]]
    """Fields of the configurations in which they differ, with the value of each run; "absent" where it has none."""
    remark: str
    """Why their figures are not to be held against each other; "" where they may be."""

    def better(self, metric: str) -> str:
        """Which way is better, "lower" or "higher"; "" where that is not known."""
        known = self._known(metric)
        return known.better if known else ""

    def winner(self, metric: str) -> float | None:
        """The best value of all runs; None where their figures are not to be held against each other."""
        known = self._known(metric)
        if self.remark or len(self.runs) < 2 or known is None:
            return None
        best: float | None = None
        for run in self.runs:
            point = run.best(metric, self.split)
            if point is not None and known.is_better(point.value, best):
                best = point.value
        return best

    def spread(self, metric: str) -> Spread | None:
        """How the best values lie of runs that differ in their seeds alone; None of others."""
        seeds = self.differences.get("train.seed", [])
        if len(set(seeds)) < len(self.runs) or set(self.differences) != {"train.seed"}:
            return None
        best = [run.best(metric, self.split) for run in self.runs]
        return spread([point.value for point in best if point is not None]) if all(best) else None

    def _known(self, metric: str) -> Metric | None:
        return next((run.known[metric] for run in self.runs if metric in run.known), None)

    def to_json(self) -> dict[str, Any]:
        """All of it, JSON-ready; None stands for what is no finite number or is not there."""

        def point(found: Point | None) -> dict[str, Any] | None:
            if found is None:
                return None
            return {"value": found.value if math.isfinite(found.value) else None, "step": found.step}

        def figures(run: ComparedRun, metric: str) -> dict[str, Any]:
            return {"last": point(run.last(metric, self.split)), "best": point(run.best(metric, self.split))}

        return {
            "split": self.split,
            "runs": [
                {"run": os.fspath(run.path), "metrics": {name: figures(run, name) for name in self.metrics}}
                for run in self.runs
            ],
            "differences": self.differences,
            "remark": self.remark or None,
        }


def compare_runs(
    paths: Sequence[Path], *, metric: str = "", split: Split = "validation", poll: Poll = never
) -> Comparison:
    """Reads the runs in `paths`, of whatever tasks, one that is being trained included; nothing is written.

    Args:
        metric: look at this one alone.
        poll: called before each run.

    Raises:
        InputError: one of them is no run or has measured nothing yet, or none has measured `metric` on `split`.
    """
    runs: list[ComparedRun] = []
    for path in paths:
        poll()
        runs.append(_read(path))
    measured = dict.fromkeys(name for run in runs for name in run.metrics if run.points(name, split))
    if not measured:
        raise InputError(
            f"no run has been measured on the {split} split so far: wait, or give --split "
            f"{'train' if split == 'validation' else 'validation'}"
        )
    if metric and metric not in measured:
        raise InputError(f"--metric is {metric!r}, which no run has on the {split} split: choose {', '.join(measured)}")
    return Comparison(tuple(runs), tuple([metric] if metric else measured), split, _differing(runs), _remark(runs))


def draw(comparison: Comparison, picture: Path) -> None:
    """Draws the curves of the first metric as a PNG at `picture`; what is there is overwritten if it is one too.

    Raises:
        InputError: it cannot be written, or something else has its name.
    """
    if picture.suffix.lower() != ".png":
        raise InputError(f"--picture is {picture}: it is a PNG, let its name end in .png")
    if len(comparison.runs) > MOST_CURVES:
        raise InputError(f"--picture shows {MOST_CURVES} runs, here are {len(comparison.runs)}: name fewer")
    if os.path.lexists(picture) and not _is_ours(picture):
        raise InputError(f"{picture} is there and is none that jaxseq compare drew: give another --picture")
    # A metric that all runs have shows the most.
    shared = [name for name in comparison.metrics if all(run.points(name, comparison.split) for run in comparison.runs)]
    metric = (shared or list(comparison.metrics))[0]
    curves = [
        Curve(
            escaped_line(os.fspath(run.path)),
            run.points(metric, comparison.split),
            run.points(metric, "train") if comparison.split != "train" else [],
            run.best(metric, comparison.split),
        )
        for run in comparison.runs
    ]
    label = f"{comparison.split} {metric.replace('_', ' ')}"
    write_atomic(picture, draw_comparison(curves, label=label, name=picture.name))


def spread(values: Sequence[float]) -> Spread:
    """Mean, sample standard deviation, least and greatest of `values` [n]; NaN among them makes all of these NaN.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("there are no values: give one or more")
    array = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):  # infinite values have no deviation
        deviation = float(array.std(ddof=1)) if len(array) > 1 else math.nan
        return Spread(float(array.mean()), deviation, float(array.min()), float(array.max()))


def _read(path: Path) -> ComparedRun:
    if not os.path.lexists(path / CONFIG):
        raise InputError(f"{path} holds no run: give run directories, as runs/quickstart")
    files = files_of(path)
    config = experiment_of(files) if CONFIG in files else read_config(path / CONFIG)
    faults: list[str] = []
    rows = read_metrics(path / METRICS_CSV, tell=faults.append)
    if not rows:
        what = "holds no row of metrics" if os.path.lexists(path / METRICS_CSV) else "is not there yet"
        raise InputError(f"{path} has measured nothing: {METRICS_CSV} {what}; wait for the first, or leave the run out")
    for fault in faults:
        tell(fault)
    return ComparedRun(path, config, rows, _digest(artifacts_of(files)))


def _digest(artifacts: Mapping[str, bytes]) -> str | None:
    """Hex SHA-256 of names and contents; None where there are none."""
    each = sorted((name, hashlib.sha256(content).hexdigest()) for name, content in artifacts.items())
    return hashlib.sha256(repr(each).encode()).hexdigest() if each else None


def _differing(runs: Sequence[ComparedRun]) -> dict[str, list[Any]]:
    first = runs[0].config
    changed = [{each.name: each for each in differences(first, run.config)} for run in runs]
    old = {name: each.old for found in changed for name, each in found.items()}
    return {name: [found[name].new if name in found else old[name] for found in changed] for name in old}


def _remark(runs: Sequence[ComparedRun]) -> str:
    """Perplexities of two vocabularies are of two things: what is a symbol in one is half a word in the other."""
    if len({tuple(run.metrics) for run in runs}) > 1:
        return "the runs do not measure the same, as those of different tasks: no best of all is marked"
    known = runs[0].known
    of_tokens = any(known[name].of_tokens for name in runs[0].metrics if name in known)
    if of_tokens and len({run.artifacts for run in runs}) > 1:
        return (
            "the runs have different vocabularies, and so their tokens are not the same: no best of all is marked; "
            "compare bits per character (jaxseq evaluate)"
        )
    return ""


def _is_ours(picture: Path) -> bool:
    try:
        with open_regular(picture) as file:
            return is_comparison(file.read(1000))
    except OSError:
        return False
