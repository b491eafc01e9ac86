"""Files beside a run that took long to make: whole, or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jaxseq.errors import InputError
from jaxseq.opening import open_new


@contextmanager
def keeping(path: Path, what: str) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` where all goes well inside, and is removed where not.

    Args:
        what: the file is, for messages: "token file".

    Raises:
        InputError: the disk is full or the folder cannot be written to.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open_new(partial) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"the {what} {path} cannot be written ({error.strerror}): free space or choose another folder"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
