"""The command `jaxseq`: finds the subcommand. It imports next to nothing until a signal cannot show where it hit."""

import sys
from collections.abc import Callable, Sequence

from jaxseq import __version__

COMMANDS = {
    "train": "train a model, or go on with a run",
    "summary": "the layers of a model, their outputs, parameters and multiply-adds",
    "sample": "sample text from a trained model",
    "evaluate": "measure a trained model on a split",
    "predict": "say what a trained model makes of texts",
    "embed": "give texts their vectors by a trained model",
    "translate": "translate texts by a trained model",
    "caption": "say what a trained model sees in pictures",
    "tag": "find the morphemes of Korean texts",
    "mix": "measure several language models as one",
    "import": "make a run of weights from Keras, PyTorch or a .safetensors",
    "export": "write what a model has learned for other programs: weights, functions, vectors",
    "nearest": "find the words nearest to a word, by their vectors",
    "analogy": "find what is to a word as a second one is to a first",
    "score": "hold word vectors against what people say of pairs and analogies",
    "project": "show word vectors in two dimensions, or in TensorBoard",
    "draw": "draw the codes of positions",
    "compare": "what several runs have measured, and what differs between them",
}
_MODULES = {"import": "import_weights"}
"""Of commands that Python's words are called like."""
_FEWER = "cut the file of vectors to its first lines, those of the most frequent words"
_SMALLER = {
    "train": "lower --data.batch-size, --data.length or the size of the model; --data.memory-map is for large texts",
    "sample": "lower --num-samples",
    "evaluate": "lower --rows, or give a shorter text as --source",
    "predict": "give fewer texts at a time",
    "embed": "give fewer texts at a time",
    "translate": "lower --beam, or give fewer texts at a time",
    "caption": "lower --beam, or give fewer pictures at a time",
    "draw": "lower --length or --features",
    "nearest": _FEWER,
    "analogy": _FEWER,
    "score": _FEWER,
    "project": _FEWER,
}


def main(argv: Sequence[str] | None = None, *, program: str = "jaxseq") -> int:
    """Runs a command line, that of this process by default; returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words and words[0] in COMMANDS:
        return _run(words[0], words[1:], f"{program} {words[0]}", ours=argv is None)
    return _run(None, words, program, ours=argv is None)


def run(command: str, argv: Sequence[str] | None = None, *, program: str) -> int:
    """Runs one command, with the arguments of this process by default; returns the exit code, see
    `jaxseq.commands.guard`."""
    return _run(command, sys.argv[1:] if argv is None else argv, program, ours=argv is None)


def _run(command: str | None, argv: Sequence[str], program: str, *, ours: bool) -> int:
    """With `ours` the process is the command's, and ends with it."""
    code = 1
    if ours:
        import atexit

        atexit.register(_ignore_signals)  # the first one is the last to be called
    try:
        from jaxseq.commands.guard import guarded

        smaller = _SMALLER.get(command or "", "")
        code = guarded(lambda: _function(command, program), argv, smaller=smaller, last=ours)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
        raise
    finally:
        if ours:
            _end_at_a_signal(code)
    return code


def _end_at_a_signal(code: int) -> None:
    """The work is done: a signal from now on ends the process with the code that it has come to. Libraries take their
    time to end, and Python's own handler of Ctrl-C would show where."""
    import os

    _on_signals(lambda *_: os._exit(code))


def _ignore_signals() -> None:
    """For the last tenth of a second, in which Python takes itself apart and no handler is called any more."""
    import signal

    _on_signals(signal.SIG_IGN)


def _on_signals(handler: Callable[..., object] | int) -> None:
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, handler)


def _function(command: str | None, program: str) -> Callable[..., int]:
    """(argv, stop) -> exit code, of a command or of none."""
    from importlib import import_module

    if command is None:
        return lambda argv, stop: _list_commands(argv, program)
    module = import_module(f"jaxseq.commands.{_MODULES.get(command, command)}")
    return lambda argv, stop: module.main(argv, program=program, stop=stop)


def _list_commands(argv: Sequence[str], program: str) -> int:
    from jaxseq.console import show
    from jaxseq.errors import InputError

    if list(argv) in (["--version"], ["-V"]):
        show(f"jaxseq {__version__}")
        return 0
    if list(argv) in ([], ["--help"], ["-h"]):
        lines = [f"usage: {program} COMMAND ...", "", *(f"  {name:10}{what}" for name, what in COMMANDS.items())]
        show("\n".join([*lines, "", f"{program} COMMAND --help lists what a command takes."]))
        return 0 if argv else 2
    raise InputError(f"there is no command {argv[0]!r}: choose {', '.join(COMMANDS)}")
