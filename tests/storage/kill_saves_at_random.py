"""Kills a process that saves checkpoints all the time, at random moments, and looks at what it left.

    python kill_saves_at_random.py DIRECTORY TIMES

Prints the step found after each kill. All processes are forked from this one, which imports what they need and uses
none of it, so that a kill costs no start.
"""

import importlib
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.storage.checkpoint import CheckpointStore


def _tree(step: int) -> dict[str, Any]:
    return {"params": {str(i): np.full(1000 * i, step, np.float32) for i in range(1, 5)}, "step": np.int32(step)}


def _save_for_ever(directory: Path, started: int) -> None:
    """Restores, and saves from there on, even steps twice; reports each save, so that the kill can be timed by it."""
    store = CheckpointStore(directory, keep=2)
    restored = store.restore(_tree(0))
    step = restored.step if restored else 0
    while True:
        step += 1
        for _ in range(2 if step % 2 == 0 else 1):
            store.save(step, _tree(step), {"step": step}, files={"labels.json": "[]"}, best=step % 5 == 0)
            os.write(started, b".")


def _check(directory: Path, at_least: int) -> int:
    """The step that can be restored, all of whose content must be of this step."""
    restored = CheckpointStore(directory).restore(_tree(0))
    assert restored is not None
    assert not restored.skipped, restored.skipped
    assert restored.step >= at_least, (restored.step, at_least)
    assert restored.meta == {"step": restored.step}
    assert not list(directory.glob("*.aside"))
    for name, array in restored.arrays["params"].items():
        np.testing.assert_array_equal(array, _tree(restored.step)["params"][name])
    return restored.step


def _in_child(function: Any, *arguments: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            code = function(*arguments)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            code = 255
        os._exit(code)
    return child


def main(directory: Path, times: int) -> None:
    chance = random.Random(0)
    step = 0
    for _ in range(times):
        reader, writer = os.pipe()
        child = _in_child(_save_for_ever, directory, writer)
        os.close(writer)
        os.read(reader, 1)
        begin = time.monotonic()
        os.read(reader, 1)
        time.sleep(chance.uniform(0, 2) * (time.monotonic() - begin))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        found = os.waitstatus_to_exitcode(os.waitpid(_in_child(_check, directory, step), 0)[1])
        assert found != 255
        assert found > step, (found, step)
        step = found
        print(step)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # JAX warns of forks, which are harmless before it has done anything
    importlib.import_module("orbax.checkpoint")
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]))
