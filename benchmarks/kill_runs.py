"""Kills training runs at random moments and compares what they end with, bit for bit, with a run never killed.

    python benchmarks/kill_runs.py                   at least 50 kills, some 10 minutes on 2 cores
    python benchmarks/kill_runs.py --kills 200 --config configs/shakespeare_transformer.py --model.layers 2

One small experiment is trained undisturbed as the reference. Then it is trained again and again, each time from
nothing: a run is ended one to three times (SIGKILL, some SIGTERM) at any moment from its start on, or while it writes
a checkpoint; between two tries a byte of the newest checkpoint is sometimes changed; then it is let go to its end.
Every array of the final checkpoint (parameters, optimizer state, carry, counters, key), the best checkpoint, the
records beside them and metrics.csv must equal the reference's. Prints a line for each run. Exit code 1 on any
difference.

Options this script does not know go to train.py.
"""

import argparse
import collections
import pydoc_data.topics
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxseq.errors import CheckpointError
from jaxseq.training.checkpoint import CheckpointStore, Which

ROOT = Path(__file__).resolve().parents[1]

# Everything that has a state of its own is on: carry, dropout, gradient accumulation, validation, several steps a call;
# and the intervals share no factor, so that kills fall between any two of them.
EXPERIMENT = [
    "--data.length=16",
    "--data.batch-size=8",
    "--model.features=24",
    "--model.layers=2",
    "--model.dropout=0.2",
    "--optimizer.clip-norm=1",
    "--optimizer.accumulate=2",
    "--optimizer.schedule=cosine",
    "--optimizer.warmup-steps=10",
    "--train.log-every=5",
    "--train.evaluate-every=13",
    "--train.evaluate-batches=4",
    "--train.checkpoint-every=9",
    "--train.keep=2",
    "--train.steps-per-dispatch=4",
    "--sample.length=20",
]


@dataclass
class Trial:
    """One run and what was done to it."""

    directory: Path
    events: list[str]
    kills: int = 0


def ended(trainer: Sequence[str], log: Path) -> float:
    """Lets a run go to its end; returns seconds.

    Raises:
        RuntimeError: it ended with an error.
    """
    begin = time.monotonic()
    with open(log, "ab") as output:
        code = subprocess.run(trainer, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT).returncode
    if code:
        raise RuntimeError(f"exit code {code}: {' '.join(trainer)}\n{log.read_text(errors='replace')[-2000:]}")
    return time.monotonic() - begin


def killed(trainer: Sequence[str], trial: Trial, log: Path, chance: random.Random, seconds: float) -> bool:
    """Starts a run and ends it at a random moment within `seconds`, or in a save; False where it was done before that.

    Raises:
        RuntimeError: it ended with an error of its own.
    """
    number = signal.SIGTERM if chance.random() < 0.25 else signal.SIGKILL
    in_save = chance.random() < 0.4
    delay = chance.uniform(0, 0.1) if in_save else chance.uniform(0, seconds)
    building = trial.directory / "checkpoints" / ".building"
    begin = time.monotonic()
    with open(log, "ab") as output, subprocess.Popen(trainer, cwd=ROOT, stdout=output, stderr=output) as process:
        saves = chance.randint(1, 3) if in_save else 0
        for _ in range(saves):
            while building.exists() and process.poll() is None:
                time.sleep(0.001)
            while not building.exists() and process.poll() is None:
                time.sleep(0.001)
        try:
            code = process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            code = process.wait()
        else:
            if code:
                raise RuntimeError(f"exit code {code}: {' '.join(trainer)}\n{log.read_text(errors='replace')[-2000:]}")
            return False
    # A SIGTERM before the training loop stands ends the process as it ends any; from then on it is a clean exit.
    if code not in ((-number, 0) if number == signal.SIGTERM else (-number,)):
        raise RuntimeError(f"exit code {code} after {number.name}\n{log.read_text(errors='replace')[-2000:]}")
    steps = CheckpointStore(trial.directory / "checkpoints").steps()
    where = "in a save" if building.exists() else f"after {time.monotonic() - begin:.1f} s"
    trial.events.append(f"{number.name} {where} (step {steps[-1] if steps else 'none'} on disk)")
    trial.kills += 1
    return True


def damage(trial: Trial, chance: random.Random) -> None:
    """Changes one byte of the newest checkpoint, where there is an older one to fall back on."""
    store = CheckpointStore(trial.directory / "checkpoints")
    steps = store.steps()
    if len(steps) < 2:
        return
    files = [
        path for path in (store.directory / f"{steps[-1]:08d}").rglob("*") if path.is_file() and path.stat().st_size
    ]
    path = chance.choice(sorted(files))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    trial.events.append(f"a byte of step {steps[-1]} changed")


def differences(reference: Path, run: Path) -> list[str]:
    """What differs between two finished run directories, by name; empty where nothing does."""
    found = []
    if (reference / "metrics.csv").read_bytes() != (run / "metrics.csv").read_bytes():
        found.append("metrics.csv")
    kinds: tuple[Which, ...] = ("newest", "best")
    for which in kinds:
        opened = []
        for directory in (reference, run):
            try:
                opened.append(CheckpointStore(directory / "checkpoints").open(which))
            except CheckpointError as error:
                found.append(f"{which}: {error}")
        if len(opened) < 2 or None in opened:
            found.append(f"{which}: no checkpoint")
            continue
        (a, _), (b, skipped) = opened
        found += [f"{which}: {line}" for line in skipped]
        if (a.step, a.meta, a.files) != (b.step, b.meta, b.files):
            found.append(f"{which}: step, meta or texts")
        if a.specs != b.specs:
            found.append(f"{which}: names, shapes or types of arrays")
            continue
        arrays = b.load()
        found += [f"{which}: {name}" for name, array in a.load().items() if array.tobytes() != arrays[name].tobytes()]
    names = [path.name for path in (run / "checkpoints").iterdir()]
    return found + [f"left over: {name}" for name in names if not name.isdigit() and ".aside" not in name]


def main(arguments: Sequence[str] | None = None, *, trainer: Sequence[str] = ()) -> int:
    """Parses the options and runs it all; `trainer` stands in for train.py and its configuration in tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="kills in all, at least")
    parser.add_argument("--config", default="configs/quickstart.py", help="the experiment, made small")
    parser.add_argument("--steps", type=int, default=150, help="steps of a run")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and signals")
    parser.add_argument("--directory", type=Path, help="where the runs go; a temporary directory otherwise")
    options, overrides = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        base = (options.directory or Path(temporary)).resolve()
        base.mkdir(parents=True, exist_ok=True)
        corpus = base / "corpus.txt"
        corpus.write_text("".join(pydoc_data.topics.topics.values())[:20_000], encoding="utf-8")
        given = [*EXPERIMENT, f"--data.source={corpus}", f"--train.steps={options.steps}", *overrides]
        command = [*(trainer or (sys.executable, "train.py", options.config)), *given]
        return torture(command, base, options.kills, random.Random(options.seed))


def torture(command: Sequence[str], base: Path, kills: int, chance: random.Random) -> int:
    """Trains the reference and then runs that are killed, until there have been `kills`; returns the exit code."""
    reference, log = base / "reference", base / "log.txt"
    seconds = ended([*command, f"--run-dir={reference}"], log)
    opened = CheckpointStore(reference / "checkpoints").open()
    assert opened is not None
    kinds = collections.Counter(name.split("/")[0] for name in opened[0].specs)
    print(f"reference: {seconds:.1f} s, step {opened[0].step}, {', '.join(f'{n} {kind}' for kind, n in kinds.items())}")
    done, different, runs = 0, 0, 0
    while done < kills:
        runs += 1
        trial = Trial(base / f"run-{runs:03d}", [])
        trainer = [*command, f"--run-dir={trial.directory}"]
        for _ in range(chance.randint(1, 3)):
            if not killed(trainer, trial, log, chance, seconds):
                break
            if chance.random() < 0.15:
                damage(trial, chance)
        ended(trainer, log)
        found = differences(reference, trial.directory)
        done += trial.kills
        different += bool(found)
        verdict = f"DIFFERENT: {', '.join(found)}" if found else "identical"
        print(f"run {runs}: {'; '.join(trial.events) or 'done before it was killed'}: {verdict}", flush=True)
    print(f"{done} kills in {runs} runs: {different} runs ended differently from the reference")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
