"""Whatever is wrong with what a person gives: one line that names it, exit code 2, nothing left behind."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import TINY, jaxseq, refused, snapshot
from small_tokenizers import bpe, sentencepiece_model

from jaxseq.commands.main import COMMANDS
from jaxseq.storage import atomic

ROOT = Path(__file__).parents[2]


@pytest.fixture
def odd(folder):
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("short")
    (folder / "latin.txt").write_bytes(b"caf\xe9 " * 1000)
    (folder / "syntax.py").write_text("config = (\n")
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data.source empty.txt", "empty.txt is empty"),
        ("--data.source latin.txt", "latin.txt is not valid utf-8: byte 0xe9 at offset 3"),
        ("--data.source short.txt", "window length 16 needs at least 17 tokens"),
        ("--data.source nowhere.txt", "there is no file or folder nowhere.txt"),
        ("--data.source *.csv", "no file matches *.csv"),
        (f"--data.source {'long' * 70}", "cannot be looked up (File name too long)"),
        ("--data.source ~nobody.by.that.name/x.txt", "cannot be looked up (Could not determine home directory"),
        ("--data.source=", "--data.source is empty"),
        ("--data.min-count 100000", "error: data.min_count is 100000, the most frequent symbol occurs"),
        ("--fresh syntax.py", "(the order is jaxseq train [configs/NAME.py] OPTIONS)"),
        ("--data.source tfds:", "tfds"),
        ("--data.source - --data.memory-map", "standard input can be read only once"),
        ("--data.encoding klingon", "unknown encoding: klingon"),
        ("--data.batch-size 1000", "1000 rows of window length 16 need at least 16001 tokens"),
        ("--data.layout windows --data.length 300", "the validation split cannot be used: window length 300"),
        ("--data.split 0.9999 0 0.0001 --train.patience 1", "train.patience is 1: without a validation split"),
        ("--data.split 0.9 0.0001 0.0999", "the split 'validation' is empty"),
        ("--model.featurs 3", "Unrecognized options: --model.featurs, 3 (perhaps you meant --model.features?)"),
        (
            "--model.heads 3",
            "--model.heads is none of rnn's: leave it out, or take --model.kind encoder or seq2seq_transformer or",
        ),
        ("--model.features three", "--model.features: invalid literal for int() with base 10: 'three'"),
        ("--model.features 1.5", "--model.features: invalid literal for int() with base 10: '1.5'"),
        ("--model.features", "--model.features"),
        ("--model.features -3", "error: model.features is -3: give a number from 1 to 65,536; see jaxseq train --help"),
        ("--model.cell transformer", "invalid choice 'transformer' for argument '--model.cell'"),
        ("--model.dropout 1", "model.dropout is 1.0: give a number from 0 to 0.9999"),
        ("--data.split 0.5 0.5", "--data.split"),
        ("--data.split 0.5 0.6 0.7", "data.split is (0.5, 0.6, 0.7)"),
        ("--data.normalize upper", "invalid choice 'upper' for argument '--data.normalize'"),
        ("--optimizer.learning-rate nan", "optimizer.learning_rate is nan"),
        ("--optimizer.momentum 0.9", "--optimizer.momentum is none of adam's: leave it out, or take --optimizer.kind"),
        ("--optimizer.weight-decay 0.1", "--optimizer.weight-decay is none of adam's"),
        ("--optimizer.kind lion", "optimizer.kind is 'lion': choose adadelta, adagrad, "),
        ("--model.bidirectional", "model.bidirectional is True: a language model sees no later tokens, leave it out"),
        ("--task.temperature 0", "task.temperature is 0.0"),
        ("--task.prompt Zebra", "task.prompt is 'Zebra': the prompt cannot be read: 'Z' (U+005A) at offset 0"),
        ("--train.devices 5", "train.devices is 5, there are 4"),
        ("--name ../elsewhere", "name is '../elsewhere'"),
        ("--run-dir text.txt", "text.txt is a file"),
        ("--run-dir text.txt/run", "cannot write text.txt/run/lock: a file stands where a directory is needed"),
        (f"--run-dir {'long' * 70}", "the name is too long"),
        ("text.txt", "Unrecognized options: text.txt"),
    ],
)
def test_it_is_refused_with_its_name_and_the_remedy(odd, words, told):
    assert told in refused("train", *TINY, *words.split(), folder=odd)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train quickstart", "there is no configuration quickstart"),
        ("train syntax.py", "syntax.py:1: SyntaxError"),
        ("train text.txt", "text.txt:1: SyntaxError"),
        ("train empty.txt", "empty.txt defines no `config`"),
        ("train --data.length", "--data.length"),
        ("sample runs/nowhere", "runs/nowhere holds no trained model"),
        ("sample", "run"),
        ("sample text.txt", "text.txt holds no trained model"),
        ("sample runs/nowhere --temperature -1", "temperature is -1.0"),
        ("evaluate runs/nowhere", "runs/nowhere holds no trained model"),
        ("evaluate .", ". holds no trained model"),
        ("evaluate . --rows 0", "--rows is 0"),
        ("evaluate . --split held-out", "invalid choice 'held-out'"),
        ("interpret", f"there is no command 'interpret': choose {', '.join(COMMANDS)}"),
    ],
)
def test_so_is_every_other_command_line_that_cannot_be(odd, words, told):
    assert told in refused(*words.split(), folder=odd)


@pytest.fixture
def pieces(odd):
    """Holds tokenizers that are damaged, and texts that hold nothing or something new."""
    model, ours = sentencepiece_model(), json.dumps(bpe().to_json())
    theirs = json.dumps({"version": "1.0", "model": {"type": "BPE"}})
    for name, content in (
        *(("cut.model", model[: len(model) // 2]), ("none.model", b""), ("garbage.model", bytes(range(255, 0, -1)))),
        *(("cut.json", ours[: len(ours) // 2].encode()), ("garbage.json", bytes(range(128, 256)))),
        ("theirs.json", theirs[: len(theirs) // 2].encode()),
        *(("blank.txt", b"\n \n\t\n"), ("new.txt", b"the zebra\n" * 60)),
    ):
        (odd / name).write_bytes(content)
    (odd / "folder").mkdir()
    return odd


_OWN = "--data.split 1 0 0 --data.validation-source"
_WORDS = "--data.tokenizer word --data.splitter whitespace"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "--data.tokenizer bpe --data.pieces 255",
            "data.pieces is 255, and the 256 bytes have 256 ids: give 256 or more",
        ),
        (
            "--data.kind lines --data.tokenizer bpe --data.pieces 3",
            "data.pieces is 3, and the 256 bytes and padding have 257 ids: give 257 or more",
        ),
        (
            "--data.tokenizer wordpiece --data.pieces 2",
            "data.pieces is 2, and the characters and the unknown word have",
        ),
        ("--data.tokenizer unigram --data.pieces 2", "data.pieces is 2, and padding, bytes and characters have up to"),
        (f"{_WORDS} --data.max-words -1", "data.max_words is -1: give a number from 0 to"),
        (f"{_WORDS} --data.min-count 99999", "data.min_count is 99999, the most frequent word occurs"),
        (
            f"{_WORDS} --task.prompt zebra",
            "leave it out, or train with <unk> for rare words (--data.min-count 2, --data.max-words, or unknown='unk')",
        ),
        (f"{_WORDS} {_OWN} new.txt", "new.txt, document 1: 'zebra', word 2 of the text, is not among the"),
        (
            f"--data.kind lines {_WORDS} {_OWN} new.txt",
            "new.txt, of the lines that are read line 1: 'zebra', word 2 of the text, is not among the",
        ),
        (
            f"--data.kind lines {_OWN} blank.txt",
            "blank.txt has no line to read: give --data.validation-source a source that holds text",
        ),
        ("--data.kind lines --data.source blank.txt", "blank.txt has no line to read: give --data.source a source"),
        (
            f"{_WORDS} --data.source blank.txt",
            "blank.txt has no word to train a tokenizer on: the text is empty, or all of it left out; give",
        ),
        (
            "--data.source folder/",
            'the folder folder/ holds no .txt file: name other files by a glob, "folder/**/*.md"',
        ),
        ("--data.kind lines --data.source nowhere/*.txt", "no file matches nowhere/*.txt"),
        *(
            (
                f"--data.tokenizer {kind} --data.tokenizer-file {file}",
                f"error: data.tokenizer_file {file} cannot be used: {what}",
            )
            for kind, file, what in (
                ("sentencepiece", "cut.model", "this is no SentencePiece model (the bytes end at offset"),
                ("sentencepiece", "none.model", "this is no SentencePiece model: of its 0 pieces one must be unknown"),
                ("sentencepiece", "garbage.model", "this is no SentencePiece model (no number at offset"),
                ("bpe", "cut.json", "this is no JSON ("),
                ("bpe", "theirs.json", "this is no JSON ("),
                ("word", "garbage.json", "a tokenizer in JSON is UTF-8, this is not at offset 0"),
            )
        ),
    ],
)
def test_vocabularies_and_tokenizer_files_that_cannot_be_are_one_line(pieces, words, told):
    line = refused("train", *TINY, *words.split(), folder=pieces)
    assert told in line
    assert line.endswith("; fetch it again, or give another\n") == ("tokenizer-file" in words)


@pytest.mark.parametrize("command", ["tag", "predict", "translate"])
def test_the_remedy_for_an_encoding_works_as_it_is_said(odd, command):
    words = ["latin.txt"] if command == "tag" else ["nowhere", "--file", "latin.txt"]
    code, _, err = jaxseq(command, *words, "--data.encoding", "latin-1", folder=odd)
    assert "--data.encoding" not in err
    assert code == (0 if command == "tag" else 2)  # there is no run


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EROFS, "the file system is read-only: choose another directory"),
        (errno.EACCES, "permission is missing"),
    ],
)
@pytest.mark.parametrize("which", [0, 1, 5], ids=["the first file", "the second", "a checkpoint"])
def test_a_disk_that_cannot_be_written_to_is_named_and_nothing_half_written_stays(
    odd, monkeypatch, number, told, which
):
    """Every file of a run is forced to disk, so one that does not get there fails there at the latest."""
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) > which:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    before = snapshot(odd)
    code, _, err = jaxseq("train", *TINY, folder=odd)
    assert code == 2
    assert err.startswith("error: cannot write runs/quickstart/")
    assert told in err
    assert err.count("\n") == 1
    assert snapshot(odd) == before


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is read-only to this user")
def test_a_read_only_directory_is_named(odd):
    (odd / "closed").mkdir(mode=0o500)
    assert "cannot write closed/run/lock: permission is missing" in refused(
        "train", *TINY, "--run-dir", "closed/run", folder=odd
    )


def test_a_real_limit_on_file_sizes_is_told_as_such(odd):
    """The nearest thing to a full disk that needs no rights."""
    if shutil.which("bash") is None:
        pytest.skip("bash sets the limit")
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 3; exec "$0" "$@"', sys.executable, ROOT / "train.py", *TINY],
        cwd=odd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_COMPILATION_CACHE": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr  # Orbax's threads have theirs
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: cannot write runs/quickstart/")
    assert "the file passes the size limit in force" in told
    assert not (odd / "runs").exists()
