"""Opening files of a directory that may be a stranger's: regular files alone, and nothing is written through a link.

A named pipe would make a reader wait for ever, and a link would send what is written to a file elsewhere. So whatever
in a run directory is read or written by name is opened here.
"""

import errno
import io
import os
import stat
from contextlib import suppress
from typing import IO

LARGEST_TEXT = 2**26
"""Bytes in the largest text that is read whole: a vocabulary of every character there is takes a fifth of it."""

Path = str | os.PathLike[str]

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Windows has neither, and no named pipes in directories.
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class IrregularFileError(OSError):
    """Something other than a regular file stands under the name of one; `strerror` says what."""


def open_regular(path: Path) -> io.BufferedReader:
    """Opens a file to read its bytes. A link to a file is as good as the file.

    Raises:
        IrregularFileError: it is none, such as a named pipe, at which opening would wait for ever.
        OSError: it cannot be opened.
    """
    _require_regular(os.stat(path), path)  # first, since with some devices opening alone does something
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING | getattr(os, "O_BINARY", 0))
    _require_regular(os.fstat(descriptor), path, close=descriptor)
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, *, most: int = LARGEST_TEXT) -> bytes:
    """The content of a file of at most `most` bytes.

    Raises:
        OSError: as `open_regular`; or the file is larger.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", os.fspath(path))
    return content


def read_text(path: Path, *, errors: str = "strict", most: int = LARGEST_TEXT) -> str:
    """The same as text, line ends as they are.

    Raises:
        OSError: as `read_bytes`.
        UnicodeDecodeError: it is no UTF-8.
    """
    return read_bytes(path, most=most).decode("utf-8", errors)


def open_new(path: Path) -> IO[bytes]:
    """Makes a file to write to. What has its name, a leftover or a link, is unlinked before; a link's target stays.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileNotFoundError):
        os.unlink(path)
    return os.fdopen(_open_in_place(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")


def open_append(path: Path) -> IO[bytes]:
    """Opens a file to write at its end, made if it is not there.

    Raises:
        IrregularFileError: something else has its name.
        OSError: it is a link (ELOOP), or cannot be opened.
    """
    return os.fdopen(_open_in_place(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")


def open_to_keep(path: Path) -> int:
    """Descriptor of a file to read and write, made if it is not there, its content as it was; the caller closes it.

    Raises:
        IrregularFileError: something else has its name.
        OSError: it is a link (ELOOP), or cannot be opened.
    """
    return _open_in_place(path, os.O_RDWR | os.O_CREAT)


def _open_in_place(path: Path, flags: int) -> int:
    """A descriptor of the regular file that `path` itself is, no link."""
    with suppress(FileNotFoundError):
        there = os.lstat(path)
        if stat.S_ISLNK(there.st_mode):
            raise OSError(errno.ELOOP, "it is a link", os.fspath(path))
        _require_regular(there, path)
    descriptor = os.open(path, flags | _NO_LINK | _NO_WAITING | getattr(os, "O_BINARY", 0), 0o666)
    _require_regular(os.fstat(descriptor), path, close=descriptor)
    return descriptor


def _require_regular(there: os.stat_result, path: Path, *, close: int | None = None) -> None:
    if stat.S_ISREG(there.st_mode):
        return
    if close is not None:
        os.close(close)
    kind = next((name for is_kind, name in _KINDS if is_kind(there.st_mode)), "something else")
    raise IrregularFileError(errno.EINVAL, f"it is {kind}, not a regular file", os.fspath(path))
