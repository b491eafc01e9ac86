"""Ends a process, as by SIGKILL, at each single file operation of a save in turn, and looks at what it left.

    python crash_at_every_operation.py DIRECTORY

Prints the number of crashes survived. The trees hold no numbers, so that Orbax, whose part is written before any of
this matters, has nothing to do and a hundred saves take seconds; what a checkpoint is told by is its meta.
"""

import os
import re
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from jaxseq.storage.checkpoint import CheckpointStore

# Beside those that every run has, one that a task has named.
_FILES = {"config.json": "{}", "tokenizer.json": "{}", "labels.json": "[]"}
_OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def _crash_at(operation: int, directory: Path) -> None:
    """Ends this process just before its `operation`-th file operation in `directory` from now on."""
    left = operation

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        # rmtree names the entries it removes relative to their folder, so anything goes for removals.
        inside = str(arguments[0]).startswith(str(directory)) if arguments else False
        if event in _OPERATIONS and (inside or event in ("os.remove", "os.rmdir")):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(hook)


def _found(directory: Path) -> str:
    restored = CheckpointStore(directory).restore({})
    assert restored is not None, os.listdir(directory)
    assert not restored.skipped, restored.skipped
    return f"{restored.step}{restored.meta['made']}"


def _crashes(directory: Path, keep: int, prepared: list[int], step: int) -> int:
    """Crashes a save of `step`, over checkpoints of the steps `prepared`, at each of its operations."""
    before = CheckpointStore(directory / "before", keep=10)
    for earlier in prepared:
        before.save(earlier, {}, {"made": "a"}, files=_FILES)
    operation = 0
    while True:
        work = directory / f"{operation:03d}"
        shutil.copytree(before.directory, work)
        child = os.fork()
        if child == 0:
            _crash_at(operation, work)
            CheckpointStore(work, keep=keep).save(step, {}, {"made": "b"}, files=_FILES)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            assert _found(work) == f"{step}b"
            return operation
        assert code == 9, code
        newest = max(prepared)
        allowed = {f"{newest}a", f"{step}b"} | {f"{earlier}a" for earlier in prepared if step < newest}
        assert _found(work) in allowed, (operation, _found(work), os.listdir(work))
        CheckpointStore(work, keep=keep).save(step + 1, {}, {"made": "c"})
        assert _found(work) == f"{step + 1}c"
        # Only checkpoints of steps to come are set aside, and nothing that is ours lies anywhere else.
        strays = [name for name in os.listdir(work) if not re.fullmatch(r"[0-9]{8}(\.aside)?", name)]
        assert not strays, (operation, strays)
        for checkpoint in work.iterdir():
            found = set(os.listdir(checkpoint))
            assert found in ({"meta.json"}, {"meta.json", *_FILES}), (operation, checkpoint, found)
        shutil.rmtree(work)
        operation += 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # JAX warns of forks, which are harmless before it has done anything
    directory = Path(sys.argv[1]).absolute()
    total = _crashes(directory / "next", 2, [100, 150, 200], 250)
    total += _crashes(directory / "again", 1, [200], 200)
    total += _crashes(directory / "earlier", 1, [100, 200], 150)
    print(total)
