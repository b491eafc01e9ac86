"""Checkpoints whose files were really damaged: each is noticed, named with what is wrong, and passed over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxseq.errors import CheckpointError
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.snapshot import open_snapshot

_TREE = {"params": {"kernel": np.arange(5000, dtype=np.float32)}, "carry": None, "step": np.int32(0)}


def _tree(step: int) -> dict[str, Any]:
    return {"params": {"kernel": np.arange(5000, dtype=np.float32) + step}, "carry": None, "step": np.int32(step)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoints")
    store = CheckpointStore(directory)
    for step in (100, 150, 200):
        store.save(step, _tree(step), {"loss": 1.5}, files={"config.json": '{"seed": 0}'}, best=step == 150)
    return directory


@pytest.fixture
def store(saved: Path, tmp_path: Path) -> CheckpointStore:
    shutil.copytree(saved, tmp_path / "checkpoints")
    return CheckpointStore(tmp_path / "checkpoints")


def _data_file(checkpoint: Path) -> Path:
    """The file with the numbers: the largest."""
    return max((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def _truncate(checkpoint: Path) -> None:
    path = _data_file(checkpoint)
    path.write_bytes(path.read_bytes()[:-100])


def _flip_a_byte(checkpoint: Path) -> None:
    path = _data_file(checkpoint)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def _zero_64_bytes(checkpoint: Path) -> None:
    path = _data_file(checkpoint)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)


def _empty(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


def _file_instead(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.write_text("")


def _other_format(checkpoint: Path) -> None:
    from jaxseq.storage.manifest import seal

    content = json.loads((checkpoint / "meta.json").read_text())
    del content["sha256"]
    (checkpoint / "meta.json").write_text(seal({**content, "format": 2}))


_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (_truncate, r"is damaged: arrays/.* has \d+ bytes instead of \d+"),
    "byte flipped": (_flip_a_byte, "is damaged: the content of arrays/.* has changed"),
    "zeroed": (_zero_64_bytes, "is damaged: the content of arrays/.* has changed"),
    "data gone": (lambda path: _data_file(path).unlink(), "is damaged: arrays/.* is missing"),
    "arrays gone": (lambda path: shutil.rmtree(path / "arrays"), "is damaged: arrays/.* is missing"),
    "text gone": (lambda path: (path / "config.json").unlink(), "is damaged: config.json is missing"),
    "text edited": (
        lambda path: (path / "config.json").write_text('{"seed": 1}'),
        "is damaged: the content of config.json has changed",
    ),
    "manifest gone": (lambda path: (path / "meta.json").unlink(), "is damaged: meta.json is missing"),
    "manifest empty": (
        lambda path: (path / "meta.json").write_bytes(b""),
        "is damaged: the content of meta.json has changed",
    ),
    "empty": (_empty, "is damaged: it is empty"),
    "a file": (_file_instead, "is no checkpoint: there is no such directory"),
    "from the future": (_other_format, "has format 2, this jaxseq reads 1: use the one that wrote it"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_newest_is_named_and_the_one_before_it_used(store: CheckpointStore, damage: str) -> None:
    inflict, reason = _DAMAGES[damage]
    inflict(store.directory / "00000200")
    restored = store.restore(_TREE)
    assert restored is not None
    assert restored.step == 150
    np.testing.assert_array_equal(restored.arrays["params"]["kernel"], _tree(150)["params"]["kernel"])
    assert len(restored.skipped) == 1
    with pytest.raises(CheckpointError, match=rf"00000200 {reason}"):
        store.restore(_TREE, which=200)
    assert restored.skipped[0].startswith(f"{store.directory / '00000200'} ")
    assert (store.directory / "00000200").exists()


def test_a_changed_byte_anywhere_in_the_manifest_is_noticed(store: CheckpointStore) -> None:
    path = store.directory / "00000200"
    whole = (path / "meta.json").read_bytes()
    for position in range(0, len(whole), 7):  # names, numbers, hashes, brackets and white space in turn
        changed = bytearray(whole)
        changed[position] = (whole[position] ^ 1, 0, ord(" ") if whole[position] != ord(" ") else ord("\t"))[
            position % 3
        ]
        (path / "meta.json").write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"the content of meta\.json has changed"):
            open_snapshot(path)
    for changed in (whole + b"\n", whole[:-1], whole[:500]):
        (path / "meta.json").write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"the content of meta\.json has changed"):
            open_snapshot(path)


def test_a_byte_flipped_in_any_file_is_noticed(store: CheckpointStore) -> None:
    checkpoint = store.directory / "00000200"
    files = [path for path in checkpoint.rglob("*") if path.is_file() and path.stat().st_size]
    assert len(files) > 5
    for path in files:
        whole = path.read_bytes()
        for position in {0, len(whole) // 3, len(whole) - 1}:
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x80]) + whole[position + 1 :])
            with pytest.raises(CheckpointError, match=f"the content of .*{path.name} has changed"):
                open_snapshot(checkpoint)
        path.write_bytes(whole)
    assert open_snapshot(checkpoint).step == 200


def test_all_damaged_ones_are_named_when_none_is_left(store: CheckpointStore) -> None:
    _truncate(store.directory / "00000200")
    _empty(store.directory / "00000150")
    restored = store.restore(_TREE)
    assert restored is not None
    assert restored.step == 100
    assert [line.split(" is damaged")[0][-8:] for line in restored.skipped] == ["00000200", "00000150"]
    _flip_a_byte(store.directory / "00000100")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint: .*00000200 .*; .*00000150 .*; .*00000100 "):
        store.restore(_TREE)


def test_a_damaged_best_is_not_replaced_by_one_that_is_not_the_best(store: CheckpointStore) -> None:
    restored = store.restore(_TREE, which="best")
    assert restored is not None
    assert (restored.step, restored.skipped) == (150, [])
    _zero_64_bytes(store.directory / "00000150")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint: .*00000150 is damaged"):
        store.restore(_TREE, which="best")


def test_extra_files_and_leftovers_of_a_killed_save_do_no_harm(store: CheckpointStore) -> None:
    shutil.copytree(store.directory / "00000200", store.directory / ".building")
    _truncate(store.directory / ".building")
    shutil.copytree(store.directory / ".building", store.directory / ".discard")
    (store.directory / "00000200" / "notes.txt").write_text("learning rate was too high")
    (store.directory / "00000200" / "arrays" / ".DS_Store").write_bytes(b"\0")
    (store.directory / "readme").write_text("")
    restored = store.restore(_TREE)
    assert restored is not None
    assert (restored.step, restored.skipped) == (200, [])
    store.save(250, _tree(250), {})
    names = [path.name for path in store.directory.iterdir()]
    assert sorted(names) == ["00000150", "00000200", "00000250", "readme"]


def test_restoring_writes_nothing(store: CheckpointStore) -> None:
    _truncate(store.directory / "00000200")

    def listing() -> list[tuple[str, int, int]]:
        paths = [store.directory, *sorted(store.directory.rglob("*"))]
        return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]

    before = listing()
    store.restore(_TREE)
    store.restore_params(which="best")
    assert listing() == before


def test_a_damaged_checkpoint_in_the_way_of_a_save_is_set_aside_and_not_deleted(store: CheckpointStore) -> None:
    for expected in ("00000200.aside", "00000200.aside-2"):
        _truncate(store.directory / "00000200")
        content = _data_file(store.directory / "00000200").read_bytes()
        store.save(200, _tree(200), {})
        assert _data_file(store.directory / expected).read_bytes() == content
        restored = store.restore(_TREE)
        assert restored is not None
        assert (restored.step, restored.skipped) == (200, [])


def test_damaged_ones_are_not_counted_among_those_kept(store: CheckpointStore) -> None:
    (store.directory / "00000200" / "meta.json").write_bytes((store.directory / "00000200/meta.json").read_bytes()[1:])
    store.save(250, _tree(250), {})
    assert store.steps() == [100, 150, 200, 250]
    store.save(300, _tree(300), {})
    assert store.steps() == [150, 200, 250, 300]


def test_a_checkpoint_under_the_name_of_another_step_is_not_taken_for_that(store: CheckpointStore) -> None:
    (store.directory / "00000200").rename(store.directory / "00000900")
    restored = store.restore(_TREE)
    assert restored is not None
    assert restored.step == 150
    assert "00000900 holds step 200" in restored.skipped[0]
