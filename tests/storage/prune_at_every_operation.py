"""Reads a checkpoint while a trainer saves and prunes, before each single file operation of the reader in turn.

    python prune_at_every_operation.py DIRECTORY

Prints the number of readings. Each must give back one of the checkpoints that there were during it, whole.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxseq.storage.checkpoint import CheckpointStore

_OPERATIONS = {"open", "os.listdir", "os.scandir"}
_act: list[Callable[[], None]] = []
_saving = threading.Event()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _OPERATIONS and _act and not _saving.is_set() and "checkpoints" in str(arguments[0]):
        _saving.set()
        _act[0]()
        _saving.clear()


def _readings(directory: Path, read: Callable[[CheckpointStore], Any], *, always: bool, best: bool) -> int:
    """Saves before the n-th operation, or before every one from it to its fifth, for each n there is."""
    number = 0
    while True:
        trainer = CheckpointStore(directory / "checkpoints", keep=1)
        step, left = (trainer.steps() or [0])[-1] + 1, number
        trainer.save(step, {}, {"made": step}, best=True)

        def save(trainer: CheckpointStore = trainer) -> None:
            nonlocal left, step
            left -= 1
            if left < 0 and (always or left == -1) and left >= -5:
                step += 1
                trainer.save(step, {}, {"made": step}, best=best)

        _act[:] = [save]
        found = read(CheckpointStore(directory / "checkpoints"))
        _act.clear()
        assert found is not None
        assert not found.skipped, found.skipped
        assert found.meta == {"made": found.step}
        if left >= 0:
            return number
        number += 1


if __name__ == "__main__":
    sys.addaudithook(_hook)
    here = Path(sys.argv[1]).absolute()
    total = 0
    for always in (False, True):
        total += _readings(here, lambda store: store.restore({}), always=always, best=True)
        total += _readings(here, lambda store: store.restore({}, which="best"), always=always, best=True)
        total += _readings(here, lambda store: store.restore({}, which="best"), always=always, best=False)
        total += _readings(here, lambda store: store.restore({}) if store.steps() else None, always=always, best=True)
        total += _readings(
            here, lambda store: store.restore({}) if store.has_best() else None, always=always, best=True
        )
    print(total)
