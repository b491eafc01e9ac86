"""The names.txt of a checkpoint that is being written: which small files in it are ours before meta.json says so.

A kill leaves a directory without a meta.json, and what a task keeps in a checkpoint has any name. So the names are
written before the files, and removed once meta.json has them.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from jaxseq.opening import read_bytes
from jaxseq.storage.manifest import is_plain, seal, unsealed

NAMES = "names.txt"
_KEY = "of a checkpoint that jaxseq is writing"
_BEGINNING = seal({_KEY: []}).encode().partition(b"]")[0]


def render_names(names: Iterable[str]) -> str:
    """The text of the names.txt that `read_names` reads as `names`."""
    return seal({_KEY: list(names)})


def read_names(path: Path) -> frozenset[str] | None:
    """The names in the names.txt of the directory `path`; none in one that a kill has cut short, which can be where
    nothing else lies so far; None where there is none, or one of somebody else."""
    try:
        raw = read_bytes(path / NAMES)
        if raw[: len(_BEGINNING)] != _BEGINNING[: len(raw)]:
            return None
        content = unsealed(raw)
        if content is None:
            return frozenset() if os.listdir(path) == [NAMES] else None
    except OSError:
        return None
    return frozenset(name for name in content[_KEY] if is_plain(name) and "/" not in name)
