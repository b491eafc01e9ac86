"""What lies among checkpoints and is not ours is neither counted, nor moved, nor deleted; no link is followed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxseq.config import ExperimentConfig, to_json
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.names import read_names, render_names


def _tree(step: int) -> dict[str, Any]:
    return {"params": {"kernel": np.full(3, step, np.float32)}}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


_STRANGE = {
    "epoch1.ckpt": b"years",
    "20240101/model.bin": b"weights",
    "20240102": b"notes",
    "20240103.replaced/model.bin": b"weights",
    "20240104.aside/model.bin": b"weights",
    "notes.replaced": b"mine",
    "latest.aside": b"mine",
    "20240105/meta.json": b'{"format": "safetensors"}',
    "20240106/config.json": b'{"architectures": []}',
    "step-00000001/meta.json": b"{}",
}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    for name, content in _STRANGE.items():
        (tmp_path / "checkpoints" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkpoints" / name).write_bytes(content)
    return CheckpointStore(tmp_path / "checkpoints", keep=1)


def test_what_is_not_ours_is_no_checkpoint(store: CheckpointStore) -> None:
    assert store.steps() == []
    assert store.open() is None
    assert not store.has_best()


def test_what_is_not_ours_survives_saving_pruning_and_clearing(store: CheckpointStore) -> None:
    for step in (3, 6, 9, 6):
        store.save(step, _tree(step), {}, best=step == 3)
    assert store.steps() == [3, 6]
    restored = store.restore(_tree(0))
    assert restored is not None
    assert restored.step == 6
    assert {name: content for name, content in _files(store.directory).items() if name in _STRANGE} == _STRANGE
    store.clear()
    assert _files(store.directory) == _STRANGE


def test_what_stands_where_a_checkpoint_is_to_go_is_set_aside(store: CheckpointStore) -> None:
    (store.directory / "20240101").rename(store.directory / "00000003")
    os.mkfifo(store.directory / "00000006")
    for step in (3, 6):
        store.save(step, _tree(step), {})
    assert (store.directory / "00000003.aside" / "model.bin").read_bytes() == b"weights"
    assert (store.directory / "00000006.aside").is_fifo()


def test_notes_inside_of_checkpoints_survive_pruning_and_clearing(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    store.save(1, _tree(1), {}, files={"more.txt": "ours"})
    notes = {"00000001/notes.txt": b"too high", "00000001/arrays/why.md": b"?", "00000001/plots/a.png": b"png"}
    for name, content in notes.items():
        (store.directory / name).parent.mkdir(exist_ok=True)
        (store.directory / name).write_bytes(content)
    store.save(2, _tree(2), {})
    assert store.steps() == [2]
    assert {name: content for name, content in _files(store.directory).items() if name[7] == "1"} == notes
    store.clear()
    assert _files(store.directory) == notes


def test_names_that_are_cut_short_are_removed_where_they_can_be_of_a_killed_save(tmp_path: Path) -> None:
    store, building = CheckpointStore(tmp_path), tmp_path / ".building"
    whole = render_names(["labels.json", "b/c", "../00000001/meta.json"])
    for size in range(len(whole) + 1):
        building.mkdir()
        (building / "names.txt").write_text(whole[:size])
        if size == len(whole):
            (building / "labels.json").write_text("[]")
        store.tidy()
        assert list(tmp_path.iterdir()) == []
    assert read_names(tmp_path) is None


@pytest.mark.parametrize(
    "names", ["", "labels.json\n", "{}", render_names([])[:20], render_names(["labels.json"])[:-1]]
)
def test_names_of_somebody_else_name_nothing_of_ours(tmp_path: Path, names: str) -> None:
    theirs = {"names.txt": names.encode(), "labels.json": b"[]", "meta.json/a": b""}
    for name, content in theirs.items():
        (tmp_path / ".building" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".building" / name).write_bytes(content)
    store = CheckpointStore(tmp_path)
    store.save(1, _tree(1), {})
    assert _files(tmp_path / "building.aside") == theirs
    (tmp_path / "00000001" / "names.txt").write_text(names)
    store.clear()
    assert _files(tmp_path / "00000001") == {"names.txt": names.encode()}


def test_clearing_removes_everything_of_ours_and_the_directory(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    for step in (1, 2, 3, 2):
        store.save(step, _tree(step), {})
    shutil.copytree(store.directory / "00000002", store.directory / ".building")
    (store.directory / ".building" / "meta.json").write_bytes(b'{"form')
    shutil.copytree(store.directory / "00000002", store.directory / ".discard")
    shutil.copytree(store.directory / "00000002", store.directory / "00000002.replaced")
    store.clear()
    assert list(tmp_path.iterdir()) == []
    store.clear()


def test_a_damaged_checkpoint_of_a_run_is_ours_by_its_configuration(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    store.save(1, _tree(1), {}, files={"config.json": to_json(ExperimentConfig())})
    (store.directory / "00000001" / "meta.json").unlink()
    assert store.steps() == [1]
    store.clear()
    assert list(tmp_path.iterdir()) == []


def test_clearing_an_own_linked_directory_leaves_the_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "checkpoints").symlink_to("disk")
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    for step in (1, 2):
        store.save(step, _tree(step), {})
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["00000002"]
    store.clear()
    assert (tmp_path / "checkpoints").is_symlink()
    assert list((tmp_path / "disk").iterdir()) == []


_LINKS: dict[str, Callable[[Path, Path], object]] = {
    "a checkpoint": lambda there, outside: (there / "00000001").rename(outside / "00000001"),
    "its arrays": lambda there, outside: (there / "00000001/arrays").rename(outside / "00000001/arrays"),
    "work in progress": lambda there, outside: shutil.copytree(there / "00000001", outside / ".building"),
    "work to be removed": lambda there, outside: shutil.copytree(there / "00000001", outside / ".discard"),
    "one to be replaced": lambda there, outside: shutil.copytree(there / "00000001", outside / "00000001.replaced"),
    "the one to come": lambda there, outside: shutil.copytree(there / "00000001", outside / "00000002"),
}


@pytest.mark.parametrize("which", _LINKS)
def test_of_a_link_only_the_link_goes(tmp_path: Path, which: str) -> None:
    store, outside = CheckpointStore(tmp_path / "checkpoints", keep=1), tmp_path / "outside"
    store.save(1, _tree(1), {}, files={"config.json": "{}"})
    (outside / "00000001").mkdir(parents=True)
    if which != "its arrays":
        (outside / "00000001").rmdir()
    _LINKS[which](store.directory, outside)
    for target in outside.glob("00000001/arrays" if which == "its arrays" else "*"):
        (store.directory / target.relative_to(outside)).symlink_to(target)
    before = _files(outside)
    assert before
    for step in (2, 3):
        store.save(step, _tree(step), {})
    assert store.steps() == [3]
    store.clear()
    assert _files(outside) == before
    assert not [path for path in tmp_path.joinpath("checkpoints").rglob("*") if path.is_symlink()]


def test_a_dangling_link_in_the_place_of_a_checkpoint_is_told_and_gets_out_of_the_way(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, _tree(1), {})
    (tmp_path / "00000002").symlink_to("nowhere")
    opened = store.open()
    assert opened is not None
    assert (opened[0].step, len(opened[1])) == (1, 1)
    store.save(2, _tree(2), {})
    assert store.steps() == [1, 2]
    assert os.readlink(tmp_path / "00000002.aside") == "nowhere"


def test_a_directory_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ValueError, match=r"cannot be read \(Permission denied\)"):
        CheckpointStore(tmp_path).steps()
