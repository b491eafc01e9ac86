"""Samples and evaluates runs while they train, save and prune all the time.

    python tests/endurance/readers.py --seed 0 --reads 1000

A trainer saves a checkpoint after every step or two and keeps one, or as many as by default, with and without marks of
the best, and with its token file on disk. Beside it `sample` and `evaluate`, in processes of their own and many times
in one, and `load_run`, read what is there, some of them held up for a moment where they open a file. A read must end
with exit code 0; the trainer must end as one left alone, bit for bit. Prints what failed, and a summary; exit code 1 on
any failure.
"""

import argparse
import collections
import contextlib
import importlib
import io
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fuzz_world import TRANSFORMER, training
from harness import compared, in_parallel, prepare, text, workplace
from judging import faults, steps
from kills import Operations
from processes import Main, Running, Setting, run

_SAVING = ["--train.steps=200", "--train.log-every=10", "--train.evaluate-every=10"]
TRAINERS = {
    "keep 1": [*_SAVING, "--train.keep=1", "--train.checkpoint-every=1"],
    "keep by default": [*_SAVING, "--train.checkpoint-every=1"],
    "marks of the best": [*_SAVING, "--train.keep=1", "--train.checkpoint-every=2", "--train.evaluate-every=1"],
    "tokens on disk": [*_SAVING, "--train.keep=1", "--train.checkpoint-every=1", "--data.memory-map"],
    "transformer": [*TRANSFORMER, *_SAVING, "--train.keep=2", "--train.checkpoint-every=1"],
}
_READS = (
    ["sample", "RUN", "--length=2"],
    ["sample", "RUN", "--length=2", "--checkpoint=newest", "--json"],
    ["sample", "RUN", "--next=3", "--checkpoint=newest"],
    ["evaluate", "RUN", "--json"],
    ["evaluate", "RUN", "--checkpoint=newest"],
)
_IN_A_ROW = 8


class Reading:
    """What the workers do; they are forked from the process that holds this."""

    def __init__(self, base: Path, command: Main, options: argparse.Namespace) -> None:
        self.base, self.command, self.options = base, command, options

    def reference(self, name: str) -> list[str]:
        """Trains a run undisturbed."""
        outcome = run(self.command, self.words(name, self.base / name), Setting(self.base, limit=300))
        return [f"{name}: the reference: {fault}" for fault in faults(outcome, codes=(0,))]

    def words(self, name: str, run_dir: Path) -> list[str]:
        return [*training(TRAINERS[name]), f"--run-dir={run_dir}"]

    def trained(self, number: int) -> dict[str, Any]:
        """One trainer and the reads beside it."""
        chance = random.Random(f"{self.options.seed} {number}")
        name = list(TRAINERS)[number % len(TRAINERS)]
        run_dir = self.base / f"run-{number:03d}"
        reads, found = 0, []

        def read(running: Running) -> None:
            nonlocal reads
            if not steps(run_dir):
                return
            if chance.random() < 0.15:
                done, wrong = self._many(run_dir, chance)
            else:
                done, wrong = 1, self._one(run_dir, chance)
            reads += done
            found.extend(f"{name}: {fault}" for fault in wrong)

        setting = Setting(self.base, limit=self.options.limit, watch=read, every=0.001)
        outcome = run(self.command, self.words(name, run_dir), setting)
        found += [f"{name}: the trainer: {fault}" for fault in faults(outcome, codes=(0,))]
        if outcome.code == 0:
            found += [f"{name}: the trainer: {line}" for line in compared(self.base / name, run_dir)]
        shutil.rmtree(run_dir, ignore_errors=True)
        return {"reads": reads, "found": found}

    def _one(self, run_dir: Path, chance: random.Random) -> list[str]:
        argv = [word.replace("RUN", str(run_dir)) for word in chance.choice(_READS)]
        setting = Setting(self.base, limit=60)
        if chance.random() < 0.6:  # it is held up where it is about to open something, while the trainer goes on
            pause, at = chance.uniform(0.1, 0.8), chance.randrange(20)
            setting.before = Operations(run_dir, at=at, then=lambda: time.sleep(pause)).install
        outcome = run(self.command, argv, setting)
        return [f"{argv[0]}: {fault}" for fault in faults(outcome, codes=(0,))]

    def _many(self, run_dir: Path, chance: random.Random) -> tuple[int, list[str]]:
        """Many reads in one process, which has compiled what it needs by the second."""
        argv = [word.replace("RUN", str(run_dir)) for word in chance.choice(_READS)]
        command = self.command if chance.random() < 0.6 else _load(run_dir)

        def often(_: Sequence[str]) -> int:
            done, wrong = 0, []
            for _ in range(_IN_A_ROW):
                said = io.StringIO()
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                    code = command(argv)
                done += 1
                if code:
                    wrong.append(f"exit code {code}: {said.getvalue().strip()[-200:]}")
            print(json.dumps([done, wrong]))
            return 0

        outcome = run(often, [], Setting(self.base, limit=120))
        wrong = faults(outcome, codes=(0,))
        if wrong:
            return 1, [f"{argv[0]}, one of many: {fault}" for fault in wrong]
        done, wrong = json.loads(outcome.out)
        return done, [f"{argv[0]}, one of many: {fault}" for fault in wrong]


def _load(run_dir: Path) -> Callable[[Sequence[str]], int]:
    """A read by the function that scripts call."""

    def load(_: Sequence[str]) -> int:
        for module in ("jaxseq.runs", "jaxseq.tasks.language.language_model"):
            with contextlib.suppress(ImportError, AttributeError):
                function = importlib.import_module(module).load_run
                break
        function(run_dir)
        time.sleep(0.01)
        return 0

    return load


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the options and runs it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of what is read when")
    parser.add_argument("--reads", type=int, default=100, help="reads in all, at least")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that a trainer may take")
    parser.add_argument("--jobs", type=int, default=2, help="trainers at a time, each with one reader")
    parser.add_argument("--directory", type=Path, help="where the runs go; a temporary directory otherwise")
    options = parser.parse_args(arguments)
    with workplace(options.directory) as base:
        reading = Reading(base, prepare(base), options)
        text(base / "text.txt", 2500)
        found = [fault for faults in in_parallel(reading.reference, TRAINERS, jobs=options.jobs) for fault in faults]
        reads = trainers = 0
        while reads < options.reads and not found[: 1 if not trainers else 0]:
            for result in in_parallel(reading.trained, range(trainers, trainers + options.jobs), jobs=options.jobs):
                reads, trainers = reads + result["reads"], trainers + 1
                found += result["found"]
    for fault, count in collections.Counter(found).most_common():
        print(f"{count:5} x {fault}")
    print(f"{reads} reads beside {trainers} trainers: {len(found)} failures")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
