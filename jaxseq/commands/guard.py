"""What every command has around it: signals noted, output that may fail, and errors as one line and exit code 2."""

import sys
from collections.abc import Callable, Sequence

from jaxseq import console
from jaxseq.errors import InputError
from jaxseq.signals import Stopped, StopRequest

Main = Callable[[Sequence[str], StopRequest], int]
"""(argv, stop) -> exit code."""


def guarded(command: Callable[[], Main], argv: Sequence[str], *, smaller: str = "", last: bool = False) -> int:
    """The exit code of what `command` imports, run with `argv`.

    Bad input, too little memory and output that cannot be written are one line on standard error and exit code 2; a
    signal that ends it is 128 and its number. A reader of the output that has gone away (`| head`) ends it quietly.

    Args:
        smaller: what to do where memory does not suffice.
        last: whether the process ends with it; then signals go on being noted, as they would kill it otherwise.
    """
    # The first of all: any file opened earlier could take a standard descriptor, any signal would be lost, and what is
    # imported later takes seconds.
    console.open_descriptors()
    with StopRequest(command=True, last=last) as stop, console.outputs(stop.raising):
        try:
            return _flushed(lambda: command()(argv, stop))
        except InputError as error:
            console.tell(f"error: {error}")
            return 2
        except Stopped as stopped:
            return stopped.exit_code
        except console.ReaderGoneError:
            return 0
        except (MemoryError, RuntimeError) as error:  # XLA's errors are RuntimeErrors
            if not smaller or (isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED")):
                raise
            first = next(iter(str(error).splitlines()), "out of memory")
            reason = first.removeprefix("RESOURCE_EXHAUSTED: ").removesuffix(".")
            console.tell(f"error: {reason}: {smaller}")
            return 2


def _flushed(function: Callable[[], int]) -> int:
    """What `function` returns or leaves with, when all that it printed has got there."""
    try:
        code = function()
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code
