"""The checkpoints of a run: saved so that a crash never costs a finished one, restored from the newest that is whole.

In the directory stand

    00000150             a checkpoint (see `jaxseq.training.snapshot`); such a name appears by a rename, finished
    00000150.replaced    the one that stood there before, while a second save of step 150 takes its place
    00000150.aside       one found damaged, or of a course that was given up, out of the way of a later save; kept
    .building .discard   work in progress, or what a killed process left of it; the next save removes them

One process may save at a time (`jaxseq.training.lock`); any number may restore, which changes nothing on disk.
"""

import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jaxseq.errors import CheckpointError
from jaxseq.training.arrays import PyTree
from jaxseq.training.files import sync, writing
from jaxseq.training.snapshot import Snapshot, is_marked_best, open_snapshot, write_snapshot

Which = Literal["newest", "best"] | int


class Restored(NamedTuple):
    """What a checkpoint held."""

    step: int
    arrays: PyTree
    """NumPy arrays in the template's structure."""
    meta: dict[str, Any]
    files: dict[str, str]
    skipped: list[str]
    """One line for each newer checkpoint that could not be used: which, and why."""


class CheckpointStore:
    """The checkpoints in `directory`, which need not exist yet.

    Args:
        keep: how many of the newest stay after a save; the newest that was saved as the best stays beside them.
    """

    def __init__(self, directory: str | os.PathLike[str], *, keep: int = 3) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}: a store keeps at least 1 checkpoint")
        self.directory = Path(directory)
        self._keep = keep

    def steps(self) -> list[int]:
        """Steps there are checkpoints of, oldest first; whether they are whole shows when one is opened."""
        return sorted(self._find())

    def save(
        self,
        step: int,
        arrays: PyTree,
        meta: Mapping[str, Any],
        *,
        files: Mapping[str, str] | None = None,
        best: bool = False,
        spare: Collection[int] = (),
    ) -> Path:
        """Saves a checkpoint and removes those no longer kept. When it returns, the bytes are on the disk.

        A checkpoint of the same step is replaced, one of a later step, which is of a course that was given up, set
        aside.

        Args:
            arrays: a pytree of arrays, on whatever devices, and numbers.
            meta: what goes into JSON, unchanged.
            files: small texts kept with it, by file name.
            best: that it is the best so far, and to be kept until there is a better one.
            spare: steps whose checkpoints stay, beside the newest.

        Returns:
            Its directory.

        Raises:
            InputError: the disk is full or read-only, or the like; the checkpoints there were are untouched.
        """
        if step < 0:
            raise ValueError(f"step is {step}: a step is 0 or more")
        target = self.directory / f"{step:08d}"
        building = self.directory / ".building"
        with writing(target):
            try:
                if not self.directory.is_dir():
                    self.directory.mkdir(parents=True)
                    sync(self.directory.parent)
                self._clean()
                write_snapshot(building, step, arrays, meta, files=files or {}, best=best)
                for other, path in self._find().items():
                    if other > step or (other == step and not _is_whole(other, path)):
                        path.rename(_free_name(path))
                if target.exists():
                    target.rename(_replaced(target))
                building.rename(target)
                sync(self.directory)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            self._clean()
            self._prune(spare)
        return target

    def open(self, which: Which = "newest", *, up_to: int | None = None) -> tuple[Snapshot, list[str]] | None:
        """The checkpoint that is asked for, verified, and a line for each one that had to be skipped.

        Args:
            which: "newest"; "best", the newest of those saved as the best; or a step.
            up_to: leave later steps out of account.

        Returns:
            None where there is no checkpoint at all.

        Raises:
            CheckpointError: there are checkpoints, but the ones asked for are missing or damaged.
        """
        found = {step: path for step, path in self._find().items() if up_to is None or step <= up_to}
        if not found:
            return None
        if isinstance(which, int):
            if which not in found:
                there = ", ".join(map(str, sorted(found)))
                raise CheckpointError(f"{self.directory} has no checkpoint of step {which}: choose one of {there}")
            return _open(which, found[which]), []
        skipped: list[str] = []
        for step, path in sorted(found.items(), reverse=True):
            if which == "best" and is_marked_best(path) is False:
                continue
            try:
                snapshot = _open(step, path)
            except CheckpointError as error:
                skipped.append(str(error))
            else:
                if which == "newest" or snapshot.best:
                    return snapshot, skipped
        reasons = "; ".join(skipped) or f"no checkpoint in {self.directory} was saved as the best"
        raise CheckpointError(f"no usable checkpoint: {reasons}")

    def has_best(self) -> bool:
        """Whether one of the checkpoints was saved as the best."""
        return any(is_marked_best(path) for path in self._find().values())

    def restore(self, template: PyTree, *, which: Which = "newest", up_to: int | None = None) -> Restored | None:
        """What the checkpoint holds, in the structure of `template`: arrays or `jax.ShapeDtypeStruct`s.

        Returns:
            None where there is no checkpoint at all.

        Raises:
            CheckpointError: none can be used, or the one found differs from `template`, whose first such leaf is named.
        """
        opened = self.open(which, up_to=up_to)
        if opened is None:
            return None
        snapshot, skipped = opened
        return Restored(snapshot.step, snapshot.restore(template), snapshot.meta, snapshot.files, skipped)

    def restore_params(
        self, template: PyTree | None = None, *, which: Which = "newest", name: str = "params"
    ) -> Restored | None:
        """As `restore`, but only what lies under `name` of the saved tree; without a template as nested dicts."""
        opened = self.open(which)
        if opened is None:
            return None
        snapshot, skipped = opened
        arrays = snapshot.restore_subtree(name, template)
        return Restored(snapshot.step, arrays, snapshot.meta, snapshot.files, skipped)

    def _find(self) -> dict[int, Path]:
        """Checkpoints by step. A replaced one counts where its successor has not come into place."""
        found: dict[int, Path] = {}
        if self.directory.is_dir():
            for path in sorted(self.directory.iterdir(), reverse=True):  # "N.replaced" before "N", which overrides it
                if match := re.fullmatch(r"(\d{8,})(\.replaced)?", path.name):
                    found[int(match[1])] = path
        return found

    def _clean(self) -> None:
        """Removes what earlier saves, killed ones among them, left over; puts back what they were about to replace."""
        for path in list(self.directory.iterdir()):
            if path.name in (".building", ".discard"):
                shutil.rmtree(path)
            elif path.name.endswith(".replaced"):
                successor = path.with_suffix("")
                if successor.exists():
                    self._discard(path)
                else:
                    path.rename(successor)

    def _prune(self, spare: Collection[int]) -> None:
        steps = {path: step for step, path in self._find().items()}
        newest_first = [path for _, path in sorted(self._find().items(), reverse=True)]
        marks = {path: mark for path in newest_first if (mark := is_marked_best(path)) is not None}
        best = next((path for path, mark in marks.items() if mark), None)
        for path in list(marks)[self._keep :]:  # one without a usable meta.json is no one's to count or to delete
            if path != best and steps[path] not in spare:
                self._discard(path)

    def _discard(self, path: Path) -> None:
        """Deletes a checkpoint by way of a rename, so that a kill in between leaves none with files missing."""
        path.rename(self.directory / ".discard")
        shutil.rmtree(self.directory / ".discard")


def _replaced(path: Path) -> Path:
    return path.with_name(f"{path.name}.replaced")


def _free_name(path: Path) -> Path:
    """`path` with ".aside" added, and a number where that is taken."""
    name = path.with_name(f"{path.name}.aside")
    number = 2
    while name.exists():
        name = path.with_name(f"{path.name}.aside-{number}")
        number += 1
    return name


def _open(step: int, path: Path) -> Snapshot:
    snapshot = open_snapshot(path)
    if snapshot.step != step:
        raise CheckpointError(f"{path} holds step {snapshot.step}: give it back the name {snapshot.step:08d}")
    return snapshot


def _is_whole(step: int, path: Path) -> bool:
    try:
        _open(step, path)
    except CheckpointError:
        return False
    return True
