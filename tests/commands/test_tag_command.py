"""From a raw file to a tagged one, as a person types it."""

import gzip
import io
import json
import lzma
import os
import signal
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import command_line
import pytest
from command_line import jaxseq, refused, snapshot

from jaxseq.commands import tag as command
from jaxseq.storage import atomic
from jaxseq.text import WordOptions, WordTokenizer, morphemes, read_tagged, tag

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")
LINES = ["😀 영화를 봤다.", "", "  ", "모건프리먼 주연 a/b", "갔다\t왔어요 <pad>", "\x1b[31m 영화/NNG"]
TAGGED = [
    "😀/W_EMOJI 영화/NNG 를/JKO 보/VV 었/EP 다/EF ./SF",
    "",
    "",
    "모건\\u0020프리먼/NNP 주연/NNG a/SL \\u002f/SP b/SL",
    "가/VV 었/EP 다/EC 오/VV 었/EP 어요/EF </SSO pad/SL >/SSC",
    "\\u001b/SW [/SSO 31/SN m/SL 영화/NNG \\u002f/SP NNG/SL",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the lines in lines.txt."""
    (tmp_path / "lines.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return tmp_path


def tagged(folder: Path, *words: str) -> list[str]:
    code, out, err = jaxseq("tag", *words, folder=folder)
    assert (code, err) == (0, "")
    assert out.endswith("\n") or not out
    return out.split("\n")[:-1]


def test_a_line_comes_out_for_every_line(folder):
    assert tagged(folder, "lines.txt") == TAGGED
    assert tagged(folder, "lines.txt", "--output", "out.txt") == []
    assert (folder / "out.txt").read_bytes() == ("\n".join(TAGGED) + "\n").encode()
    assert sorted(path.name for path in folder.iterdir()) == ["lines.txt", "out.txt"]


def test_lines_are_the_same_in_any_file(folder):
    text = "\n".join(LINES)
    (folder / "no_end.txt").write_text(text, encoding="utf-8")
    (folder / "dos.txt").write_bytes(text.replace("\n", "\r\n").encode() + b"\r\n")
    (folder / "old.txt.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "small.txt.xz").write_bytes(lzma.compress(text.encode()))
    (folder / "korean.txt").write_bytes(text.replace("😀", "").encode("cp949"))
    rows = "".join(json.dumps({"review": line}) + "\n" for line in LINES)
    (folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    for name in ("no_end.txt", "dos.txt", "old.txt.gz", "small.txt.xz"):
        assert tagged(folder, name) == TAGGED
    assert tagged(folder, "rows.jsonl", "--text-column", "review") == TAGGED
    without_emoji = [TAGGED[0].removeprefix("😀/W_EMOJI "), *TAGGED[1:]]
    assert tagged(folder, "korean.txt", "--encoding", "cp949") == without_emoji
    (folder / "empty.txt").write_bytes(b"")
    assert tagged(folder, "empty.txt") == []


def test_json_has_the_text_and_where_each_morpheme_is_in_it(folder):
    for line, text in zip(tagged(folder, "lines.txt", "--format", "jsonl"), LINES, strict=True):
        tree = json.loads(line)
        assert tree["text"] == text
        assert [tuple(each.values()) for each in tree["morphemes"]] == tag(text)
        assert "\x1b" not in line
    last = json.loads(tagged(folder, "lines.txt", "--format", "jsonl")[0])["morphemes"][-1]
    assert last == {"form": ".", "tag": "SF", "start": 8, "end": 9}


def test_a_tagged_file_of_real_reviews_is_read_as_words(data_folder, tmp_path):
    with lzma.open(data_folder / "nsmc" / "nsmc_reviews_lm.txt.xz", "rt", encoding="utf-8", newline="") as file:
        lines = [line.removesuffix("\n") for line in islice(file, 300)]
    (tmp_path / "raw.txt.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    assert tagged(tmp_path, "raw.txt.xz", "--output", "tagged.txt") == []
    found = (tmp_path / "tagged.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert [read_tagged(line) for line in found] == [[each[:2] for each in tag(line)] for line in lines]
    words = WordTokenizer.train(found, options=WordOptions(splitter="whitespace"))
    assert {"영화/NNG", "었/EP", "./SF"} <= set(words.words[:20])


def test_nothing_is_written_over(folder):
    for name in ("lines.txt", "there"):
        (folder / "there").mkdir(exist_ok=True)
        told = refused("tag", "lines.txt", "--output", name, folder=folder)
        assert told == f"error: {name} is there already: give another name, or remove it\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.txt"], "absent.txt cannot be read (No such file or directory)"),
        (["."], ". is a folder: give a file with a text on each line"),
        ([""], "is no name of a file"),
        (["latin.txt"], "latin.txt, line 2 is not valid utf-8 (byte 0xe9: "),
        (["latin.txt", "--encoding", "klingon"], "klingon"),
        (["rows.csv"], "rows.csv"),
        (
            ["lines.txt", "--output", "absent/out.txt"],
            "cannot write absent/out.txt: its directory is not there, or no longer",
        ),
        (["lines.txt", "--output", "out.xz"], "out.xz would not be compressed: leave .xz out of --output"),
        (["lines.txt", "--format", "xml"], "--format"),
        ([], "FILE"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(folder, words, message):
    (folder / "latin.txt").write_bytes(b"\ncaf\xe9\n")
    (folder / "rows.csv").write_text("review\nfine\n")
    output = ["--output", "out.txt"] if words and "--output" not in words else []
    assert message in refused("tag", *words, *output, folder=folder)


def test_without_kiwipiepy_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    monkeypatch.setattr(morphemes, "_ANALYSERS", {})
    told = refused("tag", "lines.txt", "--output", "out.txt", folder=folder)
    assert told.startswith("error: Korean morphemes need kiwipiepy, which cannot be imported (")
    assert told.endswith("): pip install 'jaxseq[korean]'\n")


def test_a_disk_that_is_full_leaves_nothing(folder, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    real = atomic.open_new
    monkeypatch.setattr(atomic, "open_new", lambda path: Full(real(path)))
    told = refused("tag", "lines.txt", "--output", "out.txt", folder=folder)
    assert told == "error: cannot write out.txt: the disk is full: free some space, or choose another disk\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are raised")
def test_a_signal_leaves_nothing(folder, monkeypatch):
    real = command.tag_texts

    def interrupted(texts):
        for number, found in enumerate(real(texts)):
            if number == 2:
                signal.raise_signal(signal.SIGTERM)
            yield found

    monkeypatch.setattr(command, "tag_texts", interrupted)
    before = snapshot(folder)
    assert jaxseq("tag", "lines.txt", "--output", "out.txt", folder=folder) == (128 + signal.SIGTERM, "", "")
    assert snapshot(folder) == before


def test_a_terminal_is_told_how_far_it_is(folder, monkeypatch):
    monkeypatch.setattr(command, "_SHOWN", 2)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(command_line, "io", SimpleNamespace(StringIO=Terminal))
    code, out, err = jaxseq("tag", "lines.txt", "--output", "out.txt", folder=folder)
    assert (code, out) == (0, "")
    assert err == "\r2 lines\r4 lines\r6 lines\r6 lines\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_what_comes_from_a_program_is_answered_as_it_comes_until_a_signal(folder):
    words = [sys.executable, "-m", "jaxseq", "tag", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        given_up = threading.Timer(300, process.kill)  # else a line that never comes would be waited for for good
        given_up.start()
        for line, expected in zip(LINES[:4], TAGGED[:4], strict=True):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().decode() == f"{expected}\n"
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
        given_up.cancel()
    assert (process.returncode, told) == (128 + signal.SIGTERM, b"")


def test_it_loads_no_jax():
    code = (
        "import sys, jaxseq.commands.tag; print(sorted({m.split('.')[0] for m in sys.modules} & {'jax', 'kiwipiepy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
