"""metrics.csv: its rows, what damages it, and how it is mended."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.storage.metrics_file import MetricsFile, read_metrics


def row(step, split="train", **values):
    return {"step": step, "epoch": step / 10, "split": split, **values}


@pytest.fixture
def written(tmp_path):
    file = MetricsFile(tmp_path / "metrics.csv", ["loss", "accuracy"])
    file.cut(-1)
    for step in (5, 10, 15):
        file.append(row(step, loss=1 / step, learning_rate=0.1, skipped=0, unknown=3.0))
        file.append(row(step, "validation", loss=2 / step))
    return file, tmp_path / "metrics.csv"


def test_rows_have_the_columns_they_should(written):
    _, path = written
    assert path.read_text().splitlines()[:3] == [
        "step,epoch,split,loss,accuracy,learning_rate,gradient_norm,skipped",
        "5,0.5,train,0.2,,0.1,,0",
        "5,0.5,validation,0.4,,,,",
    ]


def test_cutting_leaves_the_bytes_of_the_rows_before(written):
    file, path = written
    whole = path.read_bytes()
    file.cut(15)
    assert path.read_bytes() == whole
    file.cut(12)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:5])
    file.cut(-1)
    assert path.read_bytes() == whole.splitlines(keepends=True)[0]


@settings(deadline=None, max_examples=60)
@given(end=st.integers(0, 300))
def test_a_file_that_ends_anywhere_is_cut_to_whole_rows(tmp_path_factory, end):
    path = tmp_path_factory.mktemp("cut") / "metrics.csv"
    file = MetricsFile(path, ["loss"])
    file.cut(-1)
    for step in (5, 10, 15):
        file.append(row(step, loss=1 / step))
    whole = path.read_bytes()
    path.write_bytes(whole[:end])
    file.cut(100)
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines == whole.splitlines(keepends=True)[: max(1, whole[:end].count(b"\n"))]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*metrics\.csv"):
        MetricsFile(tmp_path / "metrics.csv", ["loss"]).append(row(1, loss=1.0))


def test_reading_gives_the_rows_as_text(written):
    _, path = written
    rows = read_metrics(path)
    assert len(rows) == 6
    assert rows[3]["split"] == "validation"
    assert float(rows[3]["loss"]) == 0.2


def damaged(content, how):
    """What is left of the bytes of a metrics.csv; None for nothing."""
    return {
        "deleted": None,
        "empty": b"",
        "cut": content[: len(content) // 2],
        "a letter": content.replace(b"0.2", b"0.x", 1),
        "a digit": content.replace(b"0.2", b"0.3", 1),
        "no header": content.partition(b"\n")[2],
        "junk": bytes(range(256)) * 99,
    }[how]


HOWS = ["deleted", "empty", "cut", "a letter", "a digit", "no header", "junk"]


@pytest.mark.parametrize("how", HOWS)
def test_a_record_restores_the_file_to_the_byte_and_says_so_once(written, how):
    file, path = written
    whole, left = path.read_bytes(), damaged(path.read_bytes(), how)
    path.unlink() if left is None else path.write_bytes(left)
    said = []
    other = MetricsFile(path, ["loss", "accuracy"], say=said.append)
    other.restore(file.content, 15)
    assert path.read_bytes() == whole
    what = "is missing" if left is None else "lacks rows or is damaged"
    assert said == [f"{path} {what}: restored from the checkpoint of step 15"]
    other.append(row(20, loss=0.5))
    assert path.read_bytes().startswith(whole)
    assert other.content.encode() == path.read_bytes()


def test_what_a_killed_process_wrote_after_its_checkpoint_is_removed_without_a_word(written):
    file, path = written
    record, said = file.content, []
    file.append(row(20, loss=0.1))
    for more in (b"", b"25,2.5,tr"):
        path.write_bytes(path.read_bytes() + more)
        MetricsFile(path, ["loss", "accuracy"], say=said.append).restore(record, 15)
        assert path.read_text() == record
    assert said == []


def test_a_link_or_a_pipe_in_the_place_of_the_file_is_replaced_and_not_followed(written, tmp_path):
    file, path = written
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(file.content)
    for make in (lambda: path.symlink_to(elsewhere), lambda: os.mkfifo(path)):
        path.unlink()
        make()
        MetricsFile(path, ["loss", "accuracy"]).restore(file.content, 15)
        assert path.is_file()
        assert not path.is_symlink()
    assert elsewhere.read_text() == file.content == path.read_text()


def test_a_record_of_other_columns_is_taken_over(written, tmp_path):
    file, _ = written
    path = tmp_path / "other.csv"
    other = MetricsFile(path, ["accuracy", "loss", "more"])
    other.restore(file.content, 15)
    assert path.read_text() == other.content
    assert [(row["step"], row["loss"], row["more"]) for row in read_metrics(path)][:2] == [
        ("5", "0.2", ""),
        ("5", "0.4", ""),
    ]


@pytest.mark.parametrize("how", ["deleted", "empty", "cut", "junk"])
def test_a_file_that_goes_away_while_training_is_written_again(tmp_path, how):
    said = []
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path, ["loss"], say=said.append)
    file.cut(-1)
    for i, mend in enumerate([lambda: file.append(row(5, loss=0.2)), file.sync, lambda: file.append(row(9, loss=2.0))]):
        left = damaged(path.read_bytes(), how)
        path.unlink() if left is None else path.write_bytes(left)
        mend()
        assert path.read_text() == file.content
        assert len(said) == i + 1
    assert [row["step"] for row in read_metrics(path)] == ["5", "9"]


@pytest.mark.parametrize(
    ("line", "sound"),
    [
        ("1,1,train,0.5", True),
        ("1,1,train,", True),
        ("1,0.25,validation,1e-05", True),
        ("1,1,train,inf", True),
        ("1,1,train,nan", True),
        ("1,1,train,0.5\r", True),
        ("1,1,train,0,5", False),
        ("1,1,train", False),
        ("1,1,train,0x5", False),
        ("1,1,train,1_0", False),
        ("1,1,train,infinity", False),
        ("1,1,train,\u0665", False),
        ("\u00b2,1,train,1", False),
        ("1,1,trxin,1", False),
        ("-1,1,train,1", False),
        ("1.5,1,train,1", False),
        ("99999999999,1,train,1", False),
        (",1,train,1", False),
        ('"1",1,train,1', False),
        ("", False),
        ("\0", False),
        ("1,1,train," + "9" * 200_000 + "x", False),
    ],
)
def test_only_sound_rows_are_read_and_the_others_are_counted_in_one_line(tmp_path, line, sound):
    path, told = tmp_path / "metrics.csv", []
    path.write_bytes(f"step,epoch,split,loss\n1,1,train,0.1\n{line}\n3,1,train,0.3\n".encode())
    rows = read_metrics(path, tell=told.append)
    assert [row["loss"] for row in rows][:: len(rows) - 1] == ["0.1", "0.3"]
    assert len(rows) == 2 + sound
    assert told == ([] if sound else [f"{path} is damaged: 1 of its 3 rows are left out"])


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"1,1,train,0.5\n", b"\xff\0" * 50, b"step,epoch,split,step\n1,1,train,1\n"]
)
def test_a_file_without_its_header_has_no_rows(tmp_path, content):
    path, told = tmp_path / "metrics.csv", []
    path.write_bytes(content)
    assert read_metrics(path, tell=told.append) == []
    assert told == [f"{path} is damaged: it has no header, and is left out"]


def test_what_is_no_file_has_no_rows(tmp_path):
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("directory", "pipe", "nothing"):
        told = []
        assert read_metrics(tmp_path / name, tell=told.append) == []
        assert told == [f"{tmp_path / name} is missing or no file that can be read: it is left out"]
