"""From tallies to metrics, and metrics.csv."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from jaxseq.errors import InputError
from jaxseq.opening import open_append, read_text
from jaxseq.ops.losses import Tally
from jaxseq.training.files import sync, write_atomic, writing

Row = Mapping[str, object]


class Meter:
    """Sums of tallies in float64, by name: exact for counts past 2^24, where float32 stops counting."""

    def __init__(self, sums: Mapping[str, Iterable[float]] | None = None) -> None:
        self._sums = {name: (float(total), float(count)) for name, (total, count) in (sums or {}).items()}

    def add(self, tallies: Mapping[str, Tally]) -> None:
        """Adds tallies on the host; their arrays may hold several steps, which are added in order."""
        for name, tally in tallies.items():
            total, count = self._sums.get(name, (0.0, 0.0))
            for more, items in zip(
                np.atleast_1d(tally.total).tolist(), np.atleast_1d(tally.count).tolist(), strict=True
            ):
                total, count = total + more, count + items
            self._sums[name] = (total, count)

    def means(self) -> dict[str, float]:
        """Total over count for each name; those with a count of 0 are left out."""
        return {name: total / count for name, (total, count) in self._sums.items() if count}

    def count(self, name: str) -> float:
        """Items counted under `name`."""
        return self._sums.get(name, (0.0, 0.0))[1]

    def to_json(self) -> dict[str, list[float]]:
        """The sums, JSON-ready and exact."""
        return {name: list(pair) for name, pair in self._sums.items()}


def derived(means: Mapping[str, float]) -> dict[str, float]:
    """`means`, and from its "loss" in nats a token: "perplexity" e^loss and "bits_per_token" loss / ln 2."""
    if "loss" not in means:
        return dict(means)
    loss = means["loss"]
    perplexity = math.exp(loss) if loss < 700 else math.inf if loss == loss else math.nan
    return {**means, "perplexity": perplexity, "bits_per_token": loss / math.log(2)}


class MetricsFile:
    """metrics.csv: a row for each time something was measured, in the order of the steps.

    The columns are step, epoch, split, those given, learning_rate, gradient_norm and skipped, all of them functions of
    the run's configuration: time and speed are kept elsewhere, so that two runs can be compared byte by byte.
    """

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._path = path
        self._columns = ["step", "epoch", "split", *columns, "learning_rate", "gradient_norm", "skipped"]

    def cut(self, step: int) -> None:
        """Removes the rows after `step`, and what a killed process left of one; makes the file where there is none.

        Raises:
            InputError: the file cannot be written.
        """
        rows = [row for row in read_metrics(self._path) if int(row["step"]) <= step] if self._path.exists() else []
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, text.getvalue())

    def append(self, row: Row) -> None:
        """Adds a row; what has no column is left out, a column without a value left empty.

        Raises:
            InputError: the file cannot be written.
        """
        text = io.StringIO()
        csv.DictWriter(text, self._columns, extrasaction="ignore", lineterminator="\n").writerow(
            {name: f"{value:.9g}" if isinstance(value, float) else value for name, value in row.items()}
        )
        with writing(self._path), open_append(self._path) as file:
            file.write(text.getvalue().encode())

    def sync(self) -> None:
        """Forces the rows to disk."""
        sync(self._path)


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, whole ones only.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = read_text(path, errors="replace", most=2**31).splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): remove it, and check the directory") from error
    rows = csv.DictReader(line for line in lines if line.endswith("\n"))
    return [row for row in rows if None not in row and None not in row.values() and row.get("step", "").isdigit()]
