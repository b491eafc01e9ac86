"""Writing files so that a crash leaves the old one or the new one, never a part of either."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from jaxseq.errors import InputError
from jaxseq.opening import IrregularFileError, open_new, open_regular

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space, or choose another disk",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another disk",
    errno.EFBIG: "the file passes the size limit in force: raise it (ulimit -f), or choose another disk",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.EACCES: "permission is missing: choose another directory, or change its permissions",
    errno.EPERM: "permission is missing: choose another directory, or change its permissions",
    errno.ENOTDIR: "a file stands where a directory is needed: choose another directory",
    errno.EEXIST: "a file stands where a directory is needed: choose another directory",
    errno.EISDIR: "a directory stands where a file is needed: choose another name",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ELOOP: "a link stands in its place, and nothing is written through one: remove it",
    errno.EMFILE: "too many files are open: raise their limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: close some program",
    errno.EIO: "the disk fails: choose another one",
    errno.ENOENT: "its directory is not there, or no longer: make it, or choose another",
}


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns the OSErrors a person can do something about, raised inside, into an InputError about `path`.

    Raises:
        InputError: the disk is full or read-only, a permission is missing, a link or a named pipe stands where a file
            is to be, or the like. Other OSErrors pass.
    """
    try:
        yield
    except IrregularFileError as error:
        raise InputError(f"cannot write {os.fspath(path)}: {error.strerror}: remove it") from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        raise InputError(f"cannot write {os.fspath(path)}: {remedy}") from error


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes `content` (text as UTF-8, line ends as they are) to `path`, replacing what was there in one move.

    The content goes to a temporary sibling, is forced to disk and renamed; a link of either name is replaced and its
    target left alone. The sibling's name is always the same, so a killed process leaves at most one, which the next
    call removes; two writers at a time are for `RunLock` to prevent.

    Raises:
        InputError: the file cannot be written; what was there before still is.
    """
    with replacing(path) as file, writing(path):
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The same for content that is written bit by bit: a file to write to, which takes the place of `path` where all
    goes well inside, and is removed where not. Errors in writing to it are for `writing`.

    Raises:
        InputError: as `write_atomic`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with writing(path):
            file = open_new(temporary)
        try:
            yield file
            with writing(path):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(OSError):  # of what could not be written before
                file.close()
        with writing(path):
            os.replace(temporary, path)
            sync(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_synced(path: Path, content: str | bytes) -> None:
    """Writes `content` to `path`, a new file even where there was one, and forces it to disk."""
    with open_new(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Forces a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Hex SHA-256 of a regular file's content."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
