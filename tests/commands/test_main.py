"""What every command has in common: how it is found, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxseq.commands import evaluate, main
from jaxseq.errors import InputError
from jaxseq.runs import train

ROOT = Path(__file__).parents[2]


def ending(monkeypatch, error):
    """How `jaxseq evaluate` ends when `error` is raised."""

    def broken(argv, *, program, stop):
        assert (argv, program) == (["runs/x"], "jaxseq evaluate")
        raise error

    monkeypatch.setattr(evaluate, "main", broken)
    return main.main(["evaluate", "runs/x"])


def test_bad_input_is_one_line_and_2(capsys, monkeypatch):
    assert ending(monkeypatch, InputError("x is 3: take 4")) == 2
    assert capsys.readouterr() == ("", "error: x is 3: take 4\n")


def test_ctrl_c_is_130(capsys, monkeypatch):
    assert ending(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 TiB"),
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nBufferAssignment: ..."),
    ],
)
def test_too_little_memory_is_one_line_with_the_remedy(capsys, monkeypatch, error):
    assert ending(monkeypatch, error) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "lower --rows" in err
    assert "RESOURCE_EXHAUSTED" not in err


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug"), OSError("a bug")])
def test_a_bug_keeps_its_traceback(monkeypatch, error):
    with pytest.raises(type(error), match="a bug"):
        ending(monkeypatch, error)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-m", "jaxseq"], "usage: jaxseq COMMAND"),
        ([ROOT / "train.py", "--help"], "usage: train.py [configs/NAME.py]"),
        ([ROOT / "sample.py", "--help"], "usage: sample.py "),
    ],
    ids=["module", "train.py", "sample.py"],
)
def test_every_way_in_leads_to_the_same_commands(words, expected, tmp_path):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(expected)
    assert done.stderr == ""


@pytest.mark.parametrize("program", ["train.py", "jaxseq train"])
def test_a_training_is_told_how_it_was_typed(monkeypatch, program):
    named = {}

    def train_run(config, run_dir, **options):
        named.update(options, run_dir=run_dir)
        return SimpleNamespace(exit_code=0)

    monkeypatch.setattr(train, "train_run", train_run)
    assert main.run("train", ["--fresh", "--name", "x"], program=program) == 0
    assert named.pop("stop").signal is None
    assert named == {"fresh": True, "program": program, "run_dir": Path("runs/x")}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(("word", "code"), [("--version", 0), ("nonsense", 2), ("train", 0)])
@pytest.mark.parametrize("last", [False, True], ids=["libraries", "last"])
def test_a_signal_while_libraries_end_or_at_the_very_last_leaves_the_code_of_the_work(name, word, code, last, tmp_path):
    words = ["jaxseq", word, *(["--help"] if word == "train" else [])]
    end = f"atexit.register(lambda: (os.kill(os.getpid(), signal.{name}), time.sleep(0.5), print('NOT ENDED')))"
    program = (  # what is registered first is called last
        "import atexit, os, signal, sys, time\n"
        "from jaxseq.commands.main import main\n"
        f"sys.argv = {words}\n"
        f"{end if last else ''}\n"
        "try:\n"
        "    sys.exit(main())\n"
        "finally:\n"
        f"    {'pass' if last else end}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == code
    assert done.stderr.count("\n") == (1 if code else 0)
    assert ("NOT ENDED" in done.stdout) == last  # the first kind ends the process at once
