"""What the long checks share: a parent that has imported everything, workers beside each other, small texts."""

import contextlib
import ctypes
import importlib
import io
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from judging import differences
from processes import Main, Setting, fork, run

ROOT = Path(__file__).resolve().parents[2]

TINY = [
    "--data.length=8",
    "--data.batch-size=4",
    "--model.features=8",
    "--optimizer.warmup-steps=2",
    "--train.steps=4",
    "--train.log-every=2",
    "--train.evaluate-every=2",
    "--train.evaluate-batches=2",
    "--train.checkpoint-every=2",
    "--train.devices=1",
    "--task.sample-length=5",
]
"""A training of a second."""


def text(path: Path, characters: int, *, seed: int = 0) -> Path:
    """Writes words and lines, always the same for a seed."""
    draw = random.Random(seed)
    words = [
        "the",
        "with",
        "statement",
        "is",
        "used",
        "to",
        "wrap",
        "the",
        "execution",
        "of",
        "a",
        "block",
        "with",
        "methods",
    ]
    written = "".join(draw.choice(words) + draw.choice("  \n") for _ in range(characters))
    path.write_text(written[:characters], encoding="utf-8")
    return path


def prepare(folder: Path) -> Main:
    """Imports what commands import, sets up in `folder` what they share, and gives the function that `jaxseq` calls."""
    home = folder / "home"
    home.mkdir()
    shared = {
        "HOME": str(home),
        "TMPDIR": str(folder),
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(home / "programs"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
    }
    os.environ.update(shared)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "JAX_NUM_CPU_DEVICES", "XLA_FLAGS", "LC_ALL", "JAX_ENABLE_X64"):
        os.environ.pop(name, None)
    tempfile.tempdir = None
    sys.path.insert(0, str(ROOT))
    from jaxseq.commands.main import main

    # What commands import on their way, and what their parser works out once.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for command in ("train", "sample", "evaluate"):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main([command, "--help"])
    for number, handler in before.items():
        signal.signal(number, handler)
    _import_what_a_run_imports(main, folder)

    def command(argv: Sequence[str]) -> int:
        sys.argv = ["jaxseq", *argv]  # as the program itself, which the process ends with
        return main()

    return command


def _import_what_a_run_imports(main: Main, folder: Path) -> None:
    """Lets a child train, sample and evaluate a little, and imports here what it has imported."""
    first = folder / "first"
    first.mkdir()
    text(first / "text.txt", 2000)
    names = first / "modules.json"

    def everything(argv: Sequence[str]) -> int:
        code = main(["train", *TINY, "--data.source=text.txt", "--run-dir=run"])
        code = code or main(["sample", "run", "--length=3"]) or main(["evaluate", "run"])
        names.write_text(json.dumps(sorted(sys.modules)))
        return code

    outcome = run(everything, [], Setting(first, limit=300))
    if outcome.code:
        raise RuntimeError(f"a first run fails with exit code {outcome.code}: {outcome.error[-2000:]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in json.loads(names.read_text()):
            if name not in sys.modules and not name.startswith("__"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)


def new_process(command: str) -> list[str]:
    """The words that start `command` in a new interpreter."""
    if command in ("train", "sample"):
        return [sys.executable, str(ROOT / f"{command}.py")]
    return [sys.executable, "-m", "jaxseq", command]


def without_overriding_permissions() -> None:
    """Takes from root what lets it read and write any file; others have not got it."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    if libc.capget(header, sets) == 0:
        for index in (0, 1):  # effective and permitted: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
            sets[index] &= ~0b110
        libc.capset(header, sets)


def compared(reference: Path, run_dir: Path) -> list[str]:
    """`differences` of two finished run directories, worked out in a process of its own: it uses JAX."""
    told = Path(tempfile.mkdtemp(prefix="compared-")) / "found.json"

    def compare(_: Sequence[str]) -> int:
        told.write_text(json.dumps(differences(reference, run_dir)))
        return 0

    outcome = run(compare, [], Setting(reference.parent, limit=120))
    try:
        return json.loads(told.read_text()) if outcome.code == 0 else [f"it cannot be read: {outcome.error[-300:]}"]
    finally:
        shutil.rmtree(told.parent)


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any], *, jobs: int) -> Iterator[Any]:
    """`work(item)` of every item, in processes of which each takes every `jobs`-th; results (JSON) as they come.

    Raises:
        RuntimeError: a process failed; its reason stands on standard error.
    """
    items, children, waiting = list(items), [], {}
    for worker in range(jobs):
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            os.close(reader)
            _work(work, items[worker::jobs], writer)
        os.close(writer)
        children.append(child)
        waiting[reader] = b""
    try:
        while waiting:
            for reader in select.select(list(waiting), [], [])[0]:
                data = os.read(reader, 2**16)
                *lines, rest = (waiting[reader] + data).split(b"\n")
                yield from map(json.loads, lines)
                waiting[reader] = rest
                if not data:
                    os.close(reader)
                    del waiting[reader]
    except BaseException:
        for child in children:
            os.kill(child, signal.SIGKILL)
        raise
    finally:
        codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        raise RuntimeError("a worker failed: its reason stands above")


def _work(work: Callable[[Any], Any], items: Iterable[Any], writer: int) -> NoReturn:
    code = 1
    try:
        for item in items:
            line = json.dumps(work(item)).encode() + b"\n"
            while line:
                line = line[os.write(writer, line) :]
        code = 0
    except KeyboardInterrupt:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@contextlib.contextmanager
def workplace(directory: Path | None) -> Iterator[Path]:
    """A folder for everything: a temporary one, or a new one in `directory`, which then stays."""
    base = Path(tempfile.mkdtemp(prefix="endurance-", dir=directory)).resolve()
    try:
        yield base
    finally:
        if directory is None:
            shutil.rmtree(base, ignore_errors=True)
