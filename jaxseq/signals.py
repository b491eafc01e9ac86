"""Stopping on request: Ctrl-C, SIGTERM and a closed terminal are noted, and acted on where all can be left whole."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any

Poll = Callable[[], None]
"""Called between two pieces of work; raises `Stopped` where they are to be the last."""

PATIENCE = 5.0
"""Seconds that a command with nothing to save has to end in order after a signal."""

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows lacks the last one


def never() -> None:
    """The poll of work that nobody stops."""


class Stopped(BaseException):
    """Work was left because of a signal. No Exception, so that nothing takes it for an error that can be got over."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.signal = number

    @property
    def exit_code(self) -> int:
        """What shells expect of a process that a signal has ended."""
        return 128 + self.signal


class StopRequest:
    """While entered, holds the first SIGINT, SIGTERM or SIGHUP received in `signal`.

    A second SIGINT raises KeyboardInterrupt; in a command it ends the process there and then, whatever it is doing.
    Signals that were ignored before (nohup, a job in the background) stay so. Outside the main thread, where Python
    delivers no signals, it does nothing.

    Args:
        command: the process is that of a command. A thread watches for the second SIGINT, for the main one may be in
            a library for minutes.
        last: the process ends with it, and signals are noted to the end: before they would be left to themselves,
            whoever is around it says what they do then.
    """

    def __init__(self, *, command: bool = False, last: bool = False) -> None:
        self.signal: signal.Signals | None = None
        self.leaving: list[Callable[[], object]] = []
        """Called before the process is ended because `patience` is over."""
        self.patience: float | None = None
        """Seconds after which a request that was not honoured ends the process of a command, exit code 128 + n; None
        waits for as long as it takes. For commands that have nothing to save."""
        self._command, self._last = command, last
        self._raising = False
        self._before: dict[signal.Signals, Any] = {}
        self._watch: _Watch | None = None

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
            if self._command and sys.platform != "win32":
                self._watch = _Watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.end()
        for number, handler in ({} if self._last else self._before).items():
            signal.signal(number, handler)
        self._before, self._watch = {}, None

    def poll(self) -> None:
        """Raises `Stopped` where a signal has come."""
        if self.signal is not None:
            raise Stopped(self.signal)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """While entered, a signal raises `Stopped` at once: for waiting on others, who may take for ever."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before, self._raising = self._raising, True
        try:
            yield
        finally:
            self._raising = before

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        elif number == signal.SIGINT:
            if self._command:
                os._exit(Stopped(signal.SIGINT).exit_code)
            raise KeyboardInterrupt
        if self._raising:
            self._raising = False
            raise Stopped(self.signal)


def own_unless(given: StopRequest | None) -> AbstractContextManager[StopRequest]:
    """The request that is given, which is entered already, or one of one's own."""
    return StopRequest() if given is None else nullcontext(given)


class _Watch:
    """A thread that is told of signals by the C handler, while the main one may be far from running Python's."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
        self._thread.start()

    def end(self) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._writer)
        self._thread.join()
        os.close(self._reader)

    def _run(self) -> None:
        first: signal.Signals | None = None
        deadline: float | None = None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if first is not None and not select.select([self._reader], [], [], left)[0]:
                for leave in self._request.leaving:
                    leave()
                os._exit(Stopped(first).exit_code)
            numbers = os.read(self._reader, 64)
            if not numbers:
                return
            for number in filter(_SIGNALS.__contains__, numbers):
                if first is None:
                    first = signal.Signals(number)
                    patience = self._request.patience
                    deadline = None if patience is None else time.monotonic() + patience
                elif number == signal.SIGINT:
                    os._exit(Stopped(signal.SIGINT).exit_code)
