"""One writer at a time in a run directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from jaxseq.errors import InputError
from jaxseq.training.files import writing


class RunLock:
    """Holds a run directory for this process, as a context manager: `with RunLock(run_dir): ...`.

    The lock is the kernel's (flock on the file `lock`), so it ends with the process however that dies; the file stays
    behind and means nothing by itself. The directory is made if it is not there.

    Raises:
        InputError: another process holds the directory, or it cannot be written to.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._path = Path(directory) / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> "RunLock":
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise InputError(
                f"{self._path.parent} is in use by process {holder}: wait for its end, or choose another run directory"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
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
