"""A directory for what a command needs only while it runs."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jaxseq.errors import InputError
from jaxseq.signals import StopRequest


@contextlib.contextmanager
def scratch_directory(stop: StopRequest) -> Iterator[Path]:
    """An empty directory that goes again however the command ends.

    Raises:
        InputError: there is no place for one.
    """
    try:
        directory = tempfile.TemporaryDirectory()
    except OSError as error:
        raise InputError(
            f"no temporary directory can be made ({error.strerror}): give one that can be written to as TMPDIR"
        ) from error
    with directory as name:
        stop.leaving.append(lambda: shutil.rmtree(name, ignore_errors=True))
        yield Path(name)
