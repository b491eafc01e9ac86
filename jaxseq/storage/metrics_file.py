"""metrics.csv: what a run has measured."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxseq.opening import open_append, open_regular
from jaxseq.storage.atomic import sync, write_atomic, writing

Row = Mapping[str, Any]
METRICS_CSV = "metrics.csv"
"""Name of the rows of metrics, in a run directory and in a checkpoint."""


class MetricsFile:
    """metrics.csv: a row for each time something was measured, in the order of the steps.

    The columns are step, epoch, split, those given, learning_rate, gradient_norm and skipped, all of them functions of
    the run's configuration: time and speed are kept elsewhere, so that two runs can be compared byte by byte.

    The rows are held here and go into every checkpoint (`content`). The file is a view of them: one that was deleted,
    cut or changed is written again, and `say` is told so in one line.
    """

    def __init__(self, path: Path, columns: Iterable[str], *, say: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._columns = [*_FIRST, *columns, "learning_rate", "gradient_norm", "skipped"]
        self._header = ",".join(self._columns) + "\n"
        self._say = say
        self._parts = [self._header]
        self._size = 0

    @property
    def content(self) -> str:
        """The content of the file as it ought to be."""
        self._parts = ["".join(self._parts)]
        return self._parts[0]

    def restore(self, record: str, step: int) -> None:
        """Takes up the `content` of a checkpoint; what the file has after it is removed, of a process that was killed.

        Args:
            step: of the checkpoint.

        Raises:
            InputError: the file cannot be written.
        """
        raw = record.encode()
        there = None if self._path.is_symlink() else _first_bytes(self._path, len(raw) + 1)
        if there is None or not there.startswith(raw):
            what = "is missing" if not os.path.lexists(self._path) else "lacks rows or is damaged"
            self._say(f"{self._path} {what}: restored from the checkpoint of step {step}")
        if not record.startswith(self._header):  # of a version with other columns
            record = self._header + "".join(map(self._line, _rows(raw)[0]))
        self._parts, self._size = [record], len(record.encode())
        if there != self._parts[0].encode():
            self._rewrite()

    def cut(self, step: int) -> list[Row]:
        """Takes up what the file itself has up to `step`; it is made where there is none. Damaged rows are left out.

        Returns:
            The rows taken up.

        Raises:
            InputError: the file cannot be written.
        """
        rows = [row for row in read_metrics(self._path) if int(row["step"]) <= step] if step >= 0 else []
        self._parts = [self._header, *map(self._line, rows)]
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite()
        return list(rows)

    def append(self, row: Row) -> None:
        """Adds a row; what has no column is left out, a column without a value left empty.

        Raises:
            InputError: the file cannot be written.
        """
        line = self._line(row)
        self._parts.append(line)
        with writing(self._path), open_append(self._path) as file:
            whole = file.tell() == self._size
            if whole:
                file.write(line.encode())
                self._size += len(line.encode())
        if not whole:
            self._mend()

    def sync(self) -> None:
        """Forces the rows to disk.

        Raises:
            InputError: the file cannot be written.
        """
        if self._path.is_file() and self._path.stat().st_size == self._size:
            sync(self._path)
        else:
            self._mend()

    def _mend(self) -> None:
        self._say(f"{self._path} was changed or deleted while training: written again")
        self._rewrite()

    def _rewrite(self) -> None:
        content = self.content.encode()
        write_atomic(self._path, content)
        self._size = len(content)

    def _line(self, row: Row) -> str:
        def text(value: Any) -> str:
            return "" if value is None else f"{value:.9g}" if isinstance(value, float) else str(value)

        return ",".join(text(row.get(name)) for name in self._columns) + "\n"


def read_metrics(path: Path, *, tell: Callable[[str], None] = lambda _: None) -> list[dict[str, str]]:
    """The rows of a metrics.csv, whole and sound ones only.

    Args:
        tell: is given one line where something had to be left out.
    """
    raw = _first_bytes(path)
    if raw is None:
        tell(f"{path} is missing or no file that can be read: it is left out")
        return []
    rows, fault = _rows(raw)
    if fault:
        tell(f"{path} is damaged: {fault} left out")
    return rows


def _rows(raw: bytes) -> tuple[list[dict[str, str]], str]:
    """The sound rows, and what had to be left out, "" for nothing."""
    head, *lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    columns = head.decode("utf-8", "replace").split(",")
    if not lines or columns[: len(_FIRST)] != _FIRST or len(set(columns)) < len(columns):
        return [], "it has no header, and is"
    torn = lines.pop()  # what follows the last line end; nothing, in a whole file
    sound = [line for line in lines if line.count(b",") == len(columns) - 1 and _SOUND.fullmatch(line)]
    rows = [dict(zip(columns, line.decode().split(","), strict=True)) for line in sound]
    there = len(lines) + bool(torn)
    return rows, f"{there - len(rows)} of its {there} rows are" if there > len(rows) else ""


_FIRST = ["step", "epoch", "split"]
_NUMBER = rb"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)"
_SOUND = re.compile(rb"\d{1,10},%b,(?:train|validation|test)(?:,(?:%b)?)*" % (_NUMBER, _NUMBER))


def _first_bytes(path: Path, count: int = -1) -> bytes | None:
    """What a regular file begins with, all of it for -1; None where there is none or it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(count)
    except OSError:
        return None
