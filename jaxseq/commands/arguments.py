"""Command lines from dataclasses (tyro), with errors that are one line."""

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tyro

from jaxseq.console import tell
from jaxseq.errors import InputError
from jaxseq.paths import expanded

Arguments = TypeVar("Arguments")

_NARROWEST, _WIDEST = 40, 300
"""Columns that help is set in."""


def parse(
    kind: type[Arguments],
    argv: Sequence[str],
    *,
    program: str,
    usage: str = "",
    description: str = "",
    default: Any = None,
) -> Arguments:
    """`argv` as a `kind`. `--help` prints all fields and leaves with 0; a mistake is one line, exit code 2.

    Args:
        usage: what the help shows after the program, before the options.
        default: a `kind` that fields not given are taken from.
    """
    heard = io.StringIO()
    options = {"default": default} if default is not None else {}
    try:
        with contextlib.redirect_stderr(heard), _width(argv):
            return tyro.cli(
                kind,
                args=list(argv),
                prog=f"{program} {usage}".rstrip(),
                description=description or None,
                config=(tyro.conf.AvoidSubcommands,),
                **options,
            )
    except SystemExit as error:
        if error.code in (0, None):
            sys.stderr.write(heard.getvalue())
            raise
        message = _one_line(heard.getvalue())
        if usage and message.startswith("Unrecognized options: ") and ".py" in message:
            message += f" (the order is {program} {usage} OPTIONS)"
        if dashed := _dashed_value(message, argv):
            message += f" (a value that begins with a dash is given as {dashed})"
        fail(f"{message}; see {program} --help")


def fail(message: str) -> NoReturn:
    """Prints `message` as an error and leaves with exit code 2."""
    tell(f"error: {message}")
    raise SystemExit(2)


@contextlib.contextmanager
def _width(argv: Sequence[str]):
    """The width at which tyro folds lines: for help that of the terminal within reason, in a narrower one it never
    ends; for errors a large one, for they are to be one line."""
    wanted = "--help" in argv or "-h" in argv
    columns = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST) if wanted else 1000
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _dashed_value(message: str, argv: Sequence[str]) -> str | None:
    """Where an option lacks its value and the next word begins with a dash, the two as they were perhaps meant."""
    missing = re.search(r"Missing value for argument '([^']+)'", message)
    names = missing[1].replace("_", "-").split("/") if missing else []
    for word, following in itertools.pairwise(argv):
        if word.replace("_", "-") in names and following.startswith("-"):
            return shlex.join([f"{word}={following}"])
    return None


def _one_line(box: str) -> str:
    """What stands in tyro's box of an error: the message, and an option that was perhaps meant."""
    lines = [line.strip("│ ") for line in box.splitlines() if line.strip("│╭╰╮╯─- ")]
    if len(lines) > 1:
        del lines[0]  # the title: in the frame, or above the message where the terminal has no UTF-8
    # An impossible value names its own field: tyro's section before it adds nothing.
    message = re.sub(r"^Error parsing (?!-)[\w.]+: ", "", lines[0]).removesuffix(".")
    if message.endswith(":"):  # what is missing stands below, with its meaning
        message = f"{message} {' '.join(lines[1:3])}".removesuffix(" (required)").removesuffix(".")
    if "Perhaps you meant:" in lines:
        meant = lines[lines.index("Perhaps you meant:") + 1].split()[0]
        message += f" (perhaps you meant {meant}?)"
    return message


def new_file(path: Path) -> Path:
    """`path`, expanded, of a file to write.

    Raises:
        InputError: something is there.
    """
    path = expanded(path)
    if os.path.lexists(path):
        raise InputError(f"{path} is there already: give another name, or remove it")
    return path
