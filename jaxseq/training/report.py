"""What a person sees of a run while it goes on: a progress bar or lines, and TensorBoard."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from jaxseq.console import Output, escaped_line
from jaxseq.training.events import EventFile

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


class Console:
    """On a terminal a bar with steps, time left, loss and tokens a second; elsewhere a line for each row.

    A courtesy: when it can no longer be printed the run goes on without.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        to: Any = stream or sys.stderr
        self._stream: Any = to if isinstance(to, Output) else Output(to, courtesy=True)
        self._bar: Any = None
        self._rate = Rate()

    def begin(self, step: int, total: int) -> None:
        self.close()
        self._rate = Rate()
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                initial=step,
                total=total,
                unit="step",
                file=self._stream,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps, {remaining} left{postfix}",
            )

    def advance(self, step: int, loss: float, tokens: float) -> None:
        self._rate.add(tokens)
        if self._bar is not None:
            speed = f", {self._rate.per_second:,.0f} tokens/s" if self._rate.per_second else ""
            self._bar.set_postfix_str(f"loss {loss:.4f}{speed}", refresh=False)
            self._bar.update(step - self._bar.n)

    def row(self, row: Row) -> None:
        values = [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in _SHOWN if name in row]
        if self._bar is None:
            if row["split"] == "train" and self._rate.per_second:
                values.append(f"{self._rate.per_second:,.0f} tokens/s")
            self.say(f"step {row['step']}, epoch {row['epoch']:.4g}, {row['split']}: {', '.join(values)}")
        elif row["split"] != "train":
            self.say(f"step {row['step']}, {row['split']}: {', '.join(values)}")
        if row["split"] != "train":
            self._rate = Rate()

    def say(self, text: str) -> None:
        text = escaped_line(text)
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


_SHOWN = ("loss", "perplexity", "bits_per_token", "accuracy", "learning_rate", "skipped")


class TensorBoard:
    """Event files in `directory`: every number of every row as split/name, and the speed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: EventFile | None = None
        self._rate = Rate()

    def begin(self, step: int, total: int) -> None:
        self._rate = Rate()
        self._file = EventFile(self._directory, purge_after=step)

    def advance(self, step: int, loss: float, tokens: float) -> None:
        self._rate.add(tokens)

    def row(self, row: Row) -> None:
        if self._file is None:
            raise ValueError("a row before the beginning: call begin first")
        split = row["split"]
        scalars = {f"{split}/{name}": value for name, value in row.items() if name not in ("step", "split")}
        if split == "train" and self._rate.per_second:
            scalars["speed/tokens_per_second"] = self._rate.per_second
        self._file.add(row["step"], scalars)
        if split != "train":
            self._rate = Rate()

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


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
