"""The checkpoints of a run: saved so that a crash never costs a finished one, restored from the newest that is whole.

In the directory stand

    00000150             a checkpoint (see `jaxseq.storage.snapshot`); such a name appears by a rename, finished
    00000150.replaced    the one that stood there before, while a second save of step 150 takes its place
    00000150.aside       one found damaged, or of a course that was given up, out of the way of a later save; kept
    .building .discard   work in progress, or what a killed process left of it; the next save removes them

One process may save at a time (`jaxseq.storage.lock`); any number may restore meanwhile, which changes nothing on
disk. What jaxseq did not write is left alone, whatever its name: beside checkpoints and inside of them.
"""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from jaxseq.errors import CheckpointError
from jaxseq.storage.arrays import PyTree, load_orbax
from jaxseq.storage.atomic import sync, writing
from jaxseq.storage.listing import (
    Identity,
    discard,
    find,
    free_name,
    identity,
    is_named,
    listed,
    remove,
    replaced,
    unfinished,
)
from jaxseq.storage.manifest import is_ours
from jaxseq.storage.snapshot import Snapshot, is_marked_best, open_snapshot, remove_snapshot, write_snapshot

Which = Literal["newest", "best"] | int
Used = TypeVar("Used")

_TRIES = 10_000
"""Times that a checkpoint may be removed while it is read. The next try begins when its successor has come, which lasts
at least until another one is written; so in practice the second succeeds."""


class Restored(NamedTuple):
    """What a checkpoint held."""

    step: int
    arrays: PyTree
    """NumPy arrays in the template's structure."""
    meta: dict[str, Any]
    files: dict[str, bytes]
    skipped: list[str]
    """One line for each newer checkpoint that could not be used: which, and why."""


class _GoneError(Exception):
    """A checkpoint was removed or replaced while it was read."""


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
        """Steps there are checkpoints of, oldest first; whether they are whole shows when one is opened.

        A directory that has the name of a checkpoint and holds nothing that jaxseq wrote is none.
        """
        return self._those(is_ours)

    def save(
        self,
        step: int,
        arrays: PyTree,
        meta: Mapping[str, Any],
        *,
        files: Mapping[str, str | bytes] | None = None,
        best: bool = False,
        spare: Collection[int] = (),
    ) -> Path:
        """Saves a checkpoint and removes those no longer kept. When it returns, the bytes are on the disk.

        A checkpoint of the same step is replaced, one of a later step, which is of a course that was given up, set
        aside, as is anything else that has the name.

        Args:
            arrays: a pytree of arrays, on whatever devices, and numbers.
            meta: what goes into JSON, unchanged.
            files: small files kept with it, by name; texts as UTF-8.
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
                for other, path in find(self.directory).items():
                    if other > step and is_ours(path):
                        path.rename(free_name(path))
                if os.path.lexists(target) and not _is_whole(step, target):
                    target.rename(free_name(target))
                if os.path.lexists(target):
                    before = replaced(target)
                    if os.path.lexists(before):
                        before.rename(free_name(before))
                    target.rename(before)
                building.rename(target)
                sync(self.directory)
            except BaseException:
                with suppress(OSError):
                    remove_snapshot(building)
                raise
            self.tidy(spare)
        return target

    def tidy(self, spare: Collection[int] = ()) -> None:
        """Finishes what a killed save has left to do: removes unfinished work, and checkpoints no longer kept.

        Args:
            spare: steps to keep all the same.

        Raises:
            InputError: something cannot be removed.
        """
        with writing(self.directory):
            self._clean()
            self._prune(spare)

    def clear(self) -> None:
        """Removes all checkpoints, those set aside too, and the directory where nothing else lies in it.

        Raises:
            InputError: something cannot be removed.
        """
        with writing(self.directory):
            if not self.directory.is_dir():
                return
            self._clean()
            for path in sorted(self.directory.iterdir()):
                if is_named(path) and is_ours(path):
                    discard(path)
            if not self.directory.is_symlink() and not any(self.directory.iterdir()):
                self.directory.rmdir()

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
        opened = self.read(lambda snapshot: snapshot, which, up_to=up_to)
        return None if opened is None else (opened[0], opened[2])

    def read(
        self, use: Callable[[Snapshot], Used], which: Which = "newest", *, up_to: int | None = None
    ) -> tuple[Snapshot, Used, list[str]] | None:
        """As `open`, and what `use` makes of the checkpoint, of which nothing changed between the two.

        A process that saves at the same time removes older checkpoints. Where that happens to the one being verified
        or used, all begins again with those there are now, and what `use` raised or gave back is dropped.
        """
        for number in range(_TRIES):
            try:
                return self._read(use, which, up_to, again=number > 0)
            except _GoneError:
                continue
        raise CheckpointError(
            f"the checkpoints in {self.directory} change faster than they can be read: copy one first"
        )

    def has_best(self) -> bool:
        """Whether one of the checkpoints was saved as the best."""
        return bool(self._those(is_marked_best))

    def restore(self, template: PyTree, *, which: Which = "newest", up_to: int | None = None) -> Restored | None:
        """What the checkpoint holds, in the structure of `template`: arrays or `jax.ShapeDtypeStruct`s.

        Returns:
            None where there is no checkpoint at all.

        Raises:
            CheckpointError: none can be used, or the one found differs from `template`, whose first such leaf is named.
        """
        return self._restored(lambda snapshot: snapshot.restore(template), which, up_to)

    def restore_params(
        self, template: PyTree | None = None, *, which: Which = "newest", name: str = "params"
    ) -> Restored | None:
        """As `restore`, but only what lies under `name` of the saved tree; without a template as nested dicts."""
        return self._restored(lambda snapshot: snapshot.restore_subtree(name, template), which, None)

    def restore_variables(self, *, which: Which = "newest") -> Restored | None:
        """As `restore`, but only what a `jaxseq.training.state.TrainState` has trained, as nested dicts: {"params":
        ...}, their average where one is kept, and other collections."""
        return self._restored(_variables, which, None)

    def _restored(self, use: Callable[[Snapshot], PyTree], which: Which, up_to: int | None) -> Restored | None:
        load_orbax()  # so that no time passes between verifying and reading
        opened = self.read(use, which, up_to=up_to)
        if opened is None:
            return None
        snapshot, arrays, skipped = opened
        return Restored(snapshot.step, arrays, snapshot.meta, snapshot.files, skipped)

    def _read(
        self, use: Callable[[Snapshot], Used], which: Which, up_to: int | None, *, again: bool
    ) -> tuple[Snapshot, Used, list[str]] | None:
        """One try of `read`, or another one.

        Raises:
            _GoneError: a checkpoint has gone, or is another one, since the listing that this began with.
        """
        there = listed(self.directory)
        seen = {path: identity(path) for path in there.values()}

        def stands(path: Path) -> bool:
            return _stands(path, seen[path])

        if not any(map(is_ours, seen)):
            if not all(map(stands, seen)):
                raise _GoneError
            return None
        found = {step: path for step, path in sorted(there.items(), reverse=True) if up_to is None or step <= up_to}
        if not found:
            return None
        if isinstance(which, int):
            if which not in found:
                none = "has no checkpoint of step" if not again else "has no longer a checkpoint of step"
                choice = ", ".join(map(str, sorted(found)))
                raise CheckpointError(f"{self.directory} {none} {which}: choose one of {choice}")
            found = {which: found[which]}
        skipped: list[str] = []
        for step, path in found.items():
            if which == "best" and is_marked_best(path) is False:
                continue
            try:
                snapshot = _open(step, path)
            except CheckpointError as error:
                if not stands(path):
                    raise _GoneError from error
                if isinstance(which, int):
                    raise
                skipped.append(str(error))
                continue
            if which == "best" and not snapshot.best:
                continue
            try:
                used = use(snapshot)
            except Exception as error:  # whatever comes of files that vanish
                if not stands(path):
                    raise _GoneError from error
                raise
            if not stands(path):
                raise _GoneError
            return snapshot, used, skipped
        if not all(map(stands, found.values())):
            raise _GoneError
        reasons = "; ".join(skipped) or f"no checkpoint in {self.directory} was saved as the best"
        remedy = "put a copy of one back, or train anew with --fresh" if skipped else "ask for the newest"
        raise CheckpointError(f"no usable checkpoint: {reasons}: {remedy}")

    def _those(self, test: Callable[[Path], bool | None]) -> list[int]:
        """Steps of the checkpoints that pass `test`, oldest first; none only where none has gone meanwhile."""
        for _ in range(_TRIES):
            seen = {path: (step, identity(path)) for step, path in listed(self.directory).items()}
            passed = sorted(step for path, (step, _) in seen.items() if test(path))
            if passed or all(_stands(path, before) for path, (_, before) in seen.items()):
                return passed
        return []

    def _clean(self) -> None:
        """Removes what earlier saves, killed ones among them, left over; puts back what they were about to replace."""
        for path in unfinished(self.directory):
            successor = path.with_suffix("")
            if path.suffix != ".replaced":
                remove(path)
            elif os.path.lexists(successor):
                discard(path)
            else:
                path.rename(successor)

    def _prune(self, spare: Collection[int]) -> None:
        newest_first = sorted(find(self.directory).items(), reverse=True)
        marks = {step: mark for step, path in newest_first if (mark := is_marked_best(path)) is not None}
        best = next((step for step, mark in marks.items() if mark), None)
        paths = dict(newest_first)
        for step in list(marks)[self._keep :]:  # one without a usable meta.json is no one's to count or to delete
            if step != best and step not in spare:
                discard(paths[step])


def _stands(path: Path, before: Identity | None) -> bool:
    """Whether what a listing had at `path` is there still. What had no identity had gone before it was asked for one,
    unless it is a link that leads nowhere."""
    return identity(path) == before and (before is not None or os.path.islink(path))


def _variables(snapshot: Snapshot) -> dict[str, Any]:
    there = {name.partition("/")[0] for name in snapshot.specs}
    params = {"params": snapshot.restore_subtree("average" if "average" in there else "params")}
    return {**params, **snapshot.restore_subtree("collections")} if "collections" in there else params


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
