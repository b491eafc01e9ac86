"""What is read is a regular file; what is written goes through no link."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jaxseq.errors import InputError
from jaxseq.opening import open_append, open_new, open_regular, open_to_keep, read_bytes, read_text
from jaxseq.storage.atomic import write_atomic, writing


@pytest.fixture(params=["a directory", "a named pipe", "a socket", "a device"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Something that is no regular file, and its kind."""
    path = tmp_path / "odd"
    if request.param == "a directory":
        path.mkdir()
    elif request.param == "a named pipe":
        os.mkfifo(path)
    elif request.param == "a socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(os.path.relpath(path))
    else:
        path = Path(os.devnull)
    return path, request.param


def test_what_is_no_regular_file_is_told_by_its_kind_and_never_waited_for(odd: tuple[Path, str]) -> None:
    path, kind = odd
    for use in (open_regular, read_text, open_append, open_to_keep):
        with pytest.raises(OSError, match=f"it is {kind}, not a regular file"):
            use(path)
    with (
        pytest.raises(InputError, match=f"cannot write .*: it is {kind}, not a regular file: remove it"),
        writing(path),
    ):
        open_append(path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("precious")
    link.symlink_to(target)
    for use in (open_append, open_to_keep):
        with pytest.raises(InputError, match="a link stands in its place"), writing(link):
            use(link)
    assert link.is_symlink()
    with open_new(link) as file:
        file.write(b"new")
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("precious", "new", False)


def test_nothing_is_made_where_a_dangling_link_points(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        open_to_keep(tmp_path / "link")
    open_new(tmp_path / "link").close()
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to], ids=["a link", "a hard link"])
def test_a_temporary_file_or_a_file_that_is_one_harms_nothing_elsewhere(tmp_path: Path, make) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    for name in (".config.json.tmp", "config.json"):
        make(tmp_path / name, target)
    write_atomic(tmp_path / "config.json", "{}")
    assert target.read_text() == "precious"
    assert (tmp_path / "config.json").read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "target"]


def test_a_link_is_read_through_and_line_ends_stay(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes("ᴥ\r\n".encode())
    (tmp_path / "link").symlink_to("target")
    assert read_text(tmp_path / "link") == "ᴥ\r\n"


def test_a_file_larger_than_it_may_be_is_not_read_whole(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        read_bytes(tmp_path / "huge", most=1000)


def test_every_module_is_imported_on_a_system_without_file_locks_and_the_platforms_are_named(tmp_path: Path) -> None:
    script = """
import os, sys
sys.modules["fcntl"] = None
for name in ("O_NONBLOCK", "O_NOCTTY", "O_NOFOLLOW"):
    delattr(os, name)
import jaxseq.runs.directory
from jaxseq.storage.lock import RunLock
try:
    RunLock(sys.argv[1]).__enter__()
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], cwd=Path(__file__).parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "jaxseq trains on Linux and macOS" in done.stdout
