"""`jaxseq tag`: the morphemes of Korean texts, from a file to a tagged one."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq import console
from jaxseq.commands.arguments import new_file, parse
from jaxseq.data.archives import COMPRESSED_SUFFIXES
from jaxseq.data.arriving import as_they_come
from jaxseq.data.records import open_records
from jaxseq.data.sources import waits
from jaxseq.errors import InputError
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless
from jaxseq.storage.atomic import replacing, writing
from jaxseq.text.morphemes import Morpheme, analyser, tag_texts
from jaxseq.text.tagged import tagged_line

_AHEAD = 4096  # texts that are read before those that came first are tagged
_SHOWN = 1000  # lines between two looks at how many there are


@dataclass(frozen=True)
class TagArguments:
    """The morphemes of Korean texts with their parts of speech, as 영화/NNG 를/JKO. A line comes out for every text
    that goes in, in the same order; white space, "/" and "\\" in a form are written as in JSON, \\u0020."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """File of texts, compressed or not: one on each line, an empty line too; or a .csv, .tsv or .jsonl with a column of
    texts. "-" is standard input; what comes from there, or from a pipe, is answered as it comes."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: standard output)")] = (
        None
    )
    """File to write, which appears when it is complete; it must not be there."""
    file_format: Literal["by name", "text", "csv", "tsv", "jsonl"] = "by name"
    """Format of the file, where its name does not tell it."""
    text_column: str = "text"
    """Column or key of a table that holds the texts."""
    encoding: Annotated[str, tyro.conf.arg(aliases=["--data.encoding"])] = "utf-8"
    """Encoding of the file; what comes out is UTF-8."""
    format: Literal["text", "jsonl"] = "text"
    """What to write: lines of tokens, to train on as words (splitter "whitespace"), or a JSON object on each line with
    the text, and of each morpheme where it starts and ends in it."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, tags, writes; returns the exit code."""
    arguments = parse(TagArguments, argv, program=program)
    output = None if arguments.output is None else _new(arguments.output)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        progress = _Progress(shown=output is not None)
        try:
            analyser()  # tells what is missing before anything is read or written
            lines = progress.counted(_lines(arguments, stop))
            if output is None:
                flush = waits(arguments.file)
                _write(lines, lambda line: print(line, flush=flush), stop)
            else:
                with replacing(output) as file:

                    def write(line: str) -> None:
                        with writing(output):
                            file.write(f"{line}\n".encode())

                    _write(lines, write, stop)
        except Stopped as stopped:
            return stopped.exit_code
        finally:
            progress.end()
    return 0


def _new(path: Path) -> Path:
    """`path`, which is not there, and no compressed file by its name."""
    path = new_file(path)
    if path.suffix.lower() in COMPRESSED_SUFFIXES:
        raise InputError(f"{path} would not be compressed: leave {path.suffix} out of --output, and compress it after")
    return path


def _write(lines: Iterable[str], write: Callable[[str], None], stop: StopRequest) -> None:
    for line in lines:
        write(line)
        stop.poll()


def _lines(arguments: TagArguments, stop: StopRequest) -> Iterator[str]:
    """What to write, line by line; where the texts come from one who waits for it, as soon as they come."""
    shown = {"text": _as_text, "jsonl": _as_json}[arguments.format]
    form = None if arguments.file_format == "by name" else arguments.file_format
    texts = open_records(arguments.file, form=form, text_column=arguments.text_column, encoding=arguments.encoding)
    slow = waits(arguments.file)
    for group in as_they_come(texts, most=_AHEAD, waiting=stop.raising if slow else nullcontext):
        for text, morphemes in zip(group, tag_texts(group), strict=True):
            yield shown(text, morphemes)


def _as_text(text: str, morphemes: Sequence[Morpheme]) -> str:
    return tagged_line([morpheme[:2] for morpheme in morphemes])


def _as_json(text: str, morphemes: Sequence[Morpheme]) -> str:
    tree = {"text": text, "morphemes": [morpheme._asdict() for morpheme in morphemes]}
    return console.json_line(tree).rstrip("\n")


class _Progress:
    """On a terminal, a line that says how far it is and is written over."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._count = 0

    def counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            yield line
            self._count += 1
            if self._count % _SHOWN == 0:
                self._show()

    def end(self) -> None:
        if self._count >= _SHOWN:
            self._show("\n")

    def _show(self, end: str = "") -> None:
        if self._shown:
            print(f"\r{self._count:,} lines", end=end, file=sys.stderr, flush=True)
