"""The run directory around a training: whose it is, and that a run which never began leaves nothing in it.

A directory is a run's that holds a configuration of ours or a checkpoint of ours. Others are left alone; and in a run's
own, nothing is deleted or overwritten that is not ours (`jaxseq.runs.ownership`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxseq.config import ExperimentConfig, read_config
from jaxseq.errors import InputError
from jaxseq.runs import ownership
from jaxseq.runs.ownership import CONFIG, TOKENS
from jaxseq.storage.atomic import writing
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.lock import RunLock


def has_begun(run_dir: Path) -> bool:
    """Whether there is a run to go on with: one with a checkpoint."""
    return bool(_store(run_dir).steps())


def check(run_dir: Path, config: ExperimentConfig, *, fresh: bool) -> None:
    """Refuses a directory of something else.

    Raises:
        InputError: as told.
    """
    with writing(run_dir):
        if not run_dir.exists():
            return
        if not run_dir.is_dir():
            raise InputError(f"{run_dir} is a file: give another --run-dir or --name")
        begun = has_begun(run_dir)
        if not begun and os.path.lexists(run_dir / CONFIG):
            read_config(run_dir / CONFIG)  # another program's has the same name
        elif not begun and (strange := ownership.strangers(run_dir)):
            raise InputError(f"{run_dir} holds no run, but {strange[0]}: give another --run-dir or --name")
    tokens = run_dir / TOKENS
    if fresh and config.data.keeps_file and os.path.lexists(tokens) and not ownership.is_token_file(tokens):
        raise InputError(f"{tokens} is none that jaxseq wrote: move it, or give another --run-dir")


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Holds the directory, made if need be, for this process. A body that fails before there is a checkpoint leaves
    everything as it was.

    Raises:
        InputError: another process holds it, or it cannot be written to.
    """
    with writing(run_dir):
        new = [path for path in (run_dir, *run_dir.parents) if not path.exists()]
    try:
        with RunLock(run_dir):
            with writing(run_dir):
                before = set() if run_dir in new else set(run_dir.iterdir())
            try:
                yield
            except BaseException:
                if not has_begun(run_dir):
                    _remove_new(run_dir, before)
                raise
    except BaseException:
        for path in new:
            with suppress(OSError):  # not empty: someone else's
                path.rmdir()
        raise


def clear(run_dir: Path) -> None:
    """Removes what a run has written there, and nothing else. The configuration stays until the next one takes its
    place: it says whose the directory is, if this process is killed in between.

    Raises:
        InputError: something cannot be removed.
    """
    with writing(run_dir):
        _store(run_dir).clear()
        for path in ownership.written(run_dir):
            path.unlink()


def make_way(run_dir: Path) -> list[str]:
    """Moves aside what would be overwritten and is not ours; a line for each.

    Raises:
        InputError: something cannot be moved.
    """
    with writing(run_dir):
        return list(ownership.make_way(run_dir))


def _store(run_dir: Path) -> CheckpointStore:
    return CheckpointStore(run_dir / "checkpoints")


def _remove_new(run_dir: Path, before: set[Path]) -> None:
    if run_dir / "checkpoints" not in before:
        _store(run_dir).clear()
    for path in [*ownership.written(run_dir), *ownership.kept(run_dir)]:
        if path not in before:
            path.unlink(missing_ok=True)
