"""Reading beside a process that saves and prunes all the time: nothing fails, and what is read is whole."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore

from jaxseq.errors import CheckpointError
from jaxseq.storage import checkpoint as checkpoint_module
from jaxseq.storage import snapshot as snapshot_module
from jaxseq.storage.arrays import read_arrays, spec_of, write_arrays
from jaxseq.storage.checkpoint import CheckpointStore, Restored


def _tree(step: int) -> dict[str, Any]:
    return {"params": {"kernel": np.full(3000, step, np.float32)}, "step": np.int32(step)}


def _assert_whole(restored: Restored | None) -> int:
    assert restored is not None
    assert restored.skipped == []
    assert restored.meta == {"made": restored.step}
    kernel = restored.arrays.get("params", restored.arrays)["kernel"]
    np.testing.assert_array_equal(kernel, np.full(3000, restored.step, np.float32))
    return restored.step


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    store.save(1, _tree(1), {"made": 1}, best=True)
    return store


@contextmanager
def _before_reading_arrays(monkeypatch: pytest.MonkeyPatch, act: Any, *, times: int) -> Iterator[list[int]]:
    """Runs `act` between the verification and the reading of the arrays, the first few times."""
    left, real = [times], snapshot_module.read_arrays

    def read_arrays(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            act()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_module, "read_arrays", read_arrays)
        yield left


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("which", ["newest", "best"])
def test_one_pruned_between_verifying_and_reading_gives_way_to_the_newest(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, which: Any, times: int
) -> None:
    def save() -> None:
        step = store.steps()[-1] + 1
        store.save(step, _tree(step), {"made": step}, best=True)

    with _before_reading_arrays(monkeypatch, save, times=times):
        assert _assert_whole(CheckpointStore(store.directory).restore(_tree(0), which=which)) == 1 + times
    with _before_reading_arrays(monkeypatch, save, times=times):
        assert _assert_whole(CheckpointStore(store.directory).restore_params(which=which)) == 1 + 2 * times


def test_one_replaced_by_another_of_its_step_is_not_mixed_with_it(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save() -> None:
        store.save(1, {"params": {"kernel": np.full(3000, 7, np.float32)}, "step": np.int32(1)}, {"made": "again"})

    with _before_reading_arrays(monkeypatch, save, times=1):
        restored = CheckpointStore(store.directory).restore(_tree(0))
    assert restored is not None
    assert (restored.meta, restored.arrays["params"]["kernel"][0]) == ({"made": "again"}, 7)


def test_a_step_asked_for_by_number_that_was_pruned_is_told_as_that(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        _before_reading_arrays(monkeypatch, lambda: store.save(2, _tree(2), {"made": 2}, best=True), times=1),
        pytest.raises(CheckpointError, match="has no longer a checkpoint of step 1: choose one of 2"),
    ):
        CheckpointStore(store.directory).restore(_tree(0), which=1)


def test_an_error_of_its_own_is_told_and_not_tried_again(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with _before_reading_arrays(monkeypatch, fail, times=3) as left, pytest.raises(ZeroDivisionError):
        store.restore(_tree(0))
    assert left == [2]


def test_a_listing_in_which_the_only_checkpoint_is_missed_is_taken_again(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = Path.iterdir, []

    def iterdir(path: Path) -> Iterator[Path]:
        seen.append(path)
        return iter(()) if len(seen) == 1 else real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert store.steps() == [1]


@pytest.mark.parametrize("times", [1, 4])
def test_one_pruned_right_after_it_was_listed_is_not_told_as_damaged(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    left, real = 0, checkpoint_module.listed

    def listed_and_pruned(directory: Path) -> dict[int, Path]:
        nonlocal left
        found = real(directory)
        if left:
            left -= 1
            step = max(found) + 1
            store.save(step, _tree(step), {"made": step}, best=True)
        return found

    monkeypatch.setattr(checkpoint_module, "listed", listed_and_pruned)
    read = (store.steps, store.has_best, lambda: _assert_whole(store.restore_params(which="best")))
    for number, use in enumerate(read, 1):
        left = times
        found = use()
        assert (found, left) == ({1: [1 + times], 2: True, 3: 1 + 3 * times}[number], 0)


def test_at_whatever_file_operation_of_the_reader_it_is_pruned(tmp_path: Path) -> None:
    script = Path(__file__).with_name("prune_at_every_operation.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60


def test_a_hundred_readings_beside_a_trainer_that_saves_without_a_pause(store: CheckpointStore) -> None:
    stop, failures = threading.Event(), []

    def train() -> None:
        step = 1
        while not stop.is_set():
            step += 1
            store.save(step, _tree(step), {"made": step}, best=step % 3 == 0)
        failures.extend([] if store.steps()[-1] == step else [step])

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        reader = CheckpointStore(store.directory)
        steps = [
            _assert_whole(reader.restore_params(which="best" if number % 2 else "newest")) for number in range(100)
        ]
    finally:
        stop.set()
        trainer.join()
    assert failures == []
    assert len(set(steps)) > 5


READ_WITHOUT_A_FILE = """
import shutil, sys
from pathlib import Path
import numpy as np
from jaxseq.errors import CheckpointError
from jaxseq.storage.arrays import read_arrays, spec_of, write_arrays
there, failed = Path(sys.argv[1]) / "arrays", 0
arrays = {f"a{i}": np.full((200, 50 + i), i, np.float32) + np.arange(50 + i) for i in range(40)}
write_arrays(there, arrays)
for number, file in enumerate(sorted(there.glob("ocdbt.process_0/d/*")) * 3):
    copy = shutil.copytree(there, there.with_name(f"copy-{number}"))
    (copy / file.relative_to(there)).unlink()
    try:
        read_arrays(copy, {name: spec_of(array) for name, array in arrays.items()})
    except CheckpointError:
        failed += 1
print(failed)
"""


def test_a_file_that_vanishes_while_arrays_are_read_is_one_error_and_nothing_is_printed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", READ_WITHOUT_A_FILE, tmp_path], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 1  # how many files there are is up to TensorStore


# The codes of absl's Status but for OK, as absl/status/status.h has them.
STATUSES = (
    *("CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)


def test_of_a_read_that_fails_when_nobody_asks_any_more_asyncio_tells_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def dropped(*awaitables: Awaitable[object]) -> None:
        asks_nothing = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
        await asyncio.wait(asks_nothing)

    async def fails(message: str) -> None:
        raise ValueError(message)

    def told() -> list[str]:
        gc.collect()  # asyncio tells it when the task goes
        found = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
        caplog.clear()
        return found

    write_arrays(tmp_path / "arrays", {"a": np.zeros(3)})
    read_arrays(tmp_path / "arrays", {"a": spec_of(np.zeros(3))})
    shape = {"shape": [1000], "dtype": "<f4", "chunks": [1000], "compressor": None}
    place = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(tmp_path / "cut")}}
    cut = tensorstore.open({**place, "metadata": shape, "create": True}).result()
    cut.write(np.ones(1000, np.float32)).result()
    (tmp_path / "cut" / "0").write_bytes(b"short")
    absent = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(tmp_path / "absent")}}
    for error in (cut.read().exception(), tensorstore.open(absent).exception()):
        assert error is not None
    asyncio.run(dropped(cut.read(), tensorstore.open(absent)))
    assert told() == []
    asyncio.run(dropped(*(fails(f"{status}: ...") for status in STATUSES)))
    assert told() == []
    of_others = ["not of TensorStore", "HTTP: 404", "SSL_ERROR: no", "OK: no error", "INTERNAL error: no", ""]
    asyncio.run(dropped(*map(fails, of_others)))
    assert sorted(told()) == sorted(of_others)
