"""Gives the commands thousands of wrong, odd and hostile inputs, and looks at how they take them.

    python tests/endurance/fuzz.py --seed 0 --cases 5000
    python tests/endurance/fuzz.py --seed 0 --case 1234          one of these again, shown in full, its folder kept

A case is a command line, a field with a number past its edge, a text or archive, a config.json, tokenizer.json or
manifest (sealed again where it has a seal), a token file or record that is damaged, a run directory with links, pipes
or someone's files in it, or a console that has gone; it is a function of the seed and its number alone. A command
must end with exit code 0 or 2, with 2 say what is wrong in one line, and never show a traceback, hang for 20 s (one
that may well take long is sent SIGTERM and must leave), take 6 GB, send escape sequences to a terminal, leave files
in TMPDIR, or touch anything outside the run directory and what in it is not the run's. Damage must not be trained on.
Prints the kinds of faults with their numbers and a command that replays one, and a summary; exit code 1 on any fault.
"""

import argparse
import collections
import os
import pty
import random
import shlex
import shutil
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fuzz_commands
import fuzz_directories
import fuzz_files
from fuzz_world import Case, World
from harness import TINY, in_parallel, new_process, prepare, workplace
from judging import changed, faults, faults_on_a_terminal, grouped, snapshot
from processes import Main, Outcome, Running, Setting, run

KINDS = {**fuzz_commands.KINDS, **fuzz_files.KINDS, **fuzz_directories.KINDS}


class Fuzzing:
    """What the workers do; they are forked from the process that holds this."""

    def __init__(self, base: Path, command: Main, options: argparse.Namespace) -> None:
        self.base, self.command, self.options = base, command, options
        self.world = World.make(base, command)

    def case(self, number: int) -> tuple[str, Case]:
        """The case of a number, in a new folder."""
        chance = random.Random(f"{self.options.seed} {number}")
        kinds = [name for name in KINDS if self.options.only in name]
        kind = chance.choices(kinds, [KINDS[name][1] for name in kinds])[0]
        case = KINDS[kind][0](self.world, self.base / f"case-{number:05d}", chance)
        case.real = case.real or (chance.random() < self.options.real and case.argv[:1] != [] and _can_be_real(case))
        return kind, case

    def judged(self, number: int) -> dict[str, Any]:
        """Runs a case; its faults."""
        kind, case = self.case(number)
        outcome, found = self.tried(case)
        if not self.options.keep:
            shutil.rmtree(case.folder, ignore_errors=True)
        told = f"{kind}: {case.told}: {_line(case)}"
        return {"number": number, "kind": kind, "code": outcome.code, "found": found, "told": told, "real": case.real}

    def tried(self, case: Case) -> tuple[Outcome, list[str]]:
        """Runs a case and judges it."""
        given = dict(case.setting)
        after: Any = given.pop("after", None)
        environment = {"TMPDIR": str(case.folder / "tmp"), **given.pop("environment", {})}
        limit = self.options.limit
        setting = Setting(case.work, environment, limit=limit, ask_after=0.3 * limit)
        for name, value in given.items():
            setattr(setting, name, value)
        inside = {case.folder / "tmp", *_new_directories(case)}
        inside |= {path for path in (case.work / "runs").iterdir() if path.name != "neighbour"}
        before, kept = snapshot(case.folder, without=inside), [snapshot(path) for path in case.kept]
        screen = _Screen(setting) if case.terminal else None
        main, argv = (new_process(case.argv[0]), case.argv[1:]) if case.real else (self.command, case.argv)
        outcome = run(main, argv, setting)
        if screen is not None:
            shown = screen.close()
            found = faults_on_a_terminal(shown)
            fuzz_commands.outcome_of_terminal(shown, outcome)
            found += faults(outcome, codes=case.codes) if not found else []
        else:
            found = faults(outcome, codes=case.codes)
        if setting.stderr != "file":  # there was nowhere to say it
            found = [fault for fault in found if not fault.startswith("not one line")]
        if after is not None:
            after()
        for descriptor in (setting.stdout, setting.stderr):
            if isinstance(descriptor, int):
                os.close(descriptor)
        if not found and case.check is not None and not outcome.ended:
            found += case.check(outcome)
        inside |= {path for path in (case.work / "runs").iterdir() if path.name != "neighbour"}
        found += changed(before, snapshot(case.folder, without=inside))
        for path, was in zip(case.kept, kept, strict=True):
            if not os.path.lexists(path):
                found.append(f"foreign: deleted {path.name!r}")
            elif snapshot(path) != was:
                found.append(f"foreign: changed {path.name!r}")
        if not outcome.ended and (case.folder / "tmp").is_dir() and os.listdir(case.folder / "tmp"):
            found.append(f"left over: {os.listdir(case.folder / 'tmp')[0][:3]}... in TMPDIR")
        return outcome, found


class _Screen:
    """A terminal that a command is shown on, read as it writes."""

    def __init__(self, setting: Setting) -> None:
        self._master, slave = pty.openpty()
        modes = termios.tcgetattr(slave)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        os.set_blocking(self._master, False)
        self._shown = b""
        setting.stdout, setting.stderr, setting.watch = slave, os.dup(slave), self.read

    def read(self, running: Running | None = None) -> None:
        while True:
            try:
                data = os.read(self._master, 2**16)
            except OSError:
                return
            if not data:
                return
            self._shown += data

    def close(self) -> bytes:
        self.read()
        os.close(self._master)
        return self._shown


def _new_directories(case: Case) -> set[Path]:
    """What does not exist yet and is named as the run directory: the outermost folder to be made."""
    found = set()
    for index, word in enumerate(case.argv):
        option, given, value = word.replace("_", "-").partition("=")
        if option == "--run-dir":
            value = word.partition("=")[2] if given else "".join(case.argv[index + 1 : index + 2])
            path = Path(os.path.normpath(case.work / value))
            missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
            found |= set(missing[-1:])
    return found


def _can_be_real(case: Case) -> bool:
    return case.argv[0] in ("train", "sample", "evaluate") and "before" not in case.setting


def _line(case: Case) -> str:
    dots = dict.fromkeys(TINY, "...")
    words = [dots.get(word, word) for word in case.argv]
    words = [word for index, word in enumerate(words) if word != "..." or words[index - 1] != "..."]
    words = [word if len(word) < 80 else f"{word[:60]}...({len(word)})" for word in words]
    return shlex.join(words).encode("unicode_escape", "backslashreplace").decode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the options and runs it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of all cases")
    parser.add_argument("--cases", type=int, default=500, help="cases in all")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--only", default="", help=f"kinds whose name holds this: {', '.join(KINDS)}")
    parser.add_argument("--real", type=float, default=0.03, help="share of the cases that are new Python processes")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds after which a command hangs")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--directory", type=Path, help="where the cases go, and stay; a temporary directory otherwise")
    options = parser.parse_args(arguments)
    options.keep = options.directory is not None or options.case is not None
    with workplace(options.directory or (Path.cwd() if options.case is not None else None)) as base:
        fuzzing = Fuzzing(base, prepare(base), options)
        if options.case is not None:
            return _shown(fuzzing, options.case)
        numbers = range(options.first, options.first + options.cases)
        counts, codes, found = collections.Counter(), collections.Counter(), []
        wrong = real = failed = 0
        only = f" --only {options.only}" if options.only else ""
        try:  # what has been found is told whatever happens
            for result in in_parallel(fuzzing.judged, numbers, jobs=options.jobs):
                counts[result["kind"]] += 1
                codes[result["code"]] += 1
                real += result["real"]
                wrong += bool(result["found"])
                replay = f"--seed {options.seed} --case {result['number']}{only}   {result['told']}"
                found += [(fault, replay) for fault in result["found"]]
                if counts.total() % 500 == 0:
                    print(f"{counts.total()} cases, {wrong} with faults", file=sys.stderr, flush=True)
        except (KeyboardInterrupt, RuntimeError) as error:
            failed = 1
            print(f"stopped: {error!r}")
    print("\n".join(grouped(found)))
    print(f"cases: {', '.join(f'{name} {n}' for name, n in counts.items())}")
    print(f"exit codes: {', '.join(f'{code}: {n}' for code, n in sorted(codes.items()))}")
    kinds = collections.Counter(fault.split(":")[0] for fault, _ in found)
    told = ", ".join(f"{n} {name}" for name, n in kinds.most_common()) or "no faults"
    print(f"{sum(counts.values())} cases ({real} new Python processes), {wrong} with faults: {told}")
    return 1 if wrong or failed else 0


def _shown(fuzzing: Fuzzing, number: int) -> int:
    kind, case = fuzzing.case(number)
    print(f"{kind}: {case.told}\nin {case.work}\n{shlex.join(case.argv)!a}")
    outcome, found = fuzzing.tried(case)
    print(f"exit code {outcome.code} after {outcome.seconds:.1f} s {outcome.ended}")
    print(outcome.out.decode(errors="backslashreplace")[-3000:])
    print(outcome.error[-6000:])
    print("\n".join(found) or "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
