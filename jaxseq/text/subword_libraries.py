"""The libraries of subwords, which are optional and come in late."""

import importlib
import os
from functools import cache
from typing import Any

from jaxseq.errors import InputError

_PARALLEL = "TOKENIZERS_PARALLELISM"


@cache
def tokenizers_library() -> Any:
    """The module `tokenizers`.

    A process that forks after it has used the library's threads is told so on standard error, and its child stands
    still where it uses them again. Here the child is told before to do without them, and nothing is printed.

    Raises:
        InputError: it is not installed.
    """
    os.register_at_fork(before=_threads.off, after_in_parent=_threads.back)
    return _imported("tokenizers")


@cache
def sentencepiece_library() -> Any:
    """The module `sentencepiece`.

    Raises:
        InputError: it is not installed.
    """
    return _imported("sentencepiece")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"tokenizers of subwords need the package {name}: pip install 'jaxseq[subword]'") from error


class _Threads:
    """The variable by which the library is told to do without threads, as it was before a fork."""

    before: str | None = None

    def off(self) -> None:
        self.before = os.environ.get(_PARALLEL)
        os.environ.setdefault(_PARALLEL, "false")

    def back(self) -> None:
        if self.before is None:
            del os.environ[_PARALLEL]


_threads = _Threads()
