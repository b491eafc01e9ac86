"""What commands have in common that ask a run about texts: how the texts are given, and how answers are printed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq.errors import InputError
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class TextsArguments:
    """A run, and texts."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/NAME."""
    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts, each in quotes."""
    file: str = ""
    """File of texts instead, compressed or not: one on each line, an empty line too; or a .csv, .tsv or .jsonl with a
    column of texts. "-" is standard input; what comes from there, or from a pipe, is answered as it comes."""
    file_format: Literal["by name", "text", "csv", "tsv", "jsonl"] = "by name"
    """Format of the file, where its name does not tell it."""
    text_column: str = "text"
    """Column or key of a table that holds the texts."""
    encoding: Annotated[str, tyro.conf.arg(aliases=["--data.encoding"])] = "utf-8"
    """Encoding of the file."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""

    def __post_init__(self) -> None:
        if bool(self.texts) == bool(self.file):
            what = "both texts and --file are" if self.texts else "neither a text nor --file is"
            raise InputError(f"{what} given: give texts in quotes, or --file FILE (- for standard input)")

    def given(self) -> Iterable[str]:
        """The texts themselves."""
        from jaxseq.runs.prediction import read_texts

        if not self.file:
            return self.texts
        form = None if self.file_format == "by name" else self.file_format
        return read_texts(self.file, form=form, text_column=self.text_column, encoding=self.encoding)


def answer(
    arguments: TextsArguments, lines: Callable[[StopRequest, bool], Iterator[str]], stop: StopRequest | None
) -> int:
    """Prints what `lines` gives, which is told whether who sends the texts waits for it; returns the exit code."""
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        try:
            from jaxseq.runs.prediction import come_slowly  # after the process is set up: it imports JAX

            waits = bool(arguments.file) and come_slowly(arguments.file)
            for line in lines(stop, waits):
                print(line, flush=waits)
                stop.poll()
        except Stopped as stopped:
            return stopped.exit_code
    return 0
