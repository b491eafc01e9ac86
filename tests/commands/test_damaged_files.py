"""A run whose token file or metrics.csv was damaged or deleted: told as what it is, and never trained on."""

import shutil
import struct
import zlib

import numpy as np
import pytest
from command_line import TINY, arrays_of, assert_same_run, jaxseq, refused

MAPPED = ("train", "--name", "tiny", *TINY, "--data.memory-map")


def unfinished(folder):
    """The run in `folder` as it was at step 16, of 20."""
    run = folder / "runs" / "tiny"
    shutil.rmtree(run / "checkpoints" / "00000020")
    for name in ("curves.png", "samples.txt"):
        (run / name).unlink()
    assert arrays_of(run)[0] == 16
    return run


@pytest.fixture(scope="module")
def mapped(tmp_path_factory, trained):
    """A folder with a finished run that reads its ids from a file."""
    folder = tmp_path_factory.mktemp("mapped")
    shutil.copy(trained[0] / "text.txt", folder)
    assert jaxseq(*MAPPED, folder=folder).code == 0
    return folder


@pytest.fixture
def copied(mapped, tmp_path):
    """A copy of it for oneself, with the times of its text."""
    return shutil.copytree(mapped, tmp_path / "copy")


def outside(content):
    """The first id becomes 255, and the checksum what it then is."""
    changed = bytearray(content)
    changed[128] = 255
    changed[-12:-8] = struct.pack("<I", zlib.crc32(changed[128:-20]))
    return bytes(changed)


DAMAGES = {
    "a bit": lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
    "cut": lambda content: content[:2000],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "ids outside": outside,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_token_file_is_told_as_damage_by_every_command(copied, damage):
    run = unfinished(copied)
    file = run / "tokens.npy"
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    for words in (MAPPED, ("evaluate", "runs/tiny")):
        told = refused(*words, folder=copied)
        assert "tokens.npy is damaged (" in told
        assert "delete it" in told
        assert "--fresh" in told
        assert "has changed since" not in told


def test_a_damaged_token_file_that_was_deleted_is_written_again_and_the_run_goes_on_exactly(copied, mapped):
    run = unfinished(copied)
    (run / "tokens.npy").unlink()
    assert jaxseq("evaluate", "runs/tiny", folder=copied).code == 0
    code, _, err = jaxseq(*MAPPED, folder=copied)
    assert code == 0, err
    assert_same_run(run, mapped / "runs" / "tiny")
    np.testing.assert_array_equal(np.load(run / "tokens.npy"), np.load(mapped / "runs" / "tiny" / "tokens.npy"))


def test_a_fresh_start_never_trains_on_the_token_file_that_is_there(copied, mapped):
    file = copied / "runs" / "tiny" / "tokens.npy"
    whole, ids = file.read_bytes(), np.load(file)
    for content in (outside(whole), DAMAGES["a bit"](whole)):
        file.write_bytes(content)
        code, _, err = jaxseq(*MAPPED, "--fresh", folder=copied)
        assert code == 0, err
        np.testing.assert_array_equal(np.load(file), ids)
    assert_same_run(copied / "runs" / "tiny", mapped / "runs" / "tiny")


def test_a_damaged_token_file_in_a_run_that_never_began_is_told_too(copied):
    shutil.rmtree(copied / "runs" / "tiny" / "checkpoints")
    (copied / "runs" / "tiny" / "tokens.npy").write_bytes(b"\x93NUMPY\x01\0 and no more")
    assert "tokens.npy is damaged (its end is missing" in refused(*MAPPED, folder=copied)


HOWS = {
    "deleted": lambda content: None,
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) * 2 // 3],
    "a letter": lambda content: content.replace(b",3.", b",3x", 1),
    "no header": lambda content: content.partition(b"\n")[2],
    "junk": lambda content: bytes(range(256)) * 40,
}


@pytest.fixture
def plain(trained, tmp_path):
    """A copy for oneself of the finished run runs/tiny, and its metrics.csv."""
    folder = shutil.copytree(trained[0], tmp_path / "copy")
    return folder, folder / "runs" / "tiny" / "metrics.csv"


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
def test_metrics_that_were_damaged_are_restored_and_the_run_ends_as_if_nothing_had_been(plain, trained, how, finished):
    folder, metrics = plain
    whole, run = metrics.read_bytes(), metrics.parent
    left = how(whole)
    assert left != whole
    metrics.unlink() if left is None else metrics.write_bytes(left)
    if not finished:
        unfinished(folder)
    code, out, err = jaxseq("train", "--name", "tiny", *TINY, folder=folder)
    assert code == 0, err
    step = 20 if finished else 16
    told = [line for line in err.splitlines() if "metrics.csv" in line]
    aside = run / "metrics.csv.aside"
    is_nobodys = left is not None and not left.startswith(b"step") and left != b""  # it might be somebody else's
    if is_nobodys:
        assert (
            told.pop(0)
            == f"{run.relative_to(folder)}/metrics.csv is none that jaxseq wrote, or damaged: it is {aside.name} now"
        )
        assert aside.read_bytes() == left
    what = "is missing" if left is None or is_nobodys else "lacks rows or is damaged"
    assert told == [f"runs/tiny/metrics.csv {what}: restored from the checkpoint of step {step}"]
    assert "validation: " in out
    assert_same_run(run, trained[0] / "runs" / "tiny")
    assert (run / "curves.png").read_bytes() == (trained[0] / "runs" / "tiny" / "curves.png").read_bytes()


def test_a_directory_in_the_place_of_metrics_is_told_and_nothing_is_lost(plain, trained):
    folder, metrics = plain
    metrics.unlink()
    metrics.mkdir()
    (metrics / "notes").write_text("mine")
    code, _, err = jaxseq("train", "--name", "tiny", *TINY, folder=folder)
    assert code == 0
    assert "runs/tiny/metrics.csv is none that jaxseq wrote, or damaged: it is metrics.csv.aside now" in err
    assert (metrics.parent / "metrics.csv.aside" / "notes").read_text() == "mine"
    assert_same_run(metrics.parent, trained[0] / "runs" / "tiny")


def test_a_damaged_metrics_file_disturbs_neither_samples_nor_an_evaluation(plain):
    folder, metrics = plain
    metrics.write_bytes(b"\xff\0" * 999)
    for words in (("sample", "runs/tiny", "--length", "5"), ("evaluate", "runs/tiny")):
        code, _, err = jaxseq(*words, folder=folder)
        assert (code, err) == (0, "")


def test_a_run_under_a_name_that_no_font_can_draw_is_drawn_without_a_warning(folder):
    name = "한국어 $x_{$"
    code, _, err = jaxseq("train", "--name", name, *TINY, "--train.steps", "2", folder=folder)
    assert code == 0
    assert "Warning" not in err
    assert "Glyph" not in err
    assert (folder / "runs" / name / "curves.png").exists()
