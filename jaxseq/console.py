"""What is printed: safe to show whatever is in it, and of no harm to what goes on when it cannot be printed."""

import codecs
import contextlib
import io
import json
import os
import re
import select
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO, cast

from jaxseq.errors import InputError
from jaxseq.signals import Stopped

# Control characters but newline and tab; separators of lines; lone surrogates; format characters, which have no shape
# of their own and may reorder a line, but soft hyphens, the joiners that scripts and emoji are written with, and signs
# that enclose numbers.
_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
_IN_TEXT = re.compile(f"(?!\r\n)[{_UNSAFE}]")
_IN_LINE = re.compile(f"[\n{_UNSAFE}]")
_IN_JSON = re.compile(f"[{_UNSAFE}]")


class ReaderGoneError(Exception):
    """Whoever read standard output has gone away."""


def escaped(text: str) -> str:
    r"""`text` for people: characters that act on a terminal instead of showing there in Python's notation.

    Newlines, also as "\r\n", and tabs stay as they are.

    >>> escaped("a\x1b[31m b\r c\r\n")
    'a\\x1b[31m b\\r c\r\n'
    """
    return _IN_TEXT.sub(_in_python, text)


def escaped_line(text: str) -> str:
    r"""The same on one line.

    >>> escaped_line("runs/a\nb")
    'runs/a\\nb'
    """
    return _IN_LINE.sub(_in_python, text)


class Escaper:
    r"""`escaped`, of a text that comes in pieces: "\r\n" may be cut in two."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, piece: str) -> str:
        """What can be shown now."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return escaped(text.removesuffix(self._held))

    def flush(self) -> str:
        """The rest, with no more to come."""
        held, self._held = self._held, ""
        return escaped(held)


def json_line(tree: Any) -> str:
    """`tree` as a line of JSON, to the letter for whoever parses it, without a character that acts on a terminal.

    Where standard output has an encoding that cannot express all text, it is ASCII with escapes.
    """
    encoding = getattr(sys.stdout, "encoding", None)
    expresses_all = encoding is None or codecs.lookup(encoding).name.startswith("utf")
    return _IN_JSON.sub(_in_json, json.dumps(tree, ensure_ascii=not expresses_all)) + "\n"


def show(text: str = "") -> None:
    """Prints text for people and a line's end on standard output."""
    print(escaped(text), flush=True)


def tell(line: str) -> None:
    """Prints an error or a remark, one line whatever is in it, on standard error."""
    print(escaped_line(line), file=sys.stderr, flush=True)


class ProgressLine:
    """A line on a terminal that is written over."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        """Writes it in place of the one before; nothing where standard error is no terminal."""
        if sys.stderr.isatty():
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def end(self) -> None:
        """Leaves the last one standing."""
        if self._shown:
            print(file=sys.stderr)


def _in_python(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _in_json(match: re.Match[str]) -> str:
    units = memoryview(match[0].encode("utf-16", "surrogatepass")).cast("H")[1:]  # behind the byte order mark
    return "".join(f"\\u{unit:04x}" for unit in units)


class Output:
    """A stream to print to that fails once at most.

    As a courtesy it drops what cannot be printed, and all that comes after it. Otherwise that is an error, told once.
    Either way the descriptor leads nowhere from then on: Python, which flushes again at its end, and libraries that
    write there by themselves come to no harm.

    Args:
        raising: entered while it writes, see `jaxseq.signals.StopRequest.raising`: the reader may be in no hurry.
    """

    def __init__(
        self, stream: TextIO, *, courtesy: bool, raising: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self.stream = stream
        self.raising = raising
        self.courtesy = courtesy
        self._failed = False

    def write(self, text: str) -> int:
        self._attempt(lambda: self.stream.write(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._attempt(self.stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._failed:
            return
        try:
            with self.raising():
                action()
        except (OSError, ValueError) as error:
            if not isinstance(error, OSError) and not self.stream.closed:
                raise
            self._fail()
            if not self.courtesy:
                if isinstance(error, BrokenPipeError):
                    raise ReaderGoneError from error
                reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
                raise InputError(
                    f"standard output cannot be written ({reason}): free some space, or send it elsewhere"
                ) from error
        except Stopped:
            if not _takes_more(self.stream):
                self._fail()
            if not self.courtesy:
                raise

    def _fail(self) -> None:
        self._failed = True
        with contextlib.suppress(OSError, ValueError):
            descriptor = self.stream.fileno()
            if descriptor in (1, 2):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _takes_more(stream: TextIO) -> bool:
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):  # no descriptor, or one that nothing has to wait for
        return True


def open_descriptors() -> None:
    """Gives a process that was started without standard input, output or error something in their places.

    Otherwise the next file that is opened would be one of them, and what a library prints on descriptor 2 go into a
    checkpoint. `sys.stdin` stays None, for there is nothing to read.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding="utf-8"))


@contextmanager
def outputs(raising: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """While entered, standard error is a courtesy, standard output work; both show as escapes what their encoding
    lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    out = Output(sys.stdout, courtesy=False, raising=raising)
    error = Output(sys.stderr, courtesy=True, raising=raising)
    try:
        with contextlib.redirect_stderr(cast(TextIO, error)), contextlib.redirect_stdout(cast(TextIO, out)):
            yield
    finally:  # what an error has left behind
        out.courtesy = True
        out.flush()
        error.flush()


@contextmanager
def courtesy() -> Iterator[None]:
    """While entered, standard output is a courtesy too."""
    out: Any = sys.stdout if isinstance(sys.stdout, Output) else Output(sys.stdout, courtesy=False)
    before, out.courtesy = out.courtesy, True
    try:
        with contextlib.redirect_stdout(out):
            yield
    finally:
        out.flush()
        out.courtesy = before
