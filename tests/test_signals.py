"""Signals are noted and honoured at safe places; where there is none for long, a command ends all the same."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jaxseq.signals import Stopped, StopRequest, never, own_unless

ROOT = Path(__file__).parents[1]
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("command", [False, True])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_raised_where_it_is_asked_for(number, command):
    before = signal.getsignal(number)
    with StopRequest(command=command) as stop:
        stop.poll()
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)  # the first one counts
        with pytest.raises(Stopped) as stopped:
            stop.poll()
    assert (stopped.value.signal, stopped.value.exit_code) == (number, 128 + number)
    assert not isinstance(stopped.value, Exception)
    assert signal.getsignal(number) == before
    never()


def test_a_second_ctrl_c_raises_where_the_process_is_not_a_command_s():
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_signals_that_were_ignored_stay_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest(command=True) as stop:
            signal.raise_signal(signal.SIGHUP)
            stop.poll()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_while_it_waits_for_others_a_signal_raises_at_once_and_afterwards_no_more():
    with StopRequest() as stop:
        with pytest.raises(Stopped), stop.raising():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_outside_the_main_thread_it_does_nothing():
    def enter():
        with StopRequest(command=True) as stop, stop.raising():
            noted.append(stop.signal)

    noted = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert noted == [None]


def test_a_request_that_is_given_is_used():
    with StopRequest() as stop, own_unless(stop) as same, own_unless(None) as own:
        assert same is stop
        assert own is not stop


BUSY = """
import hashlib, sys
from jaxseq.signals import StopRequest
with StopRequest(command=True) as stop:
    stop.patience = eval(sys.argv[1])
    stop.leaving.append(lambda: print("left", flush=True))
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes in C, where no handler of Python's runs
"""


@pytest.mark.parametrize(
    ("patience", "numbers", "code", "told"),
    [
        (None, [signal.SIGTERM, signal.SIGINT], 130, ""),
        (None, [signal.SIGINT, signal.SIGINT], 130, ""),
        (0.1, [signal.SIGTERM], 143, "left\n"),
        (0.1, [signal.SIGINT], 130, "left\n"),
    ],
)
def test_a_command_deep_in_a_library_ends_by_a_second_ctrl_c_or_when_patience_is_over(patience, numbers, code, told):
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, repr(patience)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers:
            while not taken(process.pid):
                pass
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, told, "")


def taken(pid: int) -> bool:
    """Whether the process has every signal sent to it: two of a kind at once are one to the kernel."""
    status = Path(f"/proc/{pid}/status").read_text()
    return all(int(line.split()[1], 16) == 0 for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd")))
