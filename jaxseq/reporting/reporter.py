"""Who is told what a run does."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

Row = Mapping[str, Any]


class Reporter(Protocol):
    """Told by the training loop what happens."""

    def begin(self, step: int, total: int) -> None:
        """Training goes on after `step`; called again when the run goes back to a checkpoint."""

    def advance(self, step: int, loss: float, tokens: float) -> None:
        """Steps up to `step` are done; `loss` is their mean over `tokens`."""

    def row(self, row: Row) -> None:
        """A row of metrics: step, epoch, split and values."""

    def say(self, text: str) -> None:
        """Something out of the ordinary, one line."""

    def close(self) -> None:
        """The run has ended."""


class Silent:
    """Reports nothing."""

    def begin(self, step: int, total: int) -> None: ...

    def advance(self, step: int, loss: float, tokens: float) -> None: ...

    def row(self, row: Row) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


class Reporters:
    """Passes everything on to several reporters."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(self, step: int, total: int) -> None:
        for reporter in self._reporters:
            reporter.begin(step, total)

    def advance(self, step: int, loss: float, tokens: float) -> None:
        for reporter in self._reporters:
            reporter.advance(step, loss, tokens)

    def row(self, row: Row) -> None:
        for reporter in self._reporters:
            reporter.row(row)

    def say(self, text: str) -> None:
        for reporter in self._reporters:
            reporter.say(text)

    def close(self) -> None:
        for reporter in self._reporters:
            reporter.close()


class Rate:
    """Tokens a second over the last few seconds of training.

    The clock starts at the first note, whose tokens do not count: compiling, or an evaluation, lies before it.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._marks: list[tuple[float, float]] = []

    def add(self, tokens: float) -> None:
        """Notes `tokens` more, now."""
        now = time.perf_counter()
        self._marks.append((now, self._marks[-1][1] + tokens if self._marks else 0.0))
        while len(self._marks) > 2 and self._marks[1][0] < now - self._seconds:
            del self._marks[0]

    @property
    def per_second(self) -> float:
        """The rate, 0 before two notes."""
        if not self._marks:
            return 0.0
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - start) if end > start else 0.0
