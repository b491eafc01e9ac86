"""Metrics of a trained model on a split, with the carry and without it."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxseq import console
from jaxseq.data.corpus import Corpus, take_split
from jaxseq.data.sources import STANDARD_INPUT, waits
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.runs.load import Loaded, load_run
from jaxseq.runs.memory import evaluation_parts, require_memory
from jaxseq.runs.scratch import scratch_directory
from jaxseq.signals import Poll, StopRequest, never, own_unless
from jaxseq.tasks.corpora import prepare, prepared_before, split_names
from jaxseq.tasks.language_modeling import evaluation
from jaxseq.tasks.task import Evaluation
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.training.devices import choose_devices
from jaxseq.training.evaluate import Evaluator

SplitName = Literal["train", "validation", "test"]


class SplitEvaluator:
    """Makes a task's evaluation; compiled once. "tokens" of the metrics says how many predictions they are of."""

    def __init__(self, evaluation: Evaluation, *, devices: int = 0) -> None:
        self._evaluation = evaluation
        parallel, _ = choose_devices(devices, evaluation.loader.batch_size)
        self._evaluator = Evaluator(evaluation.loss, parallel=parallel, metrics=evaluation.metrics)

    @property
    def left_out(self) -> str:
        """What of the split is not measured, in words; empty where all is."""
        return self._evaluation.loader.left_out

    def __call__(self, variables: Any, *, batches: int = 0, poll: Poll = never) -> dict[str, float]:
        """Metrics over the first `batches` batches, 0 for the whole split; `poll` is called every few of them."""
        loader = self._evaluation.loader
        steps = min(batches, loader.steps_per_epoch) if batches else loader.steps_per_epoch
        return self._evaluator(variables, loader, steps=steps, carry=self._evaluation.initial_carry(), poll=poll)


class Validation(NamedTuple):
    """Metrics on the validation split while a run trains."""

    evaluator: SplitEvaluator
    batches: int
    """Batches in an evaluation that need not be of the whole split; 0 for all."""
    poll: Poll = never
    """Called every few batches."""

    def __call__(self, variables: Any, whole: bool) -> dict[str, float]:
        return self.evaluator(variables, batches=0 if whole else self.batches, poll=self.poll)


def evaluate_run(
    run_dir: Path,
    *,
    split: SplitName = "validation",
    checkpoint: Literal["best", "newest"] = "best",
    rows: int = 1,
    source: str | None = None,
    encoding: str | None = None,
    stop: StopRequest | None = None,
) -> dict[str, dict[str, float]]:
    """Metrics by "carried" and "windows"; "tokens" of them is the number of predictions measured, of the
    "split_tokens" that the split has.

    Args:
        rows: contiguous rows read side by side where the carry is handed on.
        source: another text, split as that of the run; by default the text of the run, which must be what it was.
        encoding: of another text; by default that of the run.
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: the run cannot be read, has no such split, or does not fit into memory in so many rows.
        Stopped: a signal has come.
    """
    with own_unless(stop) as stop:
        return _evaluated(run_dir, split, checkpoint, rows, source, encoding, stop)


def _evaluated(
    run_dir: Path,
    split: SplitName,
    checkpoint: Literal["best", "newest"],
    rows: int,
    source: str | None,
    encoding: str | None,
    stop: StopRequest,
) -> dict[str, dict[str, float]]:
    stop.poll()
    loaded = load_run(run_dir, checkpoint=checkpoint)
    for line in loaded.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    data = loaded.config.data
    if split not in split_names(data):
        raise InputError(
            f"{run_dir} has no {split} split (data.split is {data.split}): choose {' or '.join(split_names(data))}"
        )
    with _corpus(run_dir, loaded, source, encoding, stop) as corpus:
        part = take_split(corpus, data.split, split)
        if rows >= len(part.ids):
            raise InputError(f"--rows is {rows}, the {split} split has {len(part.ids)} tokens: give a lower one")
        parts = evaluation_parts(loaded.model, loaded.params, rows=rows, length=data.length)
        require_memory(f"reading {rows:,} rows of windows of {data.length:,}", parts, remedy="lower --rows")
        text_length = _text_length(loaded.tokenizer, part.ids, stop.poll)
        evaluations = {
            "carried": evaluation(loaded.model, data, part, how="carried", rows=rows),
            "windows": evaluation(loaded.model, data, part, how="windows"),
        }
        results = {name: SplitEvaluator(each)(loaded.variables, poll=stop.poll) for name, each in evaluations.items()}
    for metrics in results.values():
        metrics["bits_per_character"] = metrics["bits_per_token"] * len(part.ids) / text_length
        metrics["split_tokens"] = len(part.ids)
    return results


@contextlib.contextmanager
def _corpus(
    run_dir: Path, loaded: Loaded, source: str | None, encoding: str | None, stop: StopRequest
) -> Iterator[Corpus]:
    """The text of the run, which must be what it was, or another one."""
    data = loaded.config.data
    own = source is None
    if not own:
        data = dataclasses.replace(data, source=source, encoding=encoding or data.encoding)
    elif data.source == STANDARD_INPUT:
        raise InputError(f"{run_dir} was trained on standard input, which is not kept: give the text as --source")
    changed = InputError(
        f"{data.source} has changed since {run_dir} was trained on it, and its splits with it: give the text as "
        "it was, or this one as --source"
    )
    # The run's token file is read where it fits, and never written: that is for training to do.
    mapped = prepared_before(data, loaded.tokenizer, run_dir / "tokens.npy") if own else None
    with scratch_directory(stop) if data.memory_map and mapped is None else contextlib.nullcontext() as scratch:
        file = scratch and scratch / "tokens.npy"
        try:
            with stop.raising() if waits(data.source) else contextlib.nullcontext():
                prepared = mapped or prepare(data, tokenizer=loaded.tokenizer, token_file=file, poll=stop.poll)
        except UnknownSymbolError as error:
            raise (changed if own else error) from error
        if own and not prepared.has_fingerprint(loaded.corpus):
            raise changed
        yield prepared.corpus


def _text_length(tokenizer: Tokenizer, ids: np.ndarray, poll: Poll) -> int:
    """Characters of the text of `ids`, which need not fit into memory."""
    stream, at_once, length = tokenizer.stream(), 2**20, 0
    for at in range(0, len(ids), at_once):
        poll()
        length += len(stream.push(ids[at : at + at_once]))
    return length + len(stream.flush())
