"""The libraries of subwords, which are optional and come in late."""

import importlib
from functools import cache
from typing import Any

from jaxseq.errors import InputError


@cache
def tokenizers_library() -> Any:
    """The module `tokenizers`; from 0.23 on, a process that has used its threads may fork.

    Raises:
        InputError: it is not installed.
    """
    return _imported("tokenizers")


@cache
def sentencepiece_library() -> Any:
    """The module `sentencepiece`; from 0.2.3 on it gives ids as arrays, and offsets.

    Raises:
        InputError: it is not installed.
    """
    return _imported("sentencepiece")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"tokenizers of subwords need the package {name}: pip install 'jaxseq[subword]'") from error
