import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jaxseq.errors import InputError
from jaxseq.storage.lock import RunLock

_HOLD = """
import sys, time
from jaxseq.storage.lock import RunLock
with RunLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def _another_process_holding(directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLD, str(directory)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_pid_of_the_first_and_admitted_after_its_violent_death(
    tmp_path: Path,
) -> None:
    with _another_process_holding(tmp_path) as process:
        with (
            pytest.raises(InputError, match=rf"is in use by process {process.pid}: wait for its end"),
            RunLock(tmp_path),
        ):
            pass
        process.kill()
        process.wait()
        with RunLock(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_is_free_again_after_the_block_even_one_that_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError), RunLock(tmp_path):
        raise KeyError
    lock = RunLock(tmp_path)
    for _ in range(2):
        with lock, pytest.raises(InputError, match=f"in use by process {os.getpid()}"), RunLock(tmp_path):
            pass


def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    with RunLock(tmp_path / "runs" / "new"):
        assert (tmp_path / "runs" / "new" / "lock").exists()


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="a file stands where a directory is needed"), RunLock(tmp_path / "run"):
        pass


@pytest.mark.parametrize("function", ["ftruncate", "pwrite"])
def test_the_lock_needs_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, function, full)
    with RunLock(tmp_path), pytest.raises(InputError, match="is in use by process unknown"), RunLock(tmp_path):
        pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(
        InputError, match=r"lock cannot be locked \(.*\): choose a run directory on another file system"
    ):
        RunLock(tmp_path).__enter__()


def test_a_lock_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("12\n")
    (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(InputError, match="a link stands in its place"):
        RunLock(tmp_path).__enter__()
    assert (tmp_path / "precious").read_text() == "12\n"


def test_a_lock_that_is_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(InputError, match="it is a named pipe, not a regular file: remove it"):
        RunLock(tmp_path).__enter__()


@pytest.mark.parametrize("content", ["[[package]]\nname = 'mine'\n", "half a"])
def test_a_file_of_another_program_is_locked_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    with RunLock(tmp_path), pytest.raises(InputError, match="process unknown"), RunLock(tmp_path):
        pass
    assert (tmp_path / "lock").read_text() == content


def test_a_number_that_has_another_name_elsewhere_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("7\n")
    (tmp_path / "lock").hardlink_to(tmp_path / "elsewhere")
    with RunLock(tmp_path):
        assert (tmp_path / "elsewhere").read_text() == "7\n"
