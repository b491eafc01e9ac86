"""One writer at a time in a run directory."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from jaxseq.errors import InputError
from jaxseq.opening import open_to_keep
from jaxseq.storage.atomic import writing

try:
    import fcntl
except ImportError:  # Windows: everything that needs no lock still works
    fcntl = None


class RunLock:
    """Holds a run directory for this process, as a context manager: `with RunLock(run_dir): ...`.

    The lock is the kernel's (flock on the file `lock`), so it ends with the process however that dies; the file stays
    behind and means nothing by itself. The process's number in it is for people to read, and left out where the disk
    has no room for it or the file holds something else. The directory is made if it is not there.

    Raises:
        InputError: another process holds the directory, or it cannot be written to or locked.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._path = Path(directory) / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> "RunLock":
        if fcntl is None:
            raise InputError("this system has no file locks: jaxseq trains on Linux and macOS (on Windows, in WSL)")
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = open_to_keep(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _number_in(descriptor) or "unknown"
            os.close(descriptor)
            raise InputError(
                f"{self._path.parent} is in use by process {holder}: wait for its end, or choose another run directory"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise InputError(
                f"{self._path} cannot be locked ({error.strerror}): choose a run directory on another file system"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        if _number_in(descriptor) is not None and os.fstat(descriptor).st_nlink == 1:
            with suppress(OSError):  # a full disk
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_lock(content: bytes) -> bool:
    """Whether a file of this `content` can be one of a `RunLock`: empty, or the number of a process."""
    return content == b"" or (len(content) <= 20 and content.endswith(b"\n") and content[:-1].isdigit())


def _number_in(descriptor: int) -> str | None:
    """The number in a lock, "" where there is none; None where the file holds something else."""
    content = os.pread(descriptor, 21, 0)
    return content.decode().strip() if is_lock(content) else None
