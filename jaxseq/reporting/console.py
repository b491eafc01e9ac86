"""What a person sees of a run while it goes on: a progress bar, or lines."""

import sys
from collections.abc import Sequence
from typing import Any, TextIO

from jaxseq.console import Output, escaped_line
from jaxseq.metrics.metric import Metric
from jaxseq.reporting.reporter import Rate, Row


class Console:
    """On a terminal a bar with steps, time left, loss and speed; elsewhere a line for each row.

    A courtesy: when it can no longer be printed the run goes on without.

    Args:
        metrics: what rows are shown with, beside the learning rate and the batches skipped.
        counted: what the speed is that of.
        stream: where to; by default standard error.
    """

    def __init__(
        self, metrics: Sequence[Metric] = (), *, counted: str = "tokens", stream: TextIO | None = None
    ) -> None:
        self._counted = counted
        self._shown = [*(metric.name for metric in metrics), "learning_rate", "skipped"]
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
            speed = f", {self._rate.per_second:,.0f} {self._counted}/s" if self._rate.per_second else ""
            self._bar.set_postfix_str(f"loss {loss:.4f}{speed}", refresh=False)
            self._bar.update(step - self._bar.n)

    def row(self, row: Row) -> None:
        values = [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in self._shown if name in row]
        if self._bar is None:
            if row["split"] == "train" and self._rate.per_second:
                values.append(f"{self._rate.per_second:,.0f} {self._counted}/s")
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
