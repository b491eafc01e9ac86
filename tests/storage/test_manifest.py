"""Manifests by hand, sealed again: whatever stands in one, the checkpoint opens or is told to be damaged."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxseq.errors import CheckpointError
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.manifest import is_plain, seal
from jaxseq.storage.snapshot import open_snapshot

_TREE = {"params": {"kernel": np.arange(6, dtype=np.float32)}, "step": np.int32(5)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = CheckpointStore(tmp_path_factory.mktemp("checkpoints"))
    return store.save(5, _TREE, {"loss": 1.5}, files={"config.json": "{}"})


@pytest.fixture
def checkpoint(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "00000005"))


def _content(checkpoint: Path) -> dict[str, Any]:
    content = json.loads((checkpoint / "meta.json").read_text())
    del content["sha256"]
    return content


def _reseal(checkpoint: Path, content: dict[str, Any]) -> None:
    (checkpoint / "meta.json").write_text(seal(content))


def _put(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`content` with another value at `path`; a key that is not there is added."""
    if not path:
        return value
    key, *rest = path
    copy = list(content) if isinstance(content, list) else dict(content)
    copy[key] = _put(copy[key] if rest else None, tuple(rest), value)
    return copy


_KERNEL, _DIGEST = ("arrays", "params/kernel"), "0" * 64
_IMPOSSIBLE: dict[str, tuple[tuple[Any, ...], Any]] = {
    "text elsewhere": (("texts",), ["../../etc/passwd"]),
    "absolute text": (("texts",), ["/etc/passwd"]),
    "text in a folder": (("texts",), ["arrays/_METADATA"]),
    "text that is no file": (("texts",), ["notes"]),
    "text that is no name": (("texts",), [["config.json"]]),
    "texts in a dict": (("texts",), {"config.json": 1}),
    "file elsewhere": (("files", "../../etc/passwd"), {"size": 1, "sha256": _DIGEST}),
    "absolute file": (("files", "/etc/passwd"), {"size": 1, "sha256": _DIGEST}),
    "file above": (("files", "arrays/../config.json"), {"size": 1, "sha256": _DIGEST}),
    "file with a null byte": (("files", "a\0b"), {"size": 1, "sha256": _DIGEST}),
    "file with half a pair": (("files", "a\ud800"), {"size": 1, "sha256": _DIGEST}),
    "file without a name": (("files", ""), {"size": 1, "sha256": _DIGEST}),
    "the manifest itself": (("files", "meta.json"), {"size": 1, "sha256": _DIGEST}),
    "size as text": (("files", "config.json", "size"), "2"),
    "negative size": (("files", "config.json", "size"), -2),
    "no digest": (("files", "config.json", "sha256"), 7),
    "a file that is a number": (("files", "config.json"), 7),
    "a name that is too long": (("files", "n" * 5000), {"size": 1, "sha256": _DIGEST}),
    "another shape": ((*_KERNEL, "shape"), [3]),
    "another type": ((*_KERNEL, "dtype"), "int32"),
    "negative shape": ((*_KERNEL, "shape"), [-6]),
    "shape of text": ((*_KERNEL, "shape"), ["6"]),
    "shape of truth": ((*_KERNEL, "shape"), [True]),
    "shape of fractions": ((*_KERNEL, "shape"), [6.0]),
    "enormous shape": ((*_KERNEL, "shape"), [10**9, 10**9]),
    "enormous and empty": ((*_KERNEL, "shape"), [0, 2**62]),
    "more than a machine word": ((*_KERNEL, "shape"), [10**40]),
    "a hundred axes": ((*_KERNEL, "shape"), [1] * 100),
    "unknown type": ((*_KERNEL, "dtype"), "float33"),
    "type of objects": ((*_KERNEL, "dtype"), "object"),
    "type of times": ((*_KERNEL, "dtype"), "timedelta64"),
    "type of records": ((*_KERNEL, "dtype"), "float32,int32"),
    "type as number": ((*_KERNEL, "dtype"), 32),
    "array that is a list": (_KERNEL, [6]),
    "array that is not stored": (("arrays", "params/bias"), {"shape": [1], "dtype": "float32"}),
    "array inside an array": (("arrays", "params/kernel/deep"), {"shape": [0], "dtype": "float32"}),
    "arrays in a list": (("arrays",), [1]),
    "step as text": (("step",), "5"),
    "step as truth": (("step",), True),
    "step below zero": (("step",), -5),
    "step beyond words": (("step",), 10**400),
    "best as number": (("best",), 1),
    "meta as list": (("meta",), [1]),
    "format as text": (("format",), "1"),
    "format as truth": (("format",), True),
    "no format": (("format",), None),
}


@pytest.mark.parametrize("case", _IMPOSSIBLE)
def test_what_cannot_be_is_one_line(checkpoint: Path, case: str) -> None:
    _reseal(checkpoint, _put(_content(checkpoint), *_IMPOSSIBLE[case]))
    store = CheckpointStore(checkpoint.parent)
    with pytest.raises(CheckpointError) as told:
        store.restore_params()
    assert str(checkpoint) in str(told.value)
    assert "\n" not in str(told.value)
    with pytest.raises(CheckpointError):
        store.restore(_TREE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_JSON, data=st.data())
def test_anything_at_any_place_opens_or_is_told(saved: Path, checkpoint: Path, value: Any, data: st.DataObject) -> None:
    content, path = _content(saved), ()
    while isinstance(inner := _at(content, path), dict | list) and inner and (not path or data.draw(st.booleans())):
        path = (*path, data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner)))))
    _reseal(checkpoint, _put(content, path, value))
    with contextlib.suppress(CheckpointError):
        restored = CheckpointStore(checkpoint.parent).restore_params(which=5)
        assert restored is None or restored.step == 5


def _at(content: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


@pytest.mark.parametrize("raw", [b"[]", b"[" * 100_000, b"7", b'"a"', b"\xff", b"{" * 100_000, b"1" * 10_000])
def test_a_manifest_of_anything_else_is_damaged(checkpoint: Path, raw: bytes) -> None:
    (checkpoint / "meta.json").write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"the content of meta\.json has changed"):
        open_snapshot(checkpoint)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


@pytest.mark.parametrize("name", ["meta.json", "config.json", "arrays/_METADATA", "arrays/manifest.ocdbt"])
def test_a_named_pipe_in_a_checkpoint_is_told_and_not_waited_for(checkpoint: Path, name: str) -> None:
    _replace(checkpoint / name, os.mkfifo)
    with pytest.raises(CheckpointError, match=f"00000005 (is damaged|cannot be read): {name}"):
        open_snapshot(checkpoint)


@pytest.mark.parametrize("name", ["arrays", "config.json", "arrays/d", "notes", "arrays/notes"])
def test_a_link_in_a_checkpoint_is_not_followed(checkpoint: Path, tmp_path: Path, name: str) -> None:
    aside = tmp_path / "moved"
    if (checkpoint / name).exists():
        (checkpoint / name).rename(aside)
    (checkpoint / name).symlink_to(aside)
    with pytest.raises(CheckpointError, match=f"{name} is a link"):
        open_snapshot(checkpoint)


@pytest.mark.parametrize("name", ["a", "a/b", "한", "..a", " "])
def test_plain_names_are_plain(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/../b", "a//b", "a/", "a\\b", "\0", "\ud800", 5, None])
def test_others_are_not(name: Any) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize("folder", ["a\\b", "[a]", "a\nb", "caf\udce9", "*", "a\x1b[31mb"])
def test_a_directory_of_any_name_is_saved_to_and_restored_from(tmp_path: Path, folder: str) -> None:
    store = CheckpointStore(tmp_path / folder)
    store.save(1, _TREE, {})
    restored = store.restore(_TREE)
    assert restored is not None
    np.testing.assert_array_equal(restored.arrays["params"]["kernel"], _TREE["params"]["kernel"])
    assert os.listdir(tmp_path) == [folder]


@pytest.mark.parametrize("size", [1, 40, 250, 1000])
def test_many_small_arrays_that_take_less_room_than_they_have_open(tmp_path: Path, size: int) -> None:
    """TensorStore compresses them; those of an optimizer that has not begun are zeros all over."""
    tree = {f"leaf {i}": np.zeros(size, np.float32) for i in range(300)}
    store = CheckpointStore(tmp_path / "checkpoints")
    store.save(0, tree, {})
    restored = store.restore(tree)
    assert restored is not None
    assert restored.skipped == []
    for name, array in restored.arrays.items():
        np.testing.assert_array_equal(array, tree[name])
