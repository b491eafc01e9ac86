"""What a trained model says of texts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, TypeVar

from jaxseq import console
from jaxseq.data.arriving import as_they_come
from jaxseq.data.records import RecordFormat, open_records
from jaxseq.data.sources import waits
from jaxseq.runs.load import load_run
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Capability, Prediction, Predicts, capable

Answer = TypeVar("Answer")

_AHEAD = 4096
"""Texts that are read before those that came first are answered."""


def read_texts(
    source: str, *, form: RecordFormat | None = None, text_column: str = "text", encoding: str = "utf-8"
) -> Iterator[str]:
    """The texts of a file or of standard input ("-"): one for each line or record, empty ones too.

    Raises:
        InputError: there is no such file, or a record cannot be read; its line is named.
    """
    return open_records(source, form=form, text_column=text_column, encoding=encoding)


def come_slowly(source: str) -> bool:
    """Whether texts may keep one waiting, and who sends them wait for what is said of them: those of standard input
    and of pipes."""
    return waits(source)


def predict_run(
    run_dir: Path,
    texts: Iterable[str],
    *,
    checkpoint: Literal["best", "newest"] = "best",
    waiting: Callable[[], AbstractContextManager[Any]] | None = None,
    poll: Poll = never,
) -> Iterator[Prediction]:
    """What the model of a run says of each text, in order.

    Args:
        waiting: of texts that may keep one waiting: entered while they do. What has come is then predicted at once.

    Raises:
        InputError: the run cannot be read, or its task predicts nothing.
    """
    task, variables = run_that(Predicts, run_dir, checkpoint=checkpoint)
    return answered(lambda some: task.predict(variables, some, poll=poll), texts, waiting=waiting)


def run_that(
    capability: type[Capability], run_dir: Path, *, checkpoint: Literal["best", "newest"] = "best"
) -> tuple[Capability, dict[str, Any]]:
    """The task of a run, which has the capability, and its variables; what was skipped is told.

    Raises:
        InputError: the run cannot be read, or its task has not the capability.
    """
    run = load_run(run_dir, checkpoint=checkpoint)
    for line in run.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    return capable(run.task, capability, run=run_dir), run.variables


def answered(
    answer: Callable[[Iterable[str]], Iterator[Answer]],
    texts: Iterable[str],
    *,
    waiting: Callable[[], AbstractContextManager[Any]] | None = None,
) -> Iterator[Answer]:
    """What `answer` gives for texts, in order; with `waiting`, which is entered while they keep one waiting, for those
    that have come at once."""
    if waiting is None:
        return answer(texts)
    groups = as_they_come(texts, most=_AHEAD, waiting=waiting)
    return (made for group in groups for made in answer(group))
