"""Trains as several processes, ends one of them again and again, and compares with a run that nothing disturbed.

    python tests/endurance/several.py --processes 4 --rounds 5 --seed 0

All processes are real, on this machine. First a run is trained undisturbed, and beside it one of a single process with
as many devices, whose losses must be the same within 1e-5 (sums of more than two devices are added in another order).
Then, round by round, such a run is begun, and one of its processes is sent SIGKILL, SIGTERM or SIGINT at a random
moment. After SIGKILL every other process must end with exit code 2 and one line; after the others all of them must have
stopped and saved at one step, with the exit code of that signal. The same commands then go on to the end: arrays,
manifests, texts, metrics.csv and samples.txt must be those of the undisturbed run, bit for bit. At last one process is
given another configuration, and one never comes: each process that was started must say so in one line. Exit code 1 on
any fault.
"""

import argparse
import csv
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness import compared, text
from several_processes import Ended, ends, start, start_several

WORDS = [
    "--data.source=text.txt",
    "--data.length=8",
    "--data.batch-size=8",
    "--model.features=8",
    "--model.dropout=0.2",
    "--model.layers=2",
    "--optimizer.warmup-steps=3",
    "--optimizer.accumulate=2",
    "--train.steps=600",
    "--train.log-every=7",
    "--train.evaluate-every=100",
    "--train.checkpoint-every=20",
    "--train.process-timeout=20",
    "--task.sample-length=10",
    "--name=run",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, wrong = random.Random(options.seed), 0
    folder = Path(tempfile.mkdtemp(prefix="several-"))
    try:
        text(folder / "text.txt", 20_000)
        words = [*WORDS, "--train.devices=1"]
        began = time.monotonic()
        wrong += told("undisturbed", finished(run(words, "whole", options.processes, folder)))
        seconds = time.monotonic() - began
        alone = ["train", *WORDS, f"--train.devices={options.processes}", "--run-dir", "alone"]
        wrong += told("one process", finished(ends([start(alone, folder=folder, devices=str(options.processes))])))
        wrong += told("one process", curves(folder / "alone", folder / "whole"))
        for number in range(options.rounds):
            where, victim = f"round_{number}", chance.randrange(options.processes)
            sent = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            begun = start_several([*words, "--run-dir", where], options.processes, folder=folder)
            time.sleep(chance.uniform(0.3, 1.0) * seconds)
            begun[victim].send_signal(sent)
            title = f"{where}, {sent.name} to process {victim}"
            wrong += told(title, as_told(ends(begun), victim, sent))
            wrong += told(title, finished(run(words, where, options.processes, folder)))
            wrong += told(title, compared(folder / "whole", folder / where))
        plain, other = (
            [word for word in words if "dropout" not in word],
            {options.processes - 1: ["--model.dropout=0.1"]},
        )
        found = ends(start_several(plain, options.processes, folder=folder, more=other))
        wrong += told("another configuration", one_line(found, "was given another configuration"))
        few = start_several([*words, "--run-dir", "few"], options.processes, folder=folder)
        few.pop().kill()
        wrong += told("one that never comes", one_line(ends(few), "have found each other"))
    finally:
        shutil.rmtree(folder)
    print(f"{options.rounds} rounds of {options.processes} processes, {wrong} faults")
    return 1 if wrong else 0


def run(words: Sequence[str], where: str, count: int, folder: Path) -> list[Ended]:
    """A run to its end."""
    return ends(start_several([*words, "--run-dir", where], count, folder=folder), seconds=600)


def finished(found: Sequence[Ended]) -> list[str]:
    return [f"process {i} ended with {each.code}: {each.err[-300:]}" for i, each in enumerate(found) if each.code]


def as_told(found: Sequence[Ended], victim: int, sent: signal.Signals) -> list[str]:
    """Faults in how processes ended of which one was sent a signal; it may have come after the end."""
    others = [each for i, each in enumerate(found) if i != victim]
    if all(each.code == 0 for each in others) and sent != signal.SIGINT:
        return []
    if sent == signal.SIGKILL:
        return one_line(others, "another of the", "process ")
    wanted = 130 if sent == signal.SIGINT else 0
    if {each.code for each in found} <= {0} or {each.code for each in found} == {wanted}:
        return []
    # Before there is anything to save each process goes by itself, and the others say that it has gone.
    return one_line([each for each in others if each.code not in (128 + sent, 0)], "another of the", "process ")


def one_line(found: Sequence[Ended], *begins: str) -> list[str]:
    """Faults of processes that had to end with exit code 2 and one such line of error."""
    faults = []
    for each in found:
        lines = [line for line in each.err.splitlines() if line.startswith("error: ")]
        if each.code != 2 or len(lines) != 1 or "Traceback" in each.err or not any(b in lines[0] for b in begins):
            faults.append(f"exit code {each.code}, {each.err[-400:]!r}")
    return faults


def curves(one: Path, other: Path) -> list[str]:
    """Rows of metrics.csv whose losses differ by more than 1e-5 of them."""
    rows = [list(csv.DictReader((folder / "metrics.csv").open(encoding="utf-8"))) for folder in (one, other)]
    if [row["step"] for row in rows[0]] != [row["step"] for row in rows[1]]:
        return ["the steps of metrics.csv are others"]
    pairs = [(float(a["loss"]), float(b["loss"])) for a, b in zip(*rows, strict=True)]
    print(f"largest difference of a loss: {max(abs(a - b) / a for a, b in pairs):.1e} of it, over {len(pairs)} rows")
    return [f"loss {a} is {b}" for a, b in pairs if abs(a - b) > 1e-5 * a]


def told(title: str, faults: Sequence[str]) -> int:
    for fault in faults:
        print(f"{title}: {fault}", flush=True)
    if not faults:
        print(f"{title}: as it must be", flush=True)
    return len(faults)


if __name__ == "__main__":
    sys.exit(main())
