"""Fuzzed command lines, fields, consoles and surroundings. Each function makes a case of its kind in a new folder."""

import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from fuzz_values import PATHS, TEXTS, number
from fuzz_world import TRANSFORMER, Case, World, allow, any_command, replaced, training
from harness import without_overriding_permissions
from judging import steps
from processes import Outcome


def words(world: World, folder: Path, chance: random.Random) -> Case:
    """A command line with words wrong, missing, doubled, in another order."""
    case = world.case(folder)
    begin = chance.choice(([*training([]), "--run-dir=runs/new"], any_command(chance, "tiny")))
    line = [part for word in begin for part in (word.split("=", 1) if chance.random() < 0.3 else [word])]
    options = list(world.options["rnn"]) + list(world.options["sample"]) + list(world.options["evaluate"])
    for _ in range(chance.choice((1, 1, 2, 3))):
        at, kind = chance.randrange(len(line) + 1), chance.randrange(9)
        word = line[at] if at < len(line) else "--data.length=8"
        if kind == 0:
            del line[at : at + 1]
        elif kind == 1:
            line.insert(at, word)
        elif kind == 2:
            line.insert(at, chance.choice(TEXTS + PATHS))
        elif kind == 3:
            line.insert(at, chance.choice(options))
        elif kind == 4:
            line.insert(at, f"{chance.choice(options)}={chance.choice(TEXTS)}")
        elif kind == 5 and len(word) > 4:
            cut = chance.randrange(1, len(word))
            line[at : at + 1] = [
                word[:cut] + chance.choice(("", "x", "-", "_", "=", " ")) + word[cut + chance.randrange(2) :]
            ]
        elif kind == 6:
            chance.shuffle(line)
        elif kind == 7:
            line[:1] = [
                chance.choice(("train", "sample", "evaluate", "Train", "", "--version", "-h", "help", "\udcff"))
            ]
        else:
            line.insert(
                at,
                chance.choice(("--help", "-h", "--version", "--", "--no-fresh", "--data", "--model", "--data.split")),
            )
    case.argv = _short(line)
    return case


def _short(line: list[str]) -> list[str]:
    """A training that has lost the end of its line to a change is given one back."""
    if line[:1] == ["train"] and not any("train.steps" in word for word in line):
        line = [*line, "--train.steps=2"]
    return line


def fields(world: World, folder: Path, chance: random.Random) -> Case:
    """One to three options of a command with values on and past their edges."""
    case = world.case(folder)
    kind = chance.choices(("rnn", "transformer", "sample", "evaluate"), (5, 3, 3, 1))[0]
    options = world.options[kind]
    chosen = chance.sample(sorted(set(options) - {"--help"}), chance.choice((1, 1, 2, 3)))
    more = [part for option in chosen for part in _given(option, options[option], chance)]
    if kind in ("rnn", "transformer"):
        line = training(
            ([*TRANSFORMER] if kind == "transformer" else []) + (["--data.layout=windows"] * (chance.random() < 0.3))
        )
        if "--run-dir" not in chosen and "--name" not in chosen:
            line.append("--run-dir=runs/new")
    else:
        line = [kind, "runs/tiny"] + ["--length=4"] * (kind == "sample")
    case.argv = [line[0], *replaced(line[1:], more)]
    case.setting["stdin"] = chance.choice((b"", b"the with a block\n" * 100))
    return case


def _given(option: str, looks: str, chance: random.Random) -> list[str]:
    """An option and a value for it, as `--help` says that one looks, or unlike that."""
    if not looks:
        return [chance.choice((option, option, f"{option}=x", f"{option}=True"))]
    if looks.startswith("[") or looks.count("FLOAT") > 1:
        count = chance.choice((0, 1, 2, 3, 3, 4))
        choices = [
            word for word in looks.strip("[]. ").replace("}", ",").replace("{", ",").split(",") if word.strip(" [].")
        ]
        pick = (
            (lambda: number(chance, whole=False)) if "FLOAT" in looks else (lambda: chance.choice([*choices, "x", ""]))
        )
        return [option, *(pick() for _ in range(count))]
    if "{" in looks and "PATH" not in looks:
        value = chance.choice([*looks.strip("{}").split(","), "", "X", "None"])
    elif "INT" in looks or "FLOAT" in looks:
        value = number(chance, whole="INT" in looks)
    else:
        value = chance.choice(TEXTS + PATHS)
    return [f"{option}={value}"] if chance.random() < 0.8 else [option, value]


def surroundings(world: World, folder: Path, chance: random.Random) -> Case:
    """A console that is gone, full or closed; no working directory, home or place for temporary files; small limits."""
    case = world.case(folder, stopped=True)
    case.argv = any_command(chance, "tiny", weights=(4, 2, 4, 3))
    if case.argv[0] == "train" and chance.random() < 0.3:
        case.argv = [*training([]), "--run-dir=runs/new"]
    case.real = chance.random() < 0.3
    chance.choice((_console, _console, _console, _limits, _folders, _environment))(case, chance)
    return case


def _console(case: Case, chance: random.Random) -> None:
    """Training goes on without one; what samples and measures ends in one line, or quietly when the reader has gone."""
    which = chance.choice((["stdout"], ["stderr"], ["stdout", "stderr"]))
    how = chance.choice(("closed", "full", "gone"))
    for name in which:
        case.setting[name] = "closed" if how == "closed" else _full() if how == "full" else _gone()
    case.told = f"{' and '.join(which)} {how}"
    if case.argv[0] == "train":
        case.codes = (0,)
        case.check = lambda outcome: _finished(case)
    elif "stdout" not in which:
        case.codes = (0,)
    elif how != "closed":
        # What is left in a pipe may have gone before its reader did.
        case.codes = (2,) if how == "full" else (0, 141)


def _finished(case: Case) -> list[str]:
    run = case.work / "runs" / ("new" if any(word.endswith("runs/new") for word in case.argv) else "tiny")
    whole = (run / "samples.txt").exists() and (steps(run) or [0])[-1] == 4
    return [] if whole else ["not finished: training ended with 0 before its end"]


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _gone() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def _limits(case: Case, chance: random.Random) -> None:
    kind, value = chance.choice(
        [(resource.RLIMIT_FSIZE, size) for size in (5000, 20_000, 100_000)]
        + [(resource.RLIMIT_NOFILE, count) for count in (16, 40, 100)]
    )
    case.real = False
    case.told = f"limit {kind} is {value}"
    case.setting["before"] = lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
        resource.setrlimit(kind, (value, value)),
    )


def _folders(case: Case, chance: random.Random) -> None:
    """The working directory deleted, or something that is not to be read, or listed, or written."""
    case.real = False
    kind = chance.choice(("deleted", "unreadable", "unreadable", "nameless", "listed", "read-only"))
    if kind == "deleted":
        gone = case.folder / "tmp" / "gone"
        gone.mkdir()
        case.setting["folder"] = gone
        case.setting["before"] = lambda: shutil.rmtree(gone)
        if chance.random() < 0.5:
            case.argv = [
                word.replace("text.txt", f"{case.work}/text.txt").replace("runs/", f"{case.work}/runs/")
                for word in case.argv
            ]
    else:
        newest = max((case.run / "checkpoints").iterdir())
        files = [case.work / "text.txt", *(path for path in case.run.iterdir() if path.is_file()), *newest.iterdir()]
        folders = (case.work, case.run, case.run.parent, newest.parent, newest)
        path = chance.choice([*folders, *folders, chance.choice(sorted(files))])
        mode = {"unreadable": 0o000, "nameless": 0o111, "listed": 0o444, "read-only": 0o555}[kind]
        case.setting["before"] = lambda: (path.chmod(mode), without_overriding_permissions())
        case.setting["after"] = lambda: allow(path)
        kind += f" {path.name}"
    case.told = f"folder {kind}"


def _environment(case: Case, chance: random.Random) -> None:
    """Variables that only a new process reads."""
    name, value = chance.choice(
        (
            ("HOME", "/nonexistent"),
            ("HOME", ""),
            ("TMPDIR", "/nonexistent"),
            ("JAX_PLATFORMS", "cuda"),
            ("JAX_PLATFORMS", "nonsense"),
            ("JAX_NUM_CPU_DEVICES", "0"),
            ("JAX_NUM_CPU_DEVICES", "x"),
            ("LANG", "C"),
            ("LC_ALL", "POSIX"),
            ("PYTHONIOENCODING", "ascii"),
            ("PYTHONUTF8", "0"),
            ("JAX_COMPILATION_CACHE_DIR", "/dev/null/x"),
            ("JAX_ENABLE_X64", "1"),
            ("COLUMNS", "x"),
            ("COLUMNS", "1"),
            ("TERM", "nonsense"),
            ("JAX_ENABLE_X64", "x"),
            ("JAX_PLATFORM_NAME", "gpu"),
            ("PYTHONOPTIMIZE", "2"),
            ("MPLBACKEND", "nonsense"),
            ("MPLCONFIGDIR", "/dev/null/x"),
            ("XLA_FLAGS", "--xla_force_host_platform_device_count=3"),
        )
    )
    case.real, case.told = True, f"{name}={value}"
    environment = {name: value}
    if name == "HOME":
        environment |= {"JAX_COMPILATION_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    case.setting["environment"] = environment


def terminal(world: World, folder: Path, chance: random.Random) -> Case:
    """A terminal, and a stranger's text with escape sequences in places that commands show."""
    case = world.case(folder, stopped=True)
    hostile = chance.choice(("\x1b[31mred\x1b]0;title\x07", "\x9b31m", "a\rb", "\x08\x08", "\x7f", "\x1b"))
    case.terminal = True
    kind = chance.choice(("text", "directory", "source", "prompt", "name"))
    case.argv = [*training([]), "--run-dir=runs/new"]
    if kind == "text":
        (case.work / "text.txt").write_text(("the with " + hostile) * 200, encoding="utf-8")
    elif kind == "directory":
        case.run.rename(case.run.with_name(hostile))
        case.argv = [chance.choice(("sample", "evaluate")), f"runs/{hostile}"]
        if chance.random() < 0.5:
            (case.run.with_name(hostile) / "config.json").unlink(missing_ok=True)
    elif kind == "source":
        case.argv = [*training([f"--data.source={hostile}"]), "--run-dir=runs/new"]
    elif kind == "prompt":
        case.argv = ["sample", "runs/tiny", f"--prompt={hostile}"]
    else:
        case.argv += [f"--name={hostile}"]
    case.told = f"{kind} {hostile!r}"
    return case


def outcome_of_terminal(shown: bytes, outcome: Outcome) -> Outcome:
    """What was shown on a terminal, judged as standard error, its line ends and the bar's returns aside."""
    outcome.err = shown.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return outcome


KINDS: dict[str, tuple[Callable[[World, Path, random.Random], Case], int]] = {
    "words": (words, 16),
    "fields": (fields, 26),
    "surroundings": (surroundings, 8),
    "terminal": (terminal, 2),
}
