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
    """The same of a run directory, which the libraries that write its arrays must be able to name.

    Raises:
        InputError: there is no such home directory, the path is relative to a directory that has been deleted, or its
            name is no UTF-8.
    """
    run_dir = expanded(path)
    try:
        os.path.abspath(run_dir).encode()
    except FileNotFoundError as error:
        raise InputError(
            f"{run_dir} cannot be looked up, for the working directory has been deleted: change to one that is there"
        ) from error
    except UnicodeEncodeError as error:
        raise InputError(
            f"{os.path.abspath(run_dir)} has a name that is no UTF-8, in which arrays cannot be stored: rename it, or "
            "choose another directory"
        ) from error
    return run_dir
