"""The run directory around a training: whose it is, and that a run which never began leaves nothing in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from jaxseq.commands.resuming import require_same
from jaxseq.config import ExperimentConfig, read_config
from jaxseq.errors import InputError
from jaxseq.training.checkpoint import CheckpointStore
from jaxseq.training.files import writing
from jaxseq.training.lock import RunLock

_KEPT = ("lock", "tokens.npy")
_MADE = (
    "config.json",
    "tokenizer.json",
    "tokens.npy.partial",
    "checkpoints",
    "metrics.csv",
    "events.out.tfevents.*",
    "curves.png",
    "samples.txt",
    ".*.tmp",
)
"""Names of what a run writes. `_KEPT` outlives a fresh start: the token file says by itself whether it still fits."""


def has_begun(run_dir: Path) -> bool:
    """Whether there is a run to go on with: one with a checkpoint."""
    return bool(CheckpointStore(run_dir / "checkpoints").steps())


def check(run_dir: Path, config: ExperimentConfig, *, fresh: bool) -> None:
    """Refuses a directory of something else, and unless `fresh` a run that cannot go on with `config`.

    Raises:
        InputError: as told.
    """
    with writing(run_dir):
        if not run_dir.exists():
            return
    if not run_dir.is_dir():
        raise InputError(f"{run_dir} is a file: give another --run-dir or --name")
    if not has_begun(run_dir):
        strange = sorted(path.name for path in run_dir.iterdir() if not _is_named(path, (*_KEPT, *_MADE)))
        if strange:
            raise InputError(f"{run_dir} holds no run, but {strange[0]}: give another --run-dir or --name")
        if (run_dir / "config.json").exists():
            read_config(run_dir / "config.json")  # another program's has the same name
        return
    if fresh:
        return
    require_same(run_dir, config)


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Holds the directory, made if need be, for this process. A body that fails before there is a checkpoint leaves
    everything as it was.

    Raises:
        InputError: another process holds it, or it cannot be written to.
    """
    new = [path for path in (run_dir, *run_dir.parents) if not path.exists()]
    try:
        with RunLock(run_dir):
            before = set() if run_dir in new else set(run_dir.iterdir())
            try:
                yield
            except BaseException:
                if not has_begun(run_dir):
                    _remove(path for path in run_dir.iterdir() if path not in before)
                raise
    except BaseException:
        for path in new:
            with suppress(OSError):  # not empty: someone else's
                path.rmdir()
        raise


def clear(run_dir: Path) -> None:
    """Removes what a run has written there, and nothing else."""
    _remove(path for path in run_dir.iterdir() if _is_named(path, _MADE))


def _is_named(path: Path, names: tuple[str, ...]) -> bool:
    return any(fnmatch(path.name, name) for name in names)


def _remove(paths: Iterator[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
