"""The command `jaxseq`: finds the subcommand, and turns bad input into one line and exit code 2."""

import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from jaxseq import __version__, console
from jaxseq.errors import InputError
from jaxseq.signals import Stopped, StopRequest

COMMANDS = {
    "train": "train a model, or go on with a run",
    "sample": "sample text from a trained model",
    "evaluate": "measure a trained model on a split",
}
_SMALLER = {
    "train": "lower --data.batch-size, --data.length or the size of the model; --data.memory-map is for large texts",
    "sample": "lower --num-samples",
    "evaluate": "lower --rows, or give a shorter text as --source",
}


def main(argv: Sequence[str] | None = None, *, program: str = "jaxseq") -> int:
    """Runs a command line, that of this process by default; returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    command = words[0] if words and words[0] in COMMANDS else None
    if command is not None:
        words, program = words[1:], f"{program} {command}"
    return _guarded(command, words, program, ours=argv is None)


def run(command: str, argv: Sequence[str] | None = None, *, program: str) -> int:
    """Runs one command, with the arguments of this process by default; returns the exit code.

    Bad input, too little memory and output that cannot be written are one line on standard error and exit code 2; a
    signal that ends it is 128 and its number, Ctrl-C 130. A reader of the output that has gone away (`| head`) ends the
    command quietly.
    """
    return _guarded(command, sys.argv[1:] if argv is None else argv, program, ours=argv is None)


def _guarded(command: str | None, argv: Sequence[str], program: str, *, ours: bool) -> int:
    """Runs a command, or none; with `ours` the process is the command's, and ends with it."""
    try:
        # The first of all: what comes before is lost, and what is imported later takes seconds.
        with StopRequest(command=True) as stop:
            console.open_descriptors()
            with console.outputs(stop.raising):
                return _ending(command, argv, program, stop)
    except KeyboardInterrupt:  # before and after that
        return 130
    finally:
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Python's own handler would show where in its end the process was hit.
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ending(command: str | None, argv: Sequence[str], program: str, stop: StopRequest) -> int:
    try:
        try:
            code = _list_commands(argv, program) if command is None else _function(command)(argv, program, stop)
        except SystemExit:
            sys.stdout.flush()
            raise
        sys.stdout.flush()
        return code
    except InputError as error:
        console.tell(f"error: {error}")
        return 2
    except Stopped as stopped:
        return stopped.exit_code
    except console.ReaderGoneError:
        return 0
    except (MemoryError, RuntimeError) as error:  # XLA's errors are RuntimeErrors
        if command is None or (isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED")):
            raise
        first = next(iter(str(error).splitlines()), "out of memory")
        reason = first.removeprefix("RESOURCE_EXHAUSTED: ").removesuffix(".")
        console.tell(f"error: {reason}: {_SMALLER[command]}")
        return 2


def _function(command: str) -> Callable[[Sequence[str], str, StopRequest], int]:
    """The main function of a command, (argv, program, stop) -> exit code."""
    module = import_module(f"jaxseq.commands.{command}")
    return lambda argv, program, stop: module.main(argv, program=program, stop=stop)


def _list_commands(argv: Sequence[str], program: str) -> int:
    if list(argv) in (["--version"], ["-V"]):
        console.show(f"jaxseq {__version__}")
        return 0
    if list(argv) in ([], ["--help"], ["-h"]):
        lines = [f"usage: {program} COMMAND ...", "", *(f"  {name:10}{what}" for name, what in COMMANDS.items())]
        console.show("\n".join([*lines, "", f"{program} COMMAND --help lists what a command takes."]))
        return 0 if argv else 2
    raise InputError(f"there is no command {argv[0]!r}: choose {', '.join(COMMANDS)}")
