import errno
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxseq.errors import InputError
from jaxseq.storage.atomic import sha256, write_atomic, writing


@pytest.fixture
def locked_directory() -> Iterator[Path]:
    """A directory this process may read and not write to; a root process puts its rights aside for the test."""
    path = Path(tempfile.mkdtemp())
    (path / "old.txt").write_text("old")
    path.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield path
    os.seteuid(user)
    path.chmod(0o755)
    (path / "old.txt").unlink()
    path.rmdir()


def test_text_and_bytes_arrive_as_they_are(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "한글\r\nᴥ\n")
    write_atomic(tmp_path / "b.bin", b"\x00\xff\n")
    assert (tmp_path / "a.txt").read_bytes() == "한글\r\nᴥ\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.bin"]


def test_a_file_that_was_there_is_replaced_and_a_leftover_of_a_killed_process_taken_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("old")
    (tmp_path / ".config.json.tmp").write_text("half of someth")
    write_atomic(tmp_path / "config.json", "new")
    assert (tmp_path / "config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "config.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*config\.json: the disk is full: free some space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]


def test_a_directory_without_write_permission_is_named(locked_directory: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*new\.txt: permission is missing"):
        write_atomic(locked_directory / "new.txt", "new")
    with pytest.raises(InputError, match="permission is missing"):
        write_atomic(locked_directory / "old.txt", "new")
    assert [path.name for path in locked_directory.iterdir()] == ["old.txt"]
    assert (locked_directory / "old.txt").read_text() == "old"


def test_a_directory_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*metrics\.csv: a directory stands where a file is needed"):
        write_atomic(tmp_path / "metrics.csv", "")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_too_many_open_files_and_a_failing_disk_have_a_remedy(tmp_path: Path) -> None:
    for number, remedy in ((errno.EMFILE, r"raise their limit \(ulimit -n\)"), (errno.EIO, "choose another one")):
        with pytest.raises(InputError, match=rf"cannot write .*: .*{remedy}"), writing(tmp_path):
            raise OSError(number, os.strerror(number))


def test_errors_that_nobody_can_remedy_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Invalid argument"), writing(tmp_path):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def test_readers_never_see_a_part_while_a_process_rewrites_a_file_and_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    script = (
        "import sys; from jaxseq.storage.atomic import write_atomic\n"
        "i = 0\n"
        "while True:\n"
        "    write_atomic(sys.argv[1], str(i % 10) * 3_000_000); i += 1"
    )
    write_atomic(path, "-" * 3_000_000)
    with subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2]) as writer:
        seen = set()
        while len(seen) < 5 and writer.poll() is None:
            text = path.read_text()
            assert len(text) == 3_000_000
            assert len(set(text)) == 1
            seen.add(text[0])
        writer.kill()
    assert len(seen) == 5
    assert len(set(path.read_text())) == 1


def test_the_hash_is_that_of_hashlib(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()
