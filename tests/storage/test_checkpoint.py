"""What a store of checkpoints keeps, replaces and hands out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxseq.errors import CheckpointError
from jaxseq.storage.checkpoint import CheckpointStore


def _tree(value: float) -> dict[str, Any]:
    return {"params": {"kernel": np.full(3, value, np.float32)}}


def _value(store: CheckpointStore, which: Any = "newest") -> float:
    restored = store.restore(_tree(0), which=which)
    assert restored is not None
    assert restored.skipped == []
    return float(restored.arrays["params"]["kernel"][0])


def _names(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir())


def test_a_store_without_checkpoints_restores_none(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "not" / "there"):
        store = CheckpointStore(directory)
        assert store.steps() == []
        assert store.restore(_tree(0)) is None
        assert store.restore(_tree(0), which="best") is None
        assert store.restore(_tree(0), which=3) is None
        assert store.open() is None


def test_the_newest_the_best_or_a_step_is_restored(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "runs" / "new" / "checkpoints")
    for step in (5, 10, 100):
        assert store.save(step, _tree(step), {}, best=step == 10) == store.directory / f"{step:08d}"
    assert store.steps() == [5, 10, 100]
    assert [_value(store), _value(store, "best"), _value(store, 5)] == [100, 10, 5]
    with pytest.raises(CheckpointError, match="has no checkpoint of step 7: choose one of 5, 10, 100"):
        store.restore(_tree(0), which=7)


def test_where_none_was_saved_as_the_best_the_best_is_an_error(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, _tree(1), {})
    with pytest.raises(CheckpointError, match=r"no usable checkpoint: no checkpoint in .* was saved as the best"):
        store.restore(_tree(0), which="best")


def test_meta_and_texts_come_back_as_they_were(tmp_path: Path) -> None:
    meta = {"loss": 0.1 + 0.2, "best": math.inf, "nested": {"list": [1, None, True, "한 \ud800"]}, "big": 2**70}
    files = {"config.json": '{"name": "ᴥ"}\r\n', "tokenizer.json": "", "한글.txt": "x", "bytes": b"\xff\xfe"}
    store = CheckpointStore(tmp_path)
    store.save(1, _tree(1), meta, files=files)
    restored = store.restore(_tree(0))
    assert restored is not None
    assert restored.meta == meta
    assert restored.files == {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}


@pytest.mark.parametrize("name", ["meta.json", "arrays", "names.txt", "a/b", "../x", "", ".", ".."])
def test_a_text_that_would_land_elsewhere_or_on_the_store_s_own_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a file of a checkpoint"):
        CheckpointStore(tmp_path).save(1, _tree(1), {}, files={name: "x"})
    assert list(tmp_path.iterdir()) == []


def test_meta_that_json_cannot_hold_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        CheckpointStore(tmp_path).save(1, _tree(1), {"loss": np.float32(1)})
    assert list(tmp_path.iterdir()) == []


def test_the_newest_ones_and_the_best_one_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    kept = []
    for step in range(1, 8):
        store.save(step, _tree(step), {}, best=step in (1, 2, 6))
        kept.append(store.steps())
    assert kept == [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [5, 6], [6, 7]]
    assert _names(store) == ["00000006", "00000007"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    for value in (1, 2, 3):
        store.save(4, _tree(value), {})
        assert _value(store) == value
    assert _names(store) == ["00000004"]


def test_a_course_that_was_given_up_is_set_aside_and_not_taken_for_the_newest(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2, 3):
        store.save(step, _tree(step), {})
    store.save(2, _tree(20), {})
    assert (store.steps(), _value(store)) == ([1, 2], 20)
    assert _names(store) == ["00000001", "00000002", "00000003.aside"]


def test_steps_past_eight_digits_are_still_in_order(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    for step in (99_999_998, 99_999_999, 100_000_000):
        store.save(step, _tree(1), {})
    assert store.steps() == [99_999_999, 100_000_000]


def test_impossible_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep is 0"):
        CheckpointStore(tmp_path, keep=0)
    with pytest.raises(ValueError, match="step is -1"):
        CheckpointStore(tmp_path).save(-1, _tree(1), {})


def test_a_checkpoint_moved_elsewhere_opens_by_itself(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    path = store.save(7, _tree(7), {"loss": 1.5}, files={"config.json": "{}"})
    path.rename(tmp_path / "00000007")
    snapshot = CheckpointStore(tmp_path).open(7)
    assert snapshot is not None
    assert snapshot[0].restore(_tree(0))["params"]["kernel"].tolist() == [7, 7, 7]
