"""Writing a folder so that it is there whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxseq.errors import InputError
from jaxseq.storage.atomic import sync, writing


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write files to, which gets the name `path` where all goes well inside, and is removed where not. An
    empty folder of that name gives place to it.

    Until then it is a hidden sibling with a name of its own, which a killed process leaves behind. What is written to
    it is for `write_synced`, and errors in that for `writing`.

    Raises:
        InputError: something is there already, which stays as it is; or the folder cannot be made.
    """
    require_free(path)
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with writing(path):
        building.mkdir()
    try:
        yield building
        with writing(path):
            sync(building)
            try:
                building.rename(path)
            except OSError as error:
                # Since then somebody has made one; an empty one is replaced.
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise _taken(path) from error
                raise
            sync(path.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def require_free(path: Path) -> None:
    """Refuses a name that `new_folder` would not give a folder: something has it, and that is no empty folder.

    Raises:
        InputError: so it is, or it cannot be looked up.
    """
    with writing(path):
        # The working directory and those above it have no name here to be given anew.
        taken = path.name in ("", "..") or (os.path.lexists(path) and not _is_empty_folder(path))
    if taken:
        raise _taken(path)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _taken(path: Path) -> InputError:
    return InputError(f"{path} is there already: give another name, or remove it")
