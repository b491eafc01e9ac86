"""Lets the disk fill up under training runs at random moments, frees it again, and compares what they end with.

    python tests/endurance/full_disk.py --seed 0 --trials 100

Runs train on a small file system of their own (a tmpfs, mounted where nobody else sees it). At a random moment, or at a
random file operation of the run, a filler takes all space but a few kilobytes; sometimes it shrinks again while the run
is still at work. A run that needs space then must end with exit code 2 and one line, and must have lost no checkpoint.
The space returns, the same command is given again, and at last goes to its end: that must be the end of a run that was
never disturbed, bit for bit. Where no file system can be mounted, opening a file to write fails instead, from a random
operation on. Prints what went wrong, and a summary; exit code 1 on any difference or fault.
"""

import argparse
import contextlib
import ctypes
import errno
import os
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import compared, in_parallel, prepare, text, workplace
from judging import faults, steps
from kills import CONFIGURATIONS, Operations, Reference, Work
from processes import Running, Setting, run

_NAMES = ("lstm", "gru, reset before", "rnn, bytes on disk", "transformer, sinusoidal, untied", "transformer, bfloat16")
_SIZE = 8 * 2**20
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC_PRIVATE = 0x4000 | 0x40000


class Disk:
    """A small file system, and a file in it that takes the space."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._filler = folder, folder / "filler"

    @classmethod
    def mounted(cls, folder: Path) -> "Disk | None":
        """One for this process and its children alone; None where that is not allowed."""
        libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
        if libc.unshare(_CLONE_NEWNS) != 0:
            if libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER) != 0:
                return None
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        folder.mkdir(exist_ok=True)
        if libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None) != 0:
            return None
        if libc.mount(b"small", os.fsencode(folder), b"tmpfs", 0, f"size={_SIZE}".encode()) != 0:
            return None
        return cls(folder)

    def fill(self, left: int) -> None:
        """Takes all space but `left` bytes."""
        with open(self._filler, "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            file.truncate(max(file.seek(0, os.SEEK_END) - left, 0))

    def free(self) -> None:
        """Gives all of it back."""
        self._filler.unlink(missing_ok=True)


class _Filler:
    """Fills a disk at a moment, and sometimes frees it at another, while a run is at work."""

    def __init__(self, disk: Disk, chance: random.Random, seconds: float) -> None:
        self._disk, self.left = disk, chance.choice((0, 0, 4096, 20_000, 100_000))
        self._at = chance.uniform(0, seconds)
        self._until = self._at + chance.uniform(0, seconds) if chance.random() < 0.3 else float("inf")
        self._full = False

    def look(self, running: Running) -> None:
        if not self._full and self._at <= running.age < self._until:
            self._full = True
            self._disk.fill(self.left)
        if self._full and running.age >= self._until:
            self._full = False
            self._disk.free()


class _Trials:
    """What the workers do; they are forked from the process that holds this."""

    def __init__(self, work: Work, base: Path, *, mount: bool) -> None:
        self.work, self.base, self._mount = work, base, mount
        self._disk: Disk | None = None

    def trial(self, number: int) -> dict[str, Any]:
        """One run, met by a full disk one to three times."""
        if self._mount and self._disk is None:
            self._disk = Disk.mounted(self.base / "disk")
        chance = random.Random(f"{self.work.seed} {number}")
        reference = self.work.references[number % len(self.work.references)]
        place = self._disk.folder if self._disk else reference.folder
        run_dir = place / f"run-{number:04d}"
        events, found, stopped = [], [], 0
        for _ in range(chance.randint(1, 3)):
            before = steps(run_dir)
            setting, what = self._setting(reference, run_dir, chance)
            outcome = run(self.work.command, reference.command(run_dir), setting)
            if self._disk is not None:
                self._disk.free()
            stopped += outcome.code == 2
            events.append(f"{what}: exit code {outcome.code} (step {(steps(run_dir) or ['none'])[-1]})")
            found += [f"on a full disk: {fault}" for fault in faults(outcome)]
            if before and (steps(run_dir) or [-1])[-1] < before[-1]:
                found.append(f"lost: the checkpoint of step {before[-1]}")
            if outcome.code == 0:
                break
        setting = Setting(reference.folder, limit=self.work.limit)
        outcome = run(self.work.command, reference.command(run_dir), setting)
        found += [f"with space again: {fault}" for fault in faults(outcome, codes=(0,))]
        if b"skipped a checkpoint" in outcome.err:
            found.append("lost: a checkpoint was left damaged")
        if outcome.code == 0:
            found += compared(reference.run, run_dir)
        if not found:  # or else the finished runs would be what fills the disk
            shutil.rmtree(run_dir)
        return {"line": f"run {number}, {reference.name}: {'; '.join(events)}", "stopped": stopped, "found": found}

    def _setting(self, reference: Reference, run_dir: Path, chance: random.Random) -> tuple[Setting, str]:
        setting = Setting(reference.folder, limit=self.work.limit)
        at = chance.randrange(max(reference.operations, 1))
        if self._disk is None:
            setting.before = Operations(run_dir, at=at, then=_no_space, always=True).install
            return setting, f"no space from file operation {at} on"
        filler = _Filler(self._disk, chance, reference.seconds)
        if chance.random() < 0.5:
            disk = self._disk
            setting.before = Operations(run_dir, at=at, then=lambda: disk.fill(filler.left)).install
            return setting, f"full but for {filler.left} bytes at file operation {at}"
        setting.watch, setting.every = filler.look, 0.005
        return setting, f"full but for {filler.left} bytes"


def _no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the options and runs it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--trials", type=int, default=20, help="runs in all")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--without-mount", action="store_true", help="let writing fail instead of filling a disk")
    parser.add_argument("--directory", type=Path, help="where the references go; a temporary directory otherwise")
    options = parser.parse_args(arguments)
    with workplace(options.directory) as base:
        work = Work(base, prepare(base), options.seed, 0.0)
        text(base / "corpus.txt", 3000)
        assert set(_NAMES) <= set(CONFIGURATIONS)
        references = list(in_parallel(work.reference, _NAMES, jobs=options.jobs))
        found = [line for reference in references for line in reference["found"]]
        print("".join(f"{line}\n" for line in found), end="")
        work.references = [Reference.of(reference["what"]) for reference in references if not reference["found"]]
        wrong = stopped = 0
        if work.references:
            trials = _Trials(work, base, mount=not options.without_mount)
            for result in in_parallel(trials.trial, range(options.trials), jobs=options.jobs):
                stopped += result["stopped"]
                wrong += bool(result["found"])
                if result["found"]:
                    print(f"{result['line']}: {'; '.join(result['found'])}", flush=True)
    print(f"{options.trials} runs, {stopped} times stopped by a full disk: {wrong} with a loss, difference or fault")
    return 1 if wrong or found else 0


if __name__ == "__main__":
    sys.exit(main())
