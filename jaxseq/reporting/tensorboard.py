"""A run as TensorBoard shows it."""

from pathlib import Path

from jaxseq.reporting.event_file import EventFile
from jaxseq.reporting.reporter import Rate, Row


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
