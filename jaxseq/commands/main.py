"""The command `jaxseq`: finds the subcommand, and turns bad input into one line and exit code 2."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from jaxseq import __version__
from jaxseq.errors import InputError

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
    """Runs a command line; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in COMMANDS:
        return run(argv[0], argv[1:], program=f"{program} {argv[0]}")
    if argv in (["--version"], ["-V"]):
        print(f"jaxseq {__version__}")
        return 0
    if argv in ([], ["--help"], ["-h"]):
        print(f"usage: {program} COMMAND ...\n")
        print("\n".join(f"  {name:10}{what}" for name, what in COMMANDS.items()))
        print(f"\n{program} COMMAND --help lists what a command takes.")
        return 0 if argv else 2
    print(f"error: there is no command {argv[0]!r}: choose {', '.join(COMMANDS)}", file=sys.stderr)
    return 2


def run(command: str, argv: Sequence[str], *, program: str) -> int:
    """Runs one command; returns the exit code.

    Bad input and too little memory are one line on standard error and exit code 2, Ctrl-C is 130. A reader of the
    output that has gone away (`| head`) ends the command quietly.
    """
    function: Callable[..., int] = import_module(f"jaxseq.commands.{command}").main
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 shows ? for what it cannot
    try:
        return function(argv, program=program)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Python flushes standard output once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MemoryError, RuntimeError) as error:  # XLA's errors are RuntimeErrors
        if isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        first = next(iter(str(error).splitlines()), "out of memory")
        reason = first.removeprefix("RESOURCE_EXHAUSTED: ").removesuffix(".")
        print(f"error: {reason}: {_SMALLER[command]}", file=sys.stderr)
        return 2
