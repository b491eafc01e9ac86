"""What stands in a directory of checkpoints: which of it is one, told by its content, and how one is moved or removed.

The names are told in `jaxseq.storage.checkpoint`. A name alone makes nothing ours: a folder `20240101` of someone's,
or a note inside of a checkpoint, is neither counted nor deleted.
"""

import os
import re
from pathlib import Path

from jaxseq.errors import CheckpointError
from jaxseq.storage.manifest import ARRAYS, META, is_ours
from jaxseq.storage.snapshot import remove_snapshot

_UNFINISHED = (".building", ".discard")
_NAME = re.compile(r"([0-9]{8,})(\.replaced)?")
_ANY_NAME = re.compile(r"[0-9]{8,}(\.replaced|\.aside(-[0-9]+)?)?")
_LOOKS = 5

Identity = tuple[int, int, int]
"""What tells a directory from another one of the same name."""


def listed(directory: Path) -> dict[int, Path]:
    """As `find`, by someone who does not hold the directory: a single listing can miss what is renamed meanwhile."""
    for _ in range(_LOOKS):
        if found := find(directory):
            return found
    return {}


def find(directory: Path) -> dict[int, Path]:
    """Checkpoints by step, and what damage may have left of one. A replaced one counts where its successor has not come
    into place.

    Raises:
        CheckpointError: the directory cannot be read.
    """
    found: dict[int, Path] = {}
    try:
        paths = sorted(directory.iterdir(), reverse=True)  # "N.replaced" before "N", which overrides it
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise CheckpointError(f"{directory} cannot be read ({error.strerror}): check its permissions") from error
    for path in paths:
        if (match := _NAME.fullmatch(path.name)) and _can_be_left_of_one(path):
            found[int(match[1])] = path
    return found


def unfinished(directory: Path) -> list[Path]:
    """Work in progress, or what a killed process left of it; and after that, checkpoints that were about to be replaced
    and may need its place."""
    return [
        path
        for path in sorted(directory.iterdir())
        if path.name in _UNFINISHED or (path.suffix == ".replaced" and is_named(path) and is_ours(path))
    ]


def is_named(path: Path) -> bool:
    """Whether `path` has the name of a checkpoint, one set aside included."""
    return _ANY_NAME.fullmatch(path.name) is not None


def identity(path: Path) -> Identity | None:
    """That of what stands at `path`; None where there is nothing, or a link that leads nowhere."""
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino, there.st_mtime_ns  # the number alone may be given to a later directory


def replaced(path: Path) -> Path:
    """Where a checkpoint stands while another of its step takes its place."""
    return path.with_name(f"{path.name}.replaced")


def free_name(path: Path) -> Path:
    """`path` with ".aside" added, a number where that is taken, and no dot before, which would hide it."""
    visible = path.name.lstrip(".")
    name = path.with_name(f"{visible}.aside")
    number = 2
    while os.path.lexists(name):
        name = path.with_name(f"{visible}.aside-{number}")
        number += 1
    return name


def discard(path: Path) -> None:
    """Deletes a checkpoint by way of a rename, so that a kill in between leaves none with files missing. Of a link only
    the link goes."""
    if path.is_symlink():
        path.unlink()
        return
    out_of_the_way = path.with_name(".discard")
    path.rename(out_of_the_way)
    remove(out_of_the_way, back_to=path)


def remove(path: Path, *, back_to: Path | None = None) -> None:
    """Deletes what is ours of unfinished work; if other things lie in it, they go `back_to` a name, or aside."""
    remove_snapshot(path)
    if os.path.lexists(path):
        path.rename(back_to if back_to is not None and not os.path.lexists(back_to) else free_name(path))


def _can_be_left_of_one(path: Path) -> bool:
    """Whether what has the name of a checkpoint is one, or what damage may have left of one; else it is another's."""
    try:
        if not path.is_dir():
            return path.is_symlink() or (path.is_file() and path.stat().st_size == 0)
        entries = os.listdir(path)
    except OSError:
        return os.path.lexists(path)
    return not entries or META in entries or ARRAYS in entries or is_ours(path)
