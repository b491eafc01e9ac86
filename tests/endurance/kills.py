"""Kills training runs at random moments and compares what they end with, bit for bit, with a run never killed.

    python tests/endurance/kills.py --seed 0 --kills 300

Each of the configurations below, which have every kind of model and all that has a state of its own, is trained
undisturbed as a reference. Then runs of them are begun again and again: each is ended one to three times, by SIGKILL,
SIGTERM, SIGINT or SIGHUP, at a random moment from the start of its process on, at a random file operation (so in every
save, prune and picture), or in a save; between two tries a byte of the newest checkpoint or metrics.csv is sometimes
damaged, or metrics.csv deleted; then it is let go to its end. Arrays, manifests, texts, metrics.csv, samples.txt and
curves.png must equal the reference's, nothing may be left over, and a signal that is handled ends in its exit code.
Prints a line for each run that went wrong and a summary. Exit code 1 on any difference or fault.
"""

import argparse
import mmap
import os
import random
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import ROOT, compared, in_parallel, new_process, prepare, text, workplace
from judging import ALLOWED, faults, steps
from processes import Main, Outcome, Running, Setting, run

_SMALL = [
    "--data.length=8",
    "--data.batch-size=4",
    "--model.features=8",
    "--optimizer.warmup-steps=3",
    "--train.steps=40",
    "--train.log-every=5",
    "--train.evaluate-every=7",
    "--train.evaluate-batches=2",
    "--train.checkpoint-every=9",
    "--train.keep=2",
    "--train.devices=1",
    "--task.sample-length=10",
]
"""The intervals share no factor, so that kills fall between any two of them."""
_RNN = ["configs/quickstart.py"]
_TRANSFORMER = ["configs/shakespeare_transformer.py", "--model.heads=2", "--model.layers=2", "--model.context=8"]
_TRANSFORMER += ["--task.prompt=the", "--data.layout=rows"]
_WINDOWS = ["--data.layout=windows", "--data.shift=3"]

CONFIGURATIONS = {
    "lstm": [
        *_RNN,
        "--model.layers=2",
        "--model.dropout=0.2",
        "--model.input-dropout=0.1",
        "--model.output-dropout=0.1",
        "--model.recurrent-dropout=0.1",
        "--optimizer.accumulate=2",
        "--optimizer.clip-norm=1",
        "--train.steps-per-dispatch=4",
    ],
    "lstm, the last token of windows": [*_RNN, *_WINDOWS, "--model.embedding=4", "--task.predict=last"],
    "lstm, bfloat16": [*_RNN, "--train.compute-dtype=bfloat16", "--model.variational", "--model.dropout=0.3"],
    "gru": [*_RNN, "--model.cell=gru", "--train.devices=2", "--train.steps-per-dispatch=3", "--model.embedding=4"],
    "gru, reset before": [
        *_RNN,
        *_WINDOWS,
        "--model.cell=gru",
        "--model.no-reset-after",
        "--optimizer.kind=rmsprop",
        "--optimizer.momentum=0.5",
        "--optimizer.schedule=step",
        "--optimizer.step-every=11",
        "--train.keep=1",
    ],
    "rnn, jamo": [*_RNN, "--model.cell=rnn", "--data.tokenizer=jamo", "--data.normalize", "lowercase", "nfc"],
    "rnn, bytes on disk": [
        *_RNN,
        "--model.cell=rnn",
        "--model.embedding=4",
        "--data.tokenizer=byte",
        "--data.memory-map",
        "--optimizer.kind=sgd",
        "--optimizer.momentum=0.9",
        "--train.keep=1",
    ],
    "rare symbols": [*_RNN, "--data.min-count=150", "--optimizer.kind=adadelta", "--optimizer.clip-value=0.1"],
    "patience": [*_RNN, "--train.patience=2", "--train.evaluate-every=3", "--optimizer.learning-rate=0.5"],
    "an epoch": [*_RNN, "--train.steps=0", "--train.epochs=1", "--train.checkpoint-every=0", "--data.batch-size=8"],
    "transformer, rotary": [*_TRANSFORMER, "--optimizer.accumulate=3", "--model.dropout=0.1"],
    "transformer, learned": [*_TRANSFORMER, "--model.positions=learned", "--model.bias", "--train.devices=2"],
    "transformer, sinusoidal, untied": [
        *_TRANSFORMER,
        *_WINDOWS,
        "--model.positions=sinusoidal",
        "--model.no-tie-embedding",
        "--data.memory-map",
    ],
    "transformer, bfloat16": [
        *_TRANSFORMER,
        "--model.no-tie-embedding",
        "--train.compute-dtype=bfloat16",
        "--train.evaluate-every=1",
        "--train.keep=1",
    ],
}


@dataclass
class Reference:
    """A run left alone."""

    name: str
    words: list[str]
    folder: Path
    run: Path
    seconds: float = 0.0
    operations: int = 0

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Reference":
        """One out of what a worker tells in JSON."""
        return cls(**{**told, "folder": Path(told["folder"]), "run": Path(told["run"])})

    def command(self, run: Path) -> list[str]:
        return ["train", *self.words, f"--run-dir={run}"]


@dataclass
class Trial:
    """A run, what was done to it, and what went wrong."""

    run: Path
    kills: int = 0
    events: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


class Operations:
    """Counts what a child does to files, and lets something happen at one of these operations."""

    _NAMES = frozenset(
        ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree")
    )

    def __init__(
        self, inside: Path, *, at: int = -1, then: Callable[[], None] = lambda: None, always: bool = False
    ) -> None:
        self._always = always
        self._shared, self._inside, self._at, self._then = mmap.mmap(-1, 8), os.fsencode(inside), at, then

    @property
    def count(self) -> int:
        return struct.unpack("q", self._shared)[0]

    def install(self) -> None:
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in self._NAMES or not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsencode(arguments[0])
        if path.startswith(self._inside) or not path.startswith(b"/"):  # those within a folder are told by name only
            count = self.count
            self._shared[:] = struct.pack("q", count + 1)
            if count == self._at or (self._always and count > self._at and _writes(event, arguments)):
                self._then()


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an operation that Python announces takes space."""
    if event != "open":
        return event == "os.mkdir"
    _, mode, flags = arguments
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) or (isinstance(mode, str) and bool(set(mode) & set("wax+")))


def main(arguments: Sequence[str] | None = None, *, trainer: Main | None = None) -> int:
    """Parses the options and runs it all; `trainer` stands in for jaxseq in tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and signals")
    parser.add_argument("--kills", type=int, default=50, help="kills in all, at least")
    parser.add_argument("--real", type=float, default=0.1, help="share of the tries that are new Python processes")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--only", default="", help="configurations whose name holds this")
    parser.add_argument("--directory", type=Path, help="where the runs go, and stay; a temporary directory otherwise")
    options = parser.parse_args(arguments)
    with workplace(options.directory) as base:
        command = trainer or prepare(base)
        work = Work(base, command, options.seed, 0.0 if trainer else options.real)
        names = [name for name in CONFIGURATIONS if options.only in name]
        text(base / "corpus.txt", 3000)
        references = list(in_parallel(work.reference, names, jobs=options.jobs))
        wrong = [line for reference in references for line in reference["found"]]
        work.references = [Reference.of(reference["what"]) for reference in references if not reference["found"]]
        for line in wrong:
            print(line)
        runs = kills = different = real = number = 0
        while kills < options.kills and work.references:
            ahead = max(options.jobs, (options.kills - kills) // 2)
            for result in in_parallel(work.trial, range(number, number + ahead), jobs=options.jobs):
                runs, kills, real = runs + 1, kills + result["kills"], real + result["real"]
                different += bool(result["found"])
                if result["found"]:
                    print(f"run {result['number']}, {result['line']}: {'; '.join(result['found'])}", flush=True)
            number += ahead
    print(
        f"{kills} kills ({real} of new Python processes) in {runs} runs of {len(work.references)} configurations: "
        f"{different} runs ended otherwise than the reference or with a fault"
    )
    return 1 if wrong or different else 0


@dataclass
class Work:
    """What the workers do; they are forked from the process that holds this."""

    base: Path
    command: Main
    seed: int
    real: float
    limit: float = 60.0
    references: list[Reference] = field(default_factory=list)

    def reference(self, name: str) -> dict[str, Any]:
        """Trains a configuration undisturbed, twice where programs are to be compiled, so that the time is that of a
        start from compiled ones."""
        folder = self.base / name.replace(", ", "-").replace(" ", "-")
        folder.mkdir()
        first, *others = CONFIGURATIONS[name]
        given = [f"{ROOT}/{first}", f"--data.source={self.base / 'corpus.txt'}", *_SMALL, *others]
        words = [word for word in given if word.split("=")[0] not in {o.split("=")[0] for o in others}] + others
        reference = Reference(name, words, folder, folder / "reference")
        found = []
        for run_dir in (folder / "first", reference.run):
            operations = Operations(run_dir)
            outcome = run(
                self.command, reference.command(run_dir), Setting(folder, before=operations.install, limit=300)
            )
            found = [f"{name}: the reference: {fault}" for fault in faults(outcome, codes=(0,))]
            reference.seconds, reference.operations = outcome.seconds, operations.count
        if not found:
            found = [f"{name}: two runs left alone: {line}" for line in compared(folder / "first", reference.run)]
        what = {**vars(reference), "folder": str(folder), "run": str(reference.run)}
        return {"what": what, "found": found}

    def trial(self, number: int) -> dict[str, Any]:
        """One run, ended one to three times and then let go."""
        chance = random.Random(f"{self.seed} {number}")
        reference = self.references[number % len(self.references)]
        folder = reference.folder
        trial = Trial(folder / f"run-{number:04d}")
        real = 0
        for _ in range(chance.randint(1, 3)):
            is_real = chance.random() < self.real
            if not self._ended(reference, trial, chance, is_real):
                break
            real += is_real
            self._damage(trial, chance)
        told = any("damaged" in event for event in trial.events)
        outcome = self._run(reference, trial, Setting(folder, limit=self.limit), real=chance.random() < self.real)
        trial.found += faults(outcome, codes=(0,))
        if b"skipped a checkpoint" in outcome.err and not told:
            trial.found.append("a checkpoint was found damaged that nothing had damaged")
        if outcome.code == 0:
            trial.found += compared(reference.run, trial.run)
        line = f"{reference.name}: {'; '.join(trial.events) or 'done before it was ended'}"
        return {"number": number, "kills": trial.kills, "real": real, "line": line, "found": trial.found}

    def _run(self, reference: Reference, trial: Trial, setting: Setting, *, real: bool) -> Outcome:
        words = reference.command(trial.run)
        return run(new_process("train"), words[1:], setting) if real else run(self.command, words, setting)

    def _ended(self, reference: Reference, trial: Trial, chance: random.Random, real: bool) -> bool:
        """Starts the run and ends it; False where it came to its end before that."""
        number = chance.choices(_SIGNALS, _WEIGHTS)[0]
        at = chance.randrange(max(reference.operations, 1)) if not real and chance.random() < 0.4 else None
        blow = _Blow(number, trial.run, chance, seconds=reference.seconds * (3 if real else 1), timed=at is None)
        setting = Setting(reference.folder, limit=self.limit, watch=blow.look, every=0.002)
        if at is not None:
            hook = Operations(trial.run, at=at, then=lambda: os.kill(os.getpid(), number))
            setting.before = hook.install
        last = steps(reference.run)[-1]
        outcome = self._run(reference, trial, setting, real=real)
        struck = blow.struck if at is None else hook.count > at
        there = steps(trial.run)
        if not struck or (number == signal.SIGKILL and outcome.code == 0):
            trial.found += faults(outcome, codes=(0,))
            return False
        trial.kills += 1
        where = f"at file operation {at}" if at is not None else blow.where
        trial.events.append(
            f"{number.name} {where}{' of a new process' if real else ''} (step {(there or ['none'])[-1]})"
        )
        codes = {-number} if number == signal.SIGKILL else set(ALLOWED[number])
        if number != signal.SIGKILL and (there or [0])[-1] == last:
            codes.add(0)  # it was on its last lines
        if number != signal.SIGKILL and (blow.early or (not blow.handled and 0 in codes)):
            codes |= {-number, 1}  # nothing of jaxseq's was there yet, or any more
        trial.found += (
            [f"after {number.name}: {fault}" for fault in faults(outcome, codes=codes)] if not blow.early else []
        )
        return True

    def _damage(self, trial: Trial, chance: random.Random) -> None:
        """Now and then changes a byte of the newest checkpoint, where there is an older one, or metrics.csv."""
        there, kind = steps(trial.run), chance.random()
        if kind < 0.12 and len(there) > 1:
            newest = trial.run / "checkpoints" / f"{there[-1]:08d}"
            files = sorted(path for path in newest.rglob("*") if path.is_file() and path.stat().st_size)
            _change(chance.choice(files), chance)
            trial.events.append(f"step {there[-1]} damaged")
        elif kind < 0.24 and there and (trial.run / "metrics.csv").exists():
            path = trial.run / "metrics.csv"
            how = chance.choice(("deleted", "emptied", "cut", "changed"))
            if how == "deleted":
                path.unlink()
            elif how == "changed":
                _change(path, chance)
            else:
                path.write_bytes(
                    path.read_bytes()[: 0 if how == "emptied" else chance.randrange(path.stat().st_size + 1)]
                )
            trial.events.append(f"metrics.csv {how}")


_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WEIGHTS = (70, 12, 10, 8)


class _Blow:
    """Sends a signal at a random moment, or some moments after a save has begun."""

    def __init__(self, number: int, run: Path, chance: random.Random, *, seconds: float, timed: bool) -> None:
        self.number, self.timed = number, timed
        self.struck = self.early = False
        self.handled = not timed  # files are touched later than that
        self.where = ""
        self._building = run / "checkpoints" / ".building"
        self._in_save = chance.random() < 0.3
        self._saves, self._was = chance.randint(1, 3), False
        self._due = chance.uniform(0, seconds)
        self._after = chance.uniform(0, 0.03)

    def look(self, running: Running) -> None:
        if not self.timed or self.struck:
            return
        if self._in_save:
            building = self._building.exists()
            self._saves -= building and not self._was
            self._was = building
            if self._saves > 0 or not building:
                return
            self._due, self._in_save = running.age + self._after, False
        if running.age < self._due:
            return
        self.struck = True
        self.where = f"in a save after {running.age:.2f} s" if self._building.exists() else f"after {running.age:.2f} s"
        self.handled = running.catches(signal.SIGTERM)
        self.early = not self.handled and running.cpu() < 0.5
        running.send(self.number)


def _change(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
