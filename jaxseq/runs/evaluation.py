"""Metrics of a trained model on a split, in each way that its task has of measuring it."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jaxseq import console
from jaxseq.data.sources import STANDARD_INPUT
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.runs.load import Run, load_run
from jaxseq.runs.scratch import scratch_directory
from jaxseq.signals import Poll, StopRequest, never, own_unless
from jaxseq.tasks.task import Evaluation, Task, Workspace, task_of
from jaxseq.training.devices import evaluation_devices
from jaxseq.training.evaluate import Evaluator

SplitName = Literal["train", "validation", "test"]


class SplitEvaluator:
    """Makes a task's evaluation; compiled once."""

    def __init__(self, evaluation: Evaluation, *, devices: int = 0, model_devices: int = 1) -> None:
        self._evaluation, self._evaluator = evaluation, None
        if evaluation.loss is not None:
            self._evaluator = Evaluator(
                evaluation.loss,
                parallel=evaluation_devices(devices, evaluation.loader.batch_size, model=model_devices),
                metrics=evaluation.metrics,
                counted=evaluation.counted,
                steps_per_dispatch=10 if evaluation.loader.uniform else 1,
            )

    @property
    def left_out(self) -> str:
        """What of the split is not measured, in words; empty where all is."""
        return self._evaluation.loader.left_out

    def __call__(self, variables: Any, *, batches: int = 0, poll: Poll = never) -> dict[str, float]:
        """Metrics over the first `batches` batches, 0 for the whole split, which an evaluation that measures by itself
        always is of; `poll` is called every few of them."""
        if self._evaluator is None:
            assert self._evaluation.measure is not None
            return self._evaluation.measure(variables, poll)
        loader = self._evaluation.loader
        steps = min(batches, loader.steps_per_epoch) if batches else loader.steps_per_epoch
        means = self._evaluator(variables, loader, steps=steps, carry=self._evaluation.initial_carry(), poll=poll)
        return self._evaluation.complete(variables, means, poll)


class Validation(NamedTuple):
    """Metrics on the validation split while a run trains."""

    evaluator: SplitEvaluator
    batches: int
    """Batches in an evaluation that need not be of the whole split; 0 for all."""
    poll: Poll = never
    """Called every few batches."""

    def __call__(self, variables: Any, whole: bool) -> dict[str, float]:
        return self.evaluator(variables, batches=0 if whole else self.batches, poll=self.poll)


class Measured(NamedTuple):
    """What an evaluation has measured, and what it is."""

    evaluation: Evaluation
    metrics: dict[str, float]


def evaluate_run(
    run_dir: Path,
    *,
    split: SplitName | Sequence[SplitName] = "validation",
    checkpoint: Literal["best", "newest"] = "best",
    rows: int | None = None,
    source: str | None = None,
    encoding: str | None = None,
    stop: StopRequest | None = None,
) -> dict[str, Measured]:
    """Metrics by the names of the task's evaluations.

    Args:
        split: the split; of several the first that there is.
        rows: of a batch; by default what the task finds right.
        source: other data, split as those of the run; by default those of the run, which must be what they were.
        encoding: of other data; by default that of the run.
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: the run cannot be read, has no such split, or does not fit into memory in so many rows.
        Stopped: a signal has come.
    """
    with own_unless(stop) as stop, contextlib.ExitStack() as stack:
        stop.poll()
        run = load_run(run_dir, checkpoint=checkpoint)
        for line in run.skipped:
            console.tell(f"skipped a checkpoint: {line}")
        wanted = [split] if isinstance(split, str) else list(split)
        _require_split(run_dir, run.task, wanted)  # before data are read in vain
        task = with_data(run_dir, run, source, encoding, stop, stack)
        chosen = _require_split(run_dir, task, wanted)
        return {
            name: Measured(each, SplitEvaluator(each)(run.variables, poll=stop.poll))
            for name, each in task.evaluations(chosen, rows=rows).items()
        }


def _require_split(run_dir: Path, task: Task, wanted: Sequence[str]) -> str:
    """The first of the splits `wanted` that there is."""
    there = task.splits()
    for name in wanted:
        if name in there:
            return name
    raise InputError(f"{run_dir} has no {wanted[0]} split: choose {' or '.join(there)}")


def with_data(
    run_dir: Path, run: Run, source: str | None, encoding: str | None, stop: StopRequest, stack: contextlib.ExitStack
) -> Task:
    """The run's task with its data, which must be what they were, or with others.

    Args:
        source: None for its own.
        stack: closes what is made for the time of its use.

    Raises:
        InputError: the data cannot be read, or have changed.
    """
    experiment, own = run.experiment, source is None
    if own and experiment.data.source == STANDARD_INPUT:
        raise InputError(f"{run_dir} was trained on standard input, which is not kept: give the text as --source")
    if source is not None:
        data: Any = experiment.data.elsewhere(source)
        if encoding and not hasattr(data, "encoding"):
            raise InputError(f"--encoding is {encoding}: data of kind {data.kind} have none, leave it out")
        data = dataclasses.replace(data, encoding=encoding) if encoding else data
        experiment = dataclasses.replace(experiment, data=data)
    changed = InputError(
        f"{experiment.data.source} has changed since {run_dir} was trained on it, and its splits with it: give the "
        "text as it was, or this one as --source"
    )
    workspace = Workspace(
        directory=run_dir if own else None,
        artifacts=run.task.artifacts(),
        scratch=lambda: stack.enter_context(scratch_directory(stop)),
        poll=stop.poll,
        waiting=stop.raising,
    )
    try:
        task = task_of(experiment).create(experiment, workspace)
    except UnknownSymbolError as error:
        raise (changed if own else error) from error
    if own and not task.has_fingerprint(run.fingerprint):
        raise changed
    return task
