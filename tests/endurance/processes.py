"""Commands run by the thousand: each in a process of its own, timed and watched from outside.

A start of Python with JAX takes seconds. So a process that has imported everything, and touched no JAX device, forks a
child for each command; it changes folder, streams and limits, calls what `jaxseq` calls, and leaves as Python would:
waits for threads, runs the exit handlers, flushes its streams. A new interpreter can be started instead. Linux only.
"""

import atexit
import contextlib
import ctypes
import io
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Main = Callable[[Sequence[str]], int]

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2): a child goes when its parent does
_AS_LIMIT = 16 * 2**30
"""Bytes of address space a child may have, a backstop: what is judged is the memory really taken."""
_LOOK_EVERY = 0.05


@dataclass
class Setting:
    """What is around a command."""

    folder: Path
    """Working directory."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the environment."""
    stdin: bytes = b""
    stdout: int | str = "file"
    """A descriptor, "file" for one that is read back, or "closed"."""
    stderr: int | str = "file"
    limit: float = 20.0
    """Seconds after which it counts as hanging, and is killed."""
    ask_after: float | None = None
    """Seconds after which a command still at work is sent SIGTERM, which must end it."""
    memory: int = 6 * 2**30
    """Resident bytes above which it is killed."""
    before: Callable[[], None] | None = None
    """Called in a forked child just before the command."""
    watch: Callable[["Running"], None] | None = None
    """Called every now and then while it runs; may send signals."""
    every: float = _LOOK_EVERY
    """Seconds between two calls of `watch`."""


@dataclass
class Outcome:
    """What became of a command."""

    code: int
    """Exit code; minus the signal's number where one ended it."""
    seconds: float
    out: bytes
    err: bytes
    ended: str = ""
    """"hang" or "memory" where it was killed for that, "asked" after a SIGTERM."""

    @property
    def error(self) -> str:
        return self.err.decode(errors="backslashreplace")


class Running:
    """A child at work."""

    def __init__(self, pid: int) -> None:
        self.pid, self.begin = pid, time.monotonic()

    @property
    def age(self) -> float:
        return time.monotonic() - self.begin

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def catches(self, number: int) -> bool:
        """Whether the child has a handler for a signal."""
        with contextlib.suppress(OSError, StopIteration, ValueError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            mask = next(line for line in status.splitlines() if line.startswith("SigCgt"))
            return bool(int(mask.split()[1], 16) >> (number - 1) & 1)
        return False

    def cpu(self) -> float:
        """Seconds of a core it has used."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def memory(self) -> int:
        """Resident bytes."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        return 0


def run(main: Main | Sequence[str], argv: Sequence[str], setting: Setting) -> Outcome:
    """Runs a command to its end.

    Args:
        main: what a forked child calls with `argv`, or the words that a new process begins with.
    """
    scratch = Path(tempfile.mkdtemp(prefix="streams-"))
    try:
        (scratch / "in").write_bytes(setting.stdin)
        opened = [os.open(scratch / "in", os.O_RDONLY)]
        for name, given in (("out", setting.stdout), ("err", setting.stderr)):
            (scratch / name).touch()
            opened.append(os.open(scratch / name, os.O_WRONLY | os.O_APPEND) if given == "file" else -1)
        places = [opened[0]] + [
            own if given == "file" else -1 if given == "closed" else int(given)
            for own, given in zip(opened[1:], (setting.stdout, setting.stderr), strict=True)
        ]
        start = _fork if callable(main) else _start
        running = Running(start(main, argv, setting, places))
        for descriptor in opened:
            if descriptor >= 0:
                os.close(descriptor)
        try:
            status, ended = _watched(running, setting)
        except BaseException:
            running.send(signal.SIGKILL)
            os.waitpid(running.pid, 0)
            raise
        out, err = ((scratch / name).read_bytes() for name in ("out", "err"))
        return Outcome(os.waitstatus_to_exitcode(status), running.age, out, err, ended)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _watched(running: Running, setting: Setting) -> tuple[int, str]:
    """Waits for the end of a child; its status, and whether it had to be brought about."""
    poll, ended = select.poll(), ""
    descriptor = os.pidfd_open(running.pid)
    poll.register(descriptor, select.POLLIN)
    try:
        while not poll.poll(1000 * setting.every):
            if setting.watch is not None:
                setting.watch(running)
            if running.memory() > setting.memory:
                ended = "memory"
            elif running.age > setting.limit:
                ended = "hang"
            elif setting.ask_after is not None and not ended and running.age > setting.ask_after:
                ended = "asked"
                running.send(signal.SIGTERM)
            if ended in ("memory", "hang"):
                running.send(signal.SIGKILL)
                break
        _, status, usage = os.wait4(running.pid, 0)
        return status, ended or ("memory" if usage.ru_maxrss * 1024 > setting.memory else "")
    finally:
        os.close(descriptor)


def _start(words: Sequence[str], argv: Sequence[str], setting: Setting, places: Sequence[int]) -> int:
    environment = {**os.environ, **setting.environment}

    def last() -> None:
        _limit()
        for number, place in enumerate(places):
            if place < 0:
                os.close(number)

    process = subprocess.Popen(
        [*words, *argv],
        cwd=setting.folder,
        env=environment,
        stdin=places[0],
        stdout=None if places[1] < 0 else places[1],
        stderr=None if places[2] < 0 else places[2],
        preexec_fn=last,
        start_new_session=True,
    )
    process.returncode = 0  # it is waited for here
    return process.pid


def fork() -> int:
    """As `os.fork`, with nothing left in the buffers that the child would print again."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of forks, which are harmless before it has done anything
        return os.fork()


def _fork(main: Main, argv: Sequence[str], setting: Setting, places: Sequence[int]) -> int:
    bridge = sys.modules.get("jax._src.xla_bridge")
    assert bridge is None or not bridge.backends_are_initialized(), "a process that has used JAX cannot be forked"
    child = fork()
    if child:
        return child
    code = 255
    try:
        _settle(setting, places)
        code = _as_a_process(main, argv, setting.before)
    finally:
        os._exit(code)


def _settle(setting: Setting, places: Sequence[int]) -> None:
    """Makes a forked child look like a new process."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _limit()
    tempfile.tempdir = None
    os.chdir(setting.folder)
    os.environ.update(setting.environment)
    for number, place in enumerate(places):
        if place >= 0:
            os.dup2(place, number)
    for number, place in enumerate(places):
        if place < 0:
            os.close(number)
    streams: list[Any] = [None, None, None]
    for number, place in enumerate(places):
        if place >= 0:
            mode, errors = ("r", "strict") if number == 0 else ("w", "backslashreplace" if number == 2 else "strict")
            lines = number == 2 or (number == 1 and os.isatty(number))
            file = io.FileIO(number, mode, closefd=False)
            buffered = io.BufferedReader(file) if number == 0 else io.BufferedWriter(file)
            streams[number] = io.TextIOWrapper(buffered, "utf-8", errors, line_buffering=lines)
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams


def _limit() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_AS_LIMIT, _AS_LIMIT))


def _as_a_process(main: Main, argv: Sequence[str], before: Callable[[], None] | None) -> int:
    """The exit code of a command, after all that Python does at an end."""
    try:
        if before is not None:
            before()
        code = main(argv)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        if isinstance(left.code, str) and sys.stderr:
            print(left.code, file=sys.stderr)
    except BaseException:
        code = 1
        with contextlib.suppress(OSError):  # of a standard error that is full or gone
            if sys.stderr:
                traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            code = 120
            with contextlib.suppress(OSError, AttributeError):
                sys.stderr.write(f"Exception ignored on flushing: {error!r}\n")
                sys.stderr.flush()
    return code
