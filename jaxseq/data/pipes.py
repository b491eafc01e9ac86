"""Sources that can be read only once: pipes by name, and what a shell makes of `<(command)`."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError

_PAUSE = 0.02
_SOME = 1 << 16


@contextmanager
def open_once(path: Path, *, tries: int = 250) -> Iterator[ByteStream]:
    """What is written to the pipe at `path`, as a stream.

    A pipe that somebody has opened for writing is read to its end, however long that takes.

    Args:
        tries: how often to look, 0.02 seconds apart, whether somebody has.

    Raises:
        InputError: nobody did, or it is no pipe: devices and sockets are not read.
    """
    if not stat.S_ISFIFO(path.stat().st_mode):
        raise InputError(f'{path} is a device or a socket, no file: give a file, or "-" for standard input')
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without a writer a blocking open waits for good
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        first = _first_bytes(pipe, path, tries)
        os.set_blocking(descriptor, True)
        yield _Joined(first, pipe)


class _Joined:
    """Bytes that have been read already, and the stream that they were read from."""

    def __init__(self, first: bytes, rest: RawIOBase) -> None:
        self._first, self._rest = first, rest

    def read(self, size: int, /) -> bytes:
        if not self._first:
            return self._rest.read(size) or b""
        data, self._first = self._first[:size], self._first[size:]
        return data


def _first_bytes(pipe: RawIOBase, path: Path, tries: int) -> bytes:
    """What a pipe that is not waited for gives first; b"" where a writer has opened it and not written yet."""
    for _ in range(tries):
        data = pipe.read(_SOME)
        if data != b"":
            return data or b""
        time.sleep(_PAUSE)
    raise InputError(f"nobody writes to the pipe {path}: start what does before, or give a file")
