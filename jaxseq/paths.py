"""Paths as a person types them."""

import os
from pathlib import Path

from jaxseq.errors import InputError


def expanded(path: str | os.PathLike[str]) -> Path:
    """`path`, where it begins with `~` or `~name` with the home directory in its place.

    Raises:
        InputError: there is no such home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{os.fspath(path)} cannot be looked up ({error}): give the whole path") from error


def run_path(path: str | os.PathLike[str]) -> Path:
    """The same of a run directory, of which the absolute path must be known.

    Raises:
        InputError: there is no such home directory, or the path is relative to a directory that has been deleted.
    """
    run_dir = expanded(path)
    try:
        os.path.abspath(run_dir)
    except FileNotFoundError as error:
        raise InputError(
            f"{run_dir} cannot be looked up, for the working directory has been deleted: change to one that is there"
        ) from error
    return run_dir
