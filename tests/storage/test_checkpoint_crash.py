"""Saves that end badly: killed at any moment, on a full disk, on a read-only one. What was complete stays complete."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.storage.checkpoint import CheckpointStore


def _tree(value: float = 0, size: int = 50_000) -> dict[str, Any]:
    return {"params": {"kernel": np.full(size, value, np.float32)}}


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _run(script: str, *arguments: object) -> str:
    """Runs a script beside this file in a process of its own, and gives back what it printed."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_save_killed_at_each_of_its_file_operations_leaves_a_complete_checkpoint(tmp_path: Path) -> None:
    crashes = _run("crash_at_every_operation.py", tmp_path)
    assert int(crashes) > 100


def test_a_process_that_saves_all_the_time_is_killed_twenty_times_and_leaves_complete_checkpoints(
    tmp_path: Path,
) -> None:
    steps = _run("kill_saves_at_random.py", tmp_path, 20).split()
    assert len(steps) == 20


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")
    yield path
    # Lazily: a thread that has written may not have closed its last file yet.
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.parametrize("asked", [True, False], ids=["asked before", "met while writing"])
def test_a_full_disk_is_named_and_costs_nothing_that_was_there(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    store = CheckpointStore(tiny_disk / "checkpoints")
    store.save(1, _tree(1), {})
    store.save(2, _tree(2), {})
    before = _contents(store.directory)
    if not asked:
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([4096, 4096, *[10**9] * 8]))
    with pytest.raises(InputError, match=r"cannot write .*00000003: the disk is full: free some space") as caught:
        store.save(3, _tree(3, size=200_000), {})
    assert "\n" not in str(caught.value)
    assert _contents(store.directory) == before
    assert sorted(path.name for path in store.directory.iterdir()) == ["00000001", "00000002"]
    store.save(3, _tree(3), {})
    assert store.steps() == [1, 2, 3]


def test_a_limit_on_the_size_of_files_is_named_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, _tree(1), {})
    before = _contents(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError, match=r"cannot write .*00000002: the file passes the size limit in force"):
            store.save(2, _tree(2), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _contents(tmp_path) == before


@pytest.mark.parametrize("operation", ["fsync", "mkdir", "rename"])
def test_a_disk_that_fills_up_at_any_other_point_costs_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    store.save(1, _tree(1), {})
    before = _contents(tmp_path)

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, operation, full)
        with pytest.raises(InputError, match=r"00000002: the disk is full"):
            store.save(2, _tree(2), {})
    assert _contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["00000001"]


def test_a_read_only_run_directory_is_named_and_still_restored_from(tiny_disk: Path) -> None:
    store = CheckpointStore(tiny_disk / "checkpoints")
    store.save(1, _tree(1), {})
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(InputError, match=r"cannot write .*00000002: the file system is read-only: choose another dir"):
        store.save(2, _tree(2), {})
    restored = store.restore(_tree())
    assert restored is not None
    assert restored.step == 1
    fresh = CheckpointStore(tiny_disk / "other" / "checkpoints")
    with pytest.raises(InputError, match="the file system is read-only"):
        fresh.save(2, _tree(2), {})


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*00000001: a file stands where a directory is needed"):
        CheckpointStore(tmp_path / "checkpoints").save(1, _tree(1), {})


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CheckpointStore(tmp_path)

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.save(1, _tree(1), {})
    assert list(tmp_path.iterdir()) == []


def test_of_the_writes_that_end_after_one_has_failed_nothing_is_told(tmp_path: Path) -> None:
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; from jaxseq.storage.arrays import write_arrays\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "try: write_arrays(Path(sys.argv[1]), {f'p{i}': np.random.rand(3000) for i in range(40)})\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "arrays"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("File too large\n", "")


def test_what_a_killed_save_had_still_to_remove_is_removed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=4)
    for step in range(1, 5):
        store.save(step, _tree(step, 3), {})
    (tmp_path / "00000001").rename(tmp_path / ".discard")
    (tmp_path / ".discard" / "meta.json").unlink()
    (tmp_path / "notes").write_text("somebody's")
    CheckpointStore(tmp_path, keep=1).tidy(spare={2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002", "00000004", "notes"]


@pytest.mark.parametrize("descending", [False, True])
def test_what_a_killed_removal_left_is_removed_in_whatever_order_a_directory_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    walk, unlink = os.walk, Path.unlink

    def in_order(path: Path, *, topdown: bool) -> Iterator[Any]:
        for folder, folders, files in walk(path, topdown=topdown):
            yield folder, folders, sorted(files, reverse=descending)

    monkeypatch.setattr(os, "walk", in_order)
    files = dict.fromkeys(("config.json", "labels.json", "zones.json"), "")
    for operation in range(len(files) + 1):  # the last is meta.json's
        folder, left = tmp_path / str(operation), operation
        for step in (1, 2):
            CheckpointStore(folder, keep=2).save(step, {}, {}, files=files)

        def killed(path: Path) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            unlink(path)

        store = CheckpointStore(folder, keep=1)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", killed)
            with pytest.raises(KeyboardInterrupt):
                store.tidy()
        store.tidy()
        assert [path.name for path in folder.iterdir()] == ["00000002"]
