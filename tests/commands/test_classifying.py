"""Classifying texts, as a person types it: from labelled texts in any form to what a run says of others."""

import csv
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_same_arrays, jaxseq, refused, snapshot
from pages import blocks, read_page

from jaxseq.data import archives
from jaxseq.training import loop

ROOT = Path(__file__).parents[2]
WORDS = {
    "neg": ("awful", "dull", "sad", "poor"),
    "pos": ("good", "fine", "great", "lovely"),
    "so so": ("fair", "usual", "middling", "plain"),
}
KINDS = ["--task.kind", "classification", "--data.kind", "labelled", "--model.kind", "bag"]
SMALL = [
    *KINDS,
    *("--model.features", "8"),
    *("--data.tokenizer", "word", "--data.length", "20", "--data.lengths", "2", "--data.batch-size", "8"),
    *("--optimizer.learning-rate", "0.05", "--optimizer.warmup-steps", "0"),
    *("--train.steps", "20", "--train.log-every", "10", "--train.devices", "1"),
]
FILMS = [*SMALL, "--name", "films", "--data.source", "films.csv", "--data.test-source", "others.csv"]


def reviews(*labels: str, count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many of each label, label by label, as folders of classes are read."""
    draw = np.random.default_rng(seed)
    return [
        (" ".join([*["the", "film", "was"][: draw.integers(0, 4)], str(draw.choice(WORDS[label]))]), label)
        for label in labels
        for _ in range(count)
    ]


def write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def write(folder: Path, form: str, rows: list[tuple[str, str]]) -> str:
    """The name of what holds the same texts in another form."""
    path = folder / f"texts.{form}"
    if form == "csv":
        write_csv(path, rows)
    elif form == "tsv":
        path.write_text("".join(f"{label}\t{text}\n" for label, text in [("label", "text"), *map(reversed, rows)]))
    elif form == "jsonl":
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    else:
        members = {f"{label}/{number:03}.txt": text for number, (text, label) in enumerate(rows)}
        with zipfile.ZipFile(folder / "texts.zip", "w") as archive:
            for name, text in members.items():
                archive.writestr(name, text)
        if form == "folder":
            shutil.unpack_archive(folder / "texts.zip", path)
    return path.name


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """A folder with a finished run runs/films of two classes, not to be changed."""
    folder = tmp_path_factory.mktemp("films")
    write_csv(folder / "films.csv", reviews("neg", "pos", count=40))
    write_csv(folder / "others.csv", reviews("neg", "pos", count=10, seed=1))
    code, out, err = jaxseq("train", *FILMS, folder=folder)
    assert code == 0, err
    assert "films: 72 train, 8 validation, 20 test texts in 2 classes, vocabulary " in out
    assert "to train on: 0 of 72 texts truncated to 20 tokens" in out
    assert "everything is in runs/films; classify more with:\n  jaxseq predict runs/films 'a text of" in out
    return folder


def predicted(folder: Path, *words: str) -> list[dict]:
    """What is said of each text."""
    code, out, err = jaxseq("predict", "runs/films", *words, "--format", "jsonl", folder=folder)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_many_classes_in_any_form_train_the_same_run_to_the_last_bit(tmp_path):
    rows = reviews("neg", "pos", "so so", count=12)
    few = ["--train.steps", "4", "--train.log-every", "2"]
    for form in ("csv", "tsv", "jsonl", "folder", "zip"):
        source = write(tmp_path, form, rows)
        code, out, err = jaxseq("train", *SMALL, *few, "--name", form, "--data.source", source, folder=tmp_path)
        assert code == 0, err
        assert f"{form}: 32 train, 4 validation texts in 3 classes, vocabulary " in out
        assert_same_arrays(tmp_path / "runs" / form, tmp_path / "runs" / "csv")
    assert {"report.txt", "confusion.png", "calibration.png", "curves.png"} <= {
        path.name for path in (tmp_path / "runs" / "zip").iterdir()
    }
    code, out, err = jaxseq("predict", "runs/folder", "the film was fair", "--format", "jsonl", folder=tmp_path)
    assert (code, err) == (0, "")
    assert list(json.loads(out)["probabilities"]) == ["neg", "pos", "so so"]


def test_each_text_has_its_class_and_the_words_that_nobody_knows(films):
    code, out, err = jaxseq("predict", "runs/films", "a great film", "awful, so awful\n\x1b", folder=films)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("pos  (pos 0.")
    assert first.endswith(")  unknown: a")
    assert second.startswith("neg  (neg 0.")
    assert second.endswith(r")  unknown: , so \x1b")
    made = predicted(films, "a great film", "the film was sad", "")
    assert [each["label"] for each in made[:2]] == ["pos", "neg"]
    assert [each["unknown"] for each in made] == [["a"], [], []]
    assert all(sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-6) for each in made)


def test_every_form_of_output_says_the_same(films):
    words = ("predict", "runs/films", "great", 'dull "film", zzz')
    rows = list(csv.reader(io.StringIO(jaxseq(*words, "--format", "csv", folder=films).out)))
    made = predicted(films, *words[2:])
    assert rows[0] == ["label", "probability of neg", "probability of pos", "unknown words"]
    for row, each in zip(rows[1:], made, strict=True):
        assert row[0] == each["label"]
        assert [float(cell) for cell in row[1:3]] == pytest.approx(list(each["probabilities"].values()), abs=1e-6)
        assert row[3] == " ".join(each["unknown"])
    for line, each in zip(jaxseq(*words, folder=films).out.splitlines(), made, strict=True):
        assert line.startswith(f"{each['label']}  ({each['label']} {each['probabilities'][each['label']]:.4f}, ")


def test_a_record_comes_out_for_every_line_whatever_the_file_ends_with(films, tmp_path, monkeypatch):
    lines = ["great film", "", "the film was sad", "  ", "zzz", "dull"]
    made = predicted(films, *(line or " " for line in lines))
    text = "\n".join(lines)
    for name, content in {
        "lines.txt": text + "\n",
        "no_end.txt": text,
        "dos.txt": text.replace("\n", "\r\n") + "\r\n",
        "table.csv": "number,text\n" + "".join(f'{n},"{line}"\n' for n, line in enumerate(lines)),
        "table.jsonl": "".join(json.dumps({"text": line}) + "\n" for line in lines),
    }.items():
        (tmp_path / name).write_bytes(content.encode())
        assert predicted(films, "--file", str(tmp_path / name)) == made, name
    for content, words in [(text, []), ("text\n" + text, ["--file-format", "tsv"])]:
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(content.encode())))
        assert predicted(films, "--file", "-", *words) == made
    (tmp_path / "none.txt").touch()
    assert predicted(films, "--file", str(tmp_path / "none.txt")) == []
    assert jaxseq("predict", "runs/films", "--file", str(tmp_path / "none.txt"), folder=films) == (0, "", "")


def test_what_is_said_of_a_text_depends_on_no_other(films, tmp_path):
    rows = [*(text for text, _ in reviews("neg", "pos", count=200, seed=2)), "great " * 30, "", "zzz " * 18]
    (tmp_path / "rows.txt").write_text("\n".join(rows))
    (tmp_path / "back.txt").write_text("\n".join(rows[::-1]))
    made = predicted(films, "--file", str(tmp_path / "rows.txt"))
    assert predicted(films, "--file", str(tmp_path / "back.txt")) == made[::-1]
    for number in (0, 399, 400, 401, 402):
        (tmp_path / "one.txt").write_text(rows[number] + "\n")
        assert predicted(films, "--file", str(tmp_path / "one.txt")) == [made[number]]


def test_standard_input_is_answered_line_by_line(films):
    words = [sys.executable, "-m", "jaxseq", "predict", "runs/films", "--file", "-", "--format", "jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=films, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        given_up = threading.Timer(300, process.kill)  # else a line that never comes would be waited for for good
        given_up.start()
        found = []
        for line in ("a great film", "", "the film was sad"):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            found.append(process.stdout.readline())
        process.stdin.write(b"dull")
        process.stdin.close()
        found += process.stdout.readlines()
        told = process.stderr.read()
        given_up.cancel()
    assert (process.returncode, told) == (0, b"")
    expected = predicted(films, "a great film", " ", "the film was sad", "dull")
    assert [json.loads(line) for line in found] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_a_signal_ends_what_waits_for_a_line(films):
    words = [sys.executable, "-m", "jaxseq", "predict", "runs/films", "--file", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=films, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"great\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"pos  (pos 0.")
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
    assert (process.returncode, told) == (128 + signal.SIGTERM, b"")


def test_a_run_is_measured_on_its_splits_and_on_others(films):
    code, out, err = jaxseq("evaluate", "runs/films", "--split", "test", folder=films)
    assert (code, err) == (0, "")
    heading, line = out.splitlines()
    assert heading.split() == ["loss", "accuracy", "f1", "calibration", "texts"]
    assert line.startswith("every text once")
    measured = json.loads(jaxseq("evaluate", "runs/films", "--split", "test", "--json", folder=films).out)["texts"]
    assert measured["texts"] == 20
    assert f"  accuracy           {measured['accuracy']:9.2%}\n" in (films / "runs/films/report.txt").read_text()
    rows = reviews("neg", "pos", count=10, seed=1)
    made = predicted(films, "--file", "others.csv")
    right = [each["label"] == label for each, (_, label) in zip(made, rows, strict=True)]
    assert measured["accuracy"] == pytest.approx(np.mean(right))
    loss = -np.mean([np.log(each["probabilities"][label]) for each, (_, label) in zip(made, rows, strict=True)])
    assert measured["loss"] == pytest.approx(loss, rel=1e-4)
    words = ("evaluate", "runs/films", "--source", "others.csv", "--split", "train", "--json")
    assert json.loads(jaxseq(*words, folder=films).out)["texts"]["texts"] == 18


def test_several_seeds_go_on_after_an_interruption_and_end_with_mean_and_spread(films, tmp_path, monkeypatch):
    for name in ("films.csv", "others.csv"):
        shutil.copy(films / name, tmp_path)
    words = ("train", *FILMS, "--run-dir", "three", "--seeds", "3")
    called, function = [], loop.stack_batches

    def interrupted(*args, **options):
        called.extend([1] if (tmp_path / "three" / "seed_1").exists() else [])
        if len(called) == 2:
            signal.raise_signal(signal.SIGINT)
        return function(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "stack_batches", interrupted)
        code, out, err = jaxseq(*words, folder=tmp_path)
    assert code == 130, err
    assert "--- seed 1, 2 of 3 ---" in out
    assert "--- seed 2, 3 of 3 ---" not in out
    assert "and saved: the same command goes on from there" in err
    code, out, err = jaxseq(*words, folder=tmp_path)
    assert code == 0, err
    assert_same_arrays(tmp_path / "three" / "seed_0", films / "runs" / "films")
    table = out[out.index("\n3 seeds, the last split there is of train, validation and test:\n") :].splitlines()[2:]
    assert table[0].split() == ["mean", "deviation", "least", "most"]
    found = [
        json.loads(jaxseq("evaluate", f"three/seed_{n}", "--split", "test", "--json", folder=tmp_path).out)["texts"]
        for n in range(3)
    ]
    losses = [each["loss"] for each in found]
    shown = next(line for line in table if line.startswith("every text once, loss ")).split()[-4:]
    values = (statistics.mean(losses), statistics.stdev(losses), min(losses), max(losses))
    assert shown == [f"{value:.4f}" for value in values]

    code, out, err = jaxseq("compare", "three/seed_0", "three/seed_1", folder=tmp_path)
    assert (code, err) == (0, "")
    assert "validation loss (lower is better)" in out
    assert "validation accuracy (higher is better)" in out
    assert "mean of the best, standard deviation" in out
    assert "  train.seed: 0 (1), 1 (2)\n" in out


@pytest.fixture(scope="module")
def odd(films, tmp_path_factory) -> Path:
    """The folder of the run, with much that cannot be used."""
    folder = tmp_path_factory.mktemp("odd") / "films"
    shutil.copytree(films, folder)
    (folder / "empty.csv").touch()
    (folder / "head.csv").write_text("text,label\n")
    (folder / "nothing.txt").touch()
    write_csv(folder / "one.csv", reviews("pos", count=9))
    write_csv(folder / "three.csv", reviews("so so", count=3))
    (folder / "latin.csv").write_bytes("text,label\nfine,pos\ncafé,neg\n".encode("latin-1"))
    (folder / "latin.txt").write_bytes("fine\ncafé\n".encode("latin-1"))
    (folder / "narrow.txt").write_text("great 1 2 3\nsad 4 5 6\n")
    with tarfile.open(folder / "trap.tar", "w") as archive:
        member = tarfile.TarInfo("../pos/1.txt")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"fine"))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for label in ("neg", "pos"):
            archive.writestr(f"{label}/1.txt", bytes(3_000_000))
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data.source empty.csv", "empty.csv begins with no line that names its columns: add one"),
        ("--data.source head.csv", "head.csv holds no labelled text: give a table"),
        ("--data.source one.csv", "all 9 examples to train on have the label 'pos': give --data.source a source with"),
        ("--data.test-source three.csv", "example 1 of the test part of three.csv, 'the film was "),
        ("--data.label-column class", "films.csv has no column 'class', its columns are text, label: name one by"),
        ("--data.source latin.csv", "latin.csv, line 3 is not valid utf-8 (byte 0xe9"),
        ("--data.source trap.tar", "trap.tar/../pos/1.txt would lie outside the folder it is unpacked to"),
        ("--data.source bomb.zip", "bomb.zip unpacks to more than 200 times its size"),
        ("--data.source *m*", "*m* stands for 3 files and folders, bomb.zip and empty.csv among them: name the one"),
        ("--data.source none*", "no file matches none*"),
        ("--task.vectors narrow.txt", "narrow.txt has vectors of 3 numbers, the model's embedding is 8 wide: give "),
        ("--task.vectors nowhere.txt", "nowhere.txt cannot be read (No such file or directory)"),
        ("--task.positive great", "task.positive is 'great': choose one of two classes, these are neg, pos"),
        ("--data.source python-manual", "python-manual has no labels"),
        ("--model.kind transformer", "model.kind is 'transformer': a classifier is one of"),
        ("--data.batch-size 1000", "a batch of 1000 examples is more than the 72 there are"),
        ("--data.source films.csv --data.validation 0 --train.patience 2", "train.patience is 2: without a validation"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line_and_nothing_is_written(odd, words, told, monkeypatch):
    monkeypatch.setattr(archives, "_BOMB_SIZE", 1_000_000)
    given = ["train", *FILMS, "--name", "new", *words.split()]
    assert told in refused(*given, folder=odd)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("predict runs/films --file latin.txt", "latin.txt, line 2 is not valid utf-8 (byte 0xe9"),
        ("predict runs/films --file nowhere.txt", "nowhere.txt cannot be read (No such file or directory)"),
        ("predict runs/films --file films.csv --text-column body", "films.csv has no column 'body', its columns are"),
        ("predict runs/films", "neither a text nor --file is given"),
        ("predict runs/films great --file films.csv", "both texts and --file are given"),
        ("predict runs/nowhere great", "runs/nowhere holds no trained model"),
        ("sample runs/films", "the model in runs/films generates no text: use `jaxseq predict`"),
        ("evaluate runs/films --source three.csv --split train", "example 1 of the train part of three.csv, 'the film"),
        ("evaluate runs/films --source latin.csv", "latin.csv, line 3 is not valid utf-8"),
    ],
)
def test_what_cannot_be_said_of_texts_is_one_line(odd, words, told):
    assert told in refused(*words.split(), folder=odd)


def test_a_language_model_names_the_command_that_fits(trained):
    folder = trained[0]
    before = snapshot(folder)
    told = refused("predict", "runs/tiny", "a text", folder=folder)
    assert told == "error: the model in runs/tiny predicts nothing of a text: use `jaxseq sample`\n"
    assert snapshot(folder) == before


def test_the_example_of_the_page_says_what_the_command_says(films, monkeypatch, capsys):
    page = read_page("classification.md").replace("runs/imdb_gru", "runs/films")
    (example,) = blocks(page)
    monkeypatch.chdir(films)
    exec(compile(example, "classification.md", "exec"), {})
    (said,) = predicted(films, "I can't wait for the weekend")
    assert capsys.readouterr().out == f"{said['label']} {said['probabilities']} {said['unknown']}\n"
