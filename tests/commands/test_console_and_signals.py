"""Commands whose console goes away, whose disk is full, or that are told to stop."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import TINY, assert_same_run, jaxseq, refused, snapshot

from jaxseq import runtime
from jaxseq.commands.main import main
from jaxseq.runs import evaluation as run_evaluation
from jaxseq.runs import load
from jaxseq.runs import train as run_train
from jaxseq.tasks.language import corpora, language_modeling
from jaxseq.training import evaluate as evaluation
from jaxseq.training import loop

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


def typed(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What a line typed into bash comes to, where jaxseq stands for the command."""
    script = f'set -o pipefail; jaxseq() {{ "{sys.executable}" -m jaxseq "$@"; }}; {line}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash closes descriptors")
@pytest.mark.parametrize("console", ["2>&1 | head -c 1", "<&- >&- 2>&-"], ids=["a reader that goes away", "closed"])
def test_a_run_does_not_die_of_its_console(folder, trained, console):
    done = typed(f"jaxseq train --name tiny {' '.join(TINY)} {console}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_run(folder / "runs" / "tiny", trained[0] / "runs" / "tiny")


@needs_full
def test_a_run_goes_on_where_nothing_can_be_printed(folder, trained):
    with FULL.open("w") as out, FULL.open("w") as err:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["train", "--name", "tiny", *TINY])
        for stream in (out, err):
            with contextlib.suppress(OSError):
                stream.close()
    assert code == 0
    assert_same_run(folder / "runs" / "tiny", trained[0] / "runs" / "tiny")


@needs_full
@pytest.mark.parametrize(
    "words",
    [["sample", "runs/tiny"], ["sample", "runs/tiny", "--json"], ["evaluate", "runs/tiny"], ["train", "--help"], []],
    ids=" ".join,
)
def test_work_that_cannot_be_printed_is_one_line_and_2(trained, capsys, words):
    out = FULL.open("w")
    with contextlib.chdir(trained[0]), contextlib.redirect_stdout(out):
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
    with contextlib.suppress(OSError):
        out.close()
    told = "error: standard output cannot be written (No space left on device): free some space, or send it elsewhere\n"
    assert (code, capsys.readouterr().err) == (2, told)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash closes descriptors")
def test_help_needs_no_standard_error_and_no_reader(tmp_path):
    done = typed("jaxseq sample --help 2>&- && jaxseq train --help >&- && jaxseq train --help | head -c 1", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: jaxseq sample")
    assert done.stdout.endswith("u")


def raise_in(monkeypatch, module, name, number, *, at=1):
    """Raises a signal when a function is called for the time `at`."""
    called, function = [], getattr(module, name)

    def wrapped(*args, **options):
        called.append(1)
        if len(called) == at:
            signal.raise_signal(number)
        return function(*args, **options)

    monkeypatch.setattr(module, name, wrapped)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (corpora, "read_pieces"),
        (corpora, "write_token_file"),
        (language_modeling, "build_model"),
        (language_modeling, "init_variables"),
    ],
    ids=["reading", "writing tokens", "building", "initialising"],
)
def test_a_signal_before_there_is_anything_to_save_leaves_nothing(folder, monkeypatch, module, name, number):
    raise_in(monkeypatch, module, name, number)
    before = snapshot(folder)
    code, _, err = jaxseq("train", *TINY, "--data.memory-map", folder=folder)
    assert (code, err) == (128 + number, "")
    assert snapshot(folder) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
@pytest.mark.parametrize(("module", "at"), [(loop, 2), (evaluation, 1)], ids=["training", "evaluating"])
def test_a_signal_in_a_run_saves_it_and_it_goes_on_exactly(folder, trained, monkeypatch, module, at, number, code):
    words = ("train", "--name", "tiny", *TINY)
    with monkeypatch.context() as patch:
        raise_in(patch, module, "stack_batches", number, at=at)
        left, _, err = jaxseq(*words, folder=folder)
    assert left == code
    assert "and saved: the same command goes on from there" in err
    assert jaxseq(*words, folder=folder).code == 0
    assert_same_run(folder / "runs" / "tiny", trained[0] / "runs" / "tiny")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_the_sample_at_the_end_which_the_same_command_makes(folder, trained, monkeypatch, number, code):
    words = ("train", "--name", "tiny", *TINY)
    with monkeypatch.context() as patch:
        raise_in(patch, run_train, "load_run", number)
        left, _, err = jaxseq(*words, "--task.sample-length", "10000000", folder=folder)
    assert (left, err.splitlines()[-1]) == (
        code,
        "stopped at what a run ends with, and all of the training is saved: the same command makes it",
    )
    assert not (folder / "runs" / "tiny" / "samples.txt").exists()
    assert jaxseq(*words, folder=folder).code == 0
    assert_same_run(folder / "runs" / "tiny", trained[0] / "runs" / "tiny")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("sample", load, "load_run"),
        ("evaluate", run_evaluation, "load_run"),
        ("evaluate", corpora, "read_pieces"),
        ("evaluate", evaluation, "stack_batches"),
    ],
)
def test_a_signal_ends_what_has_nothing_to_save(trained, monkeypatch, command, module, name, number):
    raise_in(monkeypatch, module, name, number)
    before = snapshot(trained[0])
    assert jaxseq(command, "runs/tiny", "--checkpoint", "newest", folder=trained[0]) == (128 + number, "", "")
    assert snapshot(trained[0]) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_python_takes_itself_apart_changes_nothing(number):
    code = (
        "import os, sys\n"
        "class Last:\n"
        f"    def __del__(self, kill=os.kill, me=os.getpid()): kill(me, {int(number)})\n"
        "last = Last()\n"
        "from jaxseq.commands.main import main\n"
        "sys.argv = ['jaxseq', '--version']\n"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("jaxseq ")


def test_waiting_for_a_text_that_does_not_come_is_ended_by_a_signal(folder):
    """Somebody holds the pipe open and writes nothing."""
    os.mkfifo(folder / "pipe")
    held = os.open(folder / "pipe", os.O_RDWR)
    code = "import os, signal, sys, time; time.sleep(2); os.kill(int(sys.argv[1]), signal.SIGTERM)"
    try:
        with subprocess.Popen([sys.executable, "-c", code, str(os.getpid())]):
            assert jaxseq("train", *TINY, "--data.source", "pipe", folder=folder) == (143, "", "")
    finally:
        os.close(held)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sample --num-samples 2000000", "making 2,000,000 samples of 20 tokens needs at least 2.0 GB"),
        ("sample --num-samples 2147483647", "lower --num-samples"),
        (
            "sample --length 2147483647 --num-samples 3",
            "making 1 samples of 2,147,483,647 tokens needs at least 1.1 GB",
        ),
        ("sample --num-samples 99999999999", "--num-samples is 99999999999: give a number from 1 to 2147483647"),
        ("sample --length 99999999999", "--length is 99999999999"),
        ("sample --next 99999999999", "--next is 99999999999"),
        ("evaluate --rows 99999999999", "--rows is 99999999999"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_anything_is_made(trained, monkeypatch, words, told):
    monkeypatch.setattr(runtime, "memory_limit", lambda: 2**30)
    command, *options = words.split()
    assert told in refused(command, "runs/tiny", *options, folder=trained[0])


def test_more_rows_than_fit_into_memory_are_refused(trained, monkeypatch):
    monkeypatch.setattr(runtime, "memory_limit", lambda: 10_000)
    told = refused("evaluate", "runs/tiny", "--rows", "100", folder=trained[0])
    assert "reading 100 rows of windows of 16 needs at least" in told
    assert "lower --rows" in told


def test_what_was_typed_or_stands_in_a_file_reaches_the_terminal_without_what_acts_on_it(folder):
    nasty = "a\x1b]0;title\x07\nb\x9b\u202e.txt"
    for words in (["--data.source", nasty], ["--run-dir", f"text.txt/{nasty}"], [nasty + ".py"], [f"--{nasty}"]):
        told = refused("train", *TINY, *words, folder=folder)
        assert not set(told[:-1]) & set("\x1b\x07\n\x9b\u202e"), words
    (folder / nasty).write_text((folder / "text.txt").read_text())
    source = ["--data.source", nasty, "--train.steps", "1"]
    assert jaxseq("train", *TINY, *source, folder=folder).code == 0
    (folder / nasty).write_text("other")
    assert not set(refused("train", *TINY, *source, folder=folder)[:-1]) & set("\x1b\x07\n\x9b\u202e")
    assert not set(refused("evaluate", "runs/quickstart", folder=folder)[:-1]) & set("\x1b\x07\n\x9b\u202e")


def test_a_tilde_is_the_home_directory_in_every_path_option(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(trained[0]))
    (trained[0] / "small.py").write_text("from jaxseq.config import ExperimentConfig\nconfig = ExperimentConfig()\n")
    expected = jaxseq("evaluate", "runs/tiny", "--source", "text.txt", folder=trained[0])
    assert jaxseq("evaluate", "~/runs/tiny", "--source", "~/text.txt", folder=tmp_path) == expected
    words = ("--length", "9", "--seed", "1")
    assert jaxseq("sample", "~/runs/tiny", *words, folder=tmp_path).code == 0
    source = ["--data.source", "~/text.txt", "--run-dir", "~/other", "--train.steps", "1"]
    assert jaxseq("train", "~/small.py", *TINY, *source, folder=tmp_path).code == 0
    assert (trained[0] / "other" / "checkpoints").is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", ["1", "0", "-3", "many", "1000000000"])
def test_help_is_set_in_whatever_the_terminal_says_of_its_width(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(["sample", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert 39 < max(map(len, lines)) <= 300


@pytest.mark.parametrize(
    ("words", "meant"),
    [("--prompt -the", "--prompt=-the"), ("--stop --x", "--stop=--x"), ("--top-p -x", "--top-p=-x")],
)
def test_a_value_that_begins_with_a_dash_is_told_how_to_be_given(folder, words, meant):
    told = refused("sample", "runs/x", *words.split(), folder=folder)
    assert f"(a value that begins with a dash is given as {meant})" in told
    assert "begins with a dash" not in refused("sample", "runs/x", words.split()[0], folder=folder)
    assert "holds no trained model" in refused("sample", "runs/x", "--prompt=-the", folder=folder)


def test_a_working_directory_that_was_deleted_is_one_line(tmp_path):
    (tmp_path / "gone").mkdir()
    with contextlib.chdir(tmp_path / "gone"):
        (tmp_path / "gone").rmdir()
        for words in (["train"], ["sample", "runs/x"], ["evaluate", "runs/x"]):
            with contextlib.redirect_stderr(io.StringIO()) as err:
                assert main(words) == 2
            assert "the working directory has been deleted: change to one that is there" in err.getvalue()
        os.chdir(tmp_path)


def test_a_run_directory_may_have_a_name_that_is_no_utf_8(folder):
    named = os.fsdecode(b"r\xff")
    code, out, err = jaxseq("train", *TINY, "--run-dir", named, folder=folder)
    assert code == 0, err
    assert "everything is in r\\udcff" in out
    assert jaxseq("sample", named, "--length", "3", folder=folder).code == 0
