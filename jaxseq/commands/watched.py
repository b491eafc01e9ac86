"""A command that is one of several processes, watched over by the process that was started.

Where another one is lost, or does not come, JAX ends a process by abort(3), after pages on descriptor 2 from threads
that Python knows nothing of. So the work is done in a child, whose libraries print into a pipe; when they abort, the
process that was started says in one line why, and ends with exit code 2. All else is the child's: what it prints in
Python, its exit code, and signals, which are passed on.
"""

import contextlib
import io
import os
import re
import select
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from jaxseq import console
from jaxseq.commands.guard import Main, guarded
from jaxseq.processes import Group
from jaxseq.signals import StopRequest

_KEPT = 2**16
"""Bytes of what libraries print that are looked through, from the last one back."""
_LOOK_EVERY = 0.1
"""Seconds until a signal to this process is passed on."""


def watched(work: Main, argv: Sequence[str], stop: StopRequest, group: Group, *, smaller: str = "") -> int:
    """Does `work` in a child; the exit code. To be called before JAX is imported.

    Args:
        smaller: as `guarded` has it.
    """
    printed, prints = os.pipe()
    lifeline, held = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the thread that waits for signals: the child starts its own
        child = os.fork()
    if child == 0:
        os.close(printed)
        os.close(held)
        _work(work, argv, prints, lifeline, smaller)
    os.close(prints)
    os.close(lifeline)
    said, sent = b"", False
    while True:
        if select.select([printed], [], [], _LOOK_EVERY)[0]:
            piece = os.read(printed, _KEPT)
            if not piece:
                break
            said = (said + piece)[-_KEPT:]
        if stop.signal is not None and not sent:
            sent = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, stop.signal)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(printed)
    os.close(held)
    if code >= 0:
        return code
    told = said.decode(errors="backslashreplace")
    reason = reason_of_abort(told, group) if code == -signal.SIGABRT else None
    if reason is None:
        if code != -signal.SIGKILL:
            sys.stderr.write(console.escaped(told))
        name = signal.Signals(-code).name
        console.tell(f"error: this process was ended by {name}: the same command on all of them goes on")
        return 128 - code
    console.tell(f"error: {reason}")
    return 2


def reason_of_abort(printed: str, group: Group) -> str | None:
    """What JAX's words at an abort come to, in one line; None where they are about something else."""
    where = f"the coordinator, {group.coordinator}," if group.coordinator else "the coordinator of the cluster"
    if "RegisterTask" in printed or "Wait_for_all_tasks" in printed:
        came = re.search(r"reached the barrier: (\d+)/", printed)
        number = f", {came[1]} came" if came else ""
        return (
            f"not all of {group.count} processes (train.processes) have found each other at {where} in "
            f"{group.timeout} s (train.process_timeout){number}: start them all at about the same time, each with its "
            "own train.process, and see that the first can be reached there"
        )
    if "distributed service" in printed or "coordination" in printed:
        return (
            f"another of the {group.count} processes has ended, or was not heard of for {group.timeout} s "
            "(train.process_timeout): see what it said; the same command on all of them goes on from the newest "
            "checkpoint"
        )
    return None


def _work(work: Main, argv: Sequence[str], prints: int, lifeline: int, smaller: str) -> NoReturn:
    """The child: does the work and ends, without what Python does at an end, which would wait for the others."""
    code = 1
    try:
        os.setpgid(0, 0)  # the terminal's Ctrl-C comes through the process that was started, once
        threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            _move(stream, number)
            os.dup2(prints, number)
        os.close(prints)
        code = guarded(lambda: work, argv, smaller=smaller, last=True)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _move(stream: Any, number: int) -> None:
    """Gives a stream of `jaxseq.console.outputs` another descriptor than `number`, of the same file."""
    old = stream.stream
    if isinstance(old, io.TextIOWrapper):
        file = io.FileIO(os.dup(number), "w")
        stream.stream = io.TextIOWrapper(
            io.BufferedWriter(file), old.encoding, "backslashreplace", line_buffering=old.line_buffering
        )


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: it ends when the other process does
    os._exit(128 + signal.SIGKILL)
