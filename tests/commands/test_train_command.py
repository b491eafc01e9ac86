"""`jaxseq train` from the first line it prints to the run directory it leaves."""

import csv
import re
import shlex
import shutil

import pytest
from command_line import TINY, arrays_of, assert_same_run, jaxseq, prose, refused, snapshot

from jaxseq.commands import main
from jaxseq.storage.checkpoint import CheckpointStore

PNG = b"\x89PNG\r\n"


@pytest.fixture
def copied(trained, tmp_path):
    """A folder of one's own with the finished run runs/tiny."""
    shutil.copytree(trained[0], tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_directory_holds_all_that_is_promised(trained):
    run = trained[0] / "runs" / "tiny"
    assert {path.name for path in run.iterdir() if not path.name.startswith("events.")} == {
        "checkpoints",
        "config.json",
        "curves.png",
        "lock",
        "metrics.csv",
        "samples.txt",
    }
    assert len(list(run.glob("events.out.tfevents.*"))) == 1
    assert (run / "curves.png").read_bytes().startswith(PNG)
    assert CheckpointStore(run / "checkpoints").steps() == [8, 16, 20]
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = [(int(row["step"]), row["split"]) for row in csv.DictReader(file)]
    assert rows == [(5, "train"), (10, "train"), (15, "train"), (20, "train"), (20, "validation")]


def test_it_prints_the_layers_and_ends_with_bits_per_character_a_sample_and_how_to_make_more(trained):
    folder, (_, out, err) = trained
    assert re.search(r"^tiny: 4,000 tokens, vocabulary \d+, \d+ batches of 4 x 16 an epoch$", out, re.M)
    # 3,600 tokens of training are 56 batches of 64 and one target; the 200 of validation are read to the last.
    assert re.search(r"^left out of every epoch: the last 15 of 3,600 tokens \(fewer than a batch\)$", out, re.M)
    assert "left out of the validation" not in out
    assert re.search(r"^layer_0 +LSTM +\(4, 16, 16\) +[\d,]+$", out, re.M)
    assert re.search(r"^total +[\d,]+$", out, re.M)
    assert re.search(
        r"^validation: \d\.\d{4} bits per character, loss \d\.\d{4}, accuracy [\d.]+%; best loss", out, re.M
    )
    head, _, sample = (folder / "runs" / "tiny" / "samples.txt").read_text(encoding="utf-8").partition("\n\n")
    assert head == "step 20, temperature 0.7"
    assert len(sample) == 20 + 1
    assert f"\n{sample}" in out
    assert re.search(r"\neverything is in runs/tiny; sample more with:\n  jaxseq sample runs/tiny --prompt .+\n$", out)
    assert "step 10, epoch" in err


def test_the_command_that_it_names_works(trained):
    _, *words = shlex.split(trained[1].out.splitlines()[-1])
    prompt = words[-1]
    assert 0 < len(prompt) <= 24
    code, out, err = jaxseq(*words, "--greedy", "--length", "12", folder=trained[0])
    assert (code, err) == (0, "")
    assert out.startswith(prompt)
    assert len(out) == len(prompt) + 12 + 1


def test_a_prompt_is_named_as_it_must_be_typed(folder):
    (folder / "text.txt").write_text(prose() + "it's - x\n" * 10, encoding="utf-8")
    words = ("train", *TINY, "--train.steps", "1", "--name", "it")
    for prompt in ("- x", "it's"):
        line = jaxseq(*words, f"--task.prompt={prompt}", folder=folder).out.splitlines()[-1]
        code, out, err = jaxseq(*shlex.split(line)[1:], "--length", "3", folder=folder)
        assert (code, err) == (0, "")
        assert out.startswith(prompt)


def test_run_again_it_says_the_same_and_changes_nothing(copied, trained):
    before = arrays_of(copied / "runs" / "tiny")
    code, out, err = jaxseq("train", "--name", "tiny", *TINY, folder=copied)
    assert code == 0
    assert "going on from step 20" in err
    assert out == trained[1].out
    assert_same_run(copied / "runs" / "tiny", trained[0] / "runs" / "tiny")
    assert arrays_of(copied / "runs" / "tiny")[0] == before[0]


def test_run_again_after_it_was_killed_at_the_end_it_finishes_tidying(copied, trained):
    checkpoints = copied / "runs" / "tiny" / "checkpoints"
    shutil.copytree(checkpoints / "00000020", checkpoints / ".discard")
    shutil.rmtree(checkpoints / ".discard" / "arrays")
    assert jaxseq("train", "--name", "tiny", *TINY, folder=copied).code == 0
    assert sorted(path.name for path in checkpoints.iterdir()) == ["00000008", "00000016", "00000020"]
    assert_same_run(copied / "runs" / "tiny", trained[0] / "runs" / "tiny")


@pytest.mark.parametrize(
    ("program", "beside", "told"),
    [
        ("train.py", True, "python3 sample.py"),
        ("train.py", False, "jaxseq sample"),
        ("jaxseq train", True, "jaxseq sample"),
    ],
)
def test_the_command_to_go_on_with_is_typed_as_this_one_was(copied, monkeypatch, capsys, program, beside, told):
    monkeypatch.chdir(copied)
    if beside:
        (copied / "sample.py").touch()
    assert main.run("train", ["--name", "tiny", *TINY], program=program) == 0
    assert f"sample more with:\n  {told} runs/tiny" in capsys.readouterr().out


def test_another_configuration_is_refused_and_the_fields_that_differ_are_named(copied):
    words = ("--name", "tiny", *TINY, "--model.features", "17", "--train.steps", "21")
    assert refused("train", *words, folder=copied) == (
        "error: runs/tiny was made with another configuration (model.features: 16 -> 17; train.steps: 20 -> 21): go on "
        "with that one, choose another --name or --run-dir, or start anew with --fresh\n"
    )


def test_fresh_starts_anew_and_leaves_what_is_not_of_the_run(copied, trained):
    notes = copied / "runs" / "tiny" / "notes.md"
    notes.write_text("mine")
    code, out, _ = jaxseq("train", "--name", "tiny", *TINY, "--train.seed", "1", "--fresh", folder=copied)
    assert code == 0
    assert notes.read_text() == "mine"
    assert out != trained[1].out
    assert len(list((copied / "runs" / "tiny").glob("events.*"))) == 1


@pytest.mark.parametrize(
    "words",
    [
        "--data.source nowhere.txt",
        "--data.length 4000",
        "--task.prompt ~",
        "--optimizer.momentum 0.5",
        "--train.devices 5",
    ],
)
def test_fresh_with_bad_input_leaves_the_old_run_as_it_was(copied, words):
    refused("train", "--name", "tiny", *TINY, "--fresh", *words.split(), folder=copied)


@pytest.mark.parametrize("text", [prose(seed=1), prose() + "é", prose()[:-1]], ids=["other", "new symbol", "shorter"])
def test_changed_text_is_refused(copied, text):
    (copied / "text.txt").write_text(text, encoding="utf-8")
    told = refused("train", "--name", "tiny", *TINY, folder=copied)
    assert "text.txt has changed since runs/tiny was begun with it" in told


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_used(copied, trained):
    newest = copied / "runs" / "tiny" / "checkpoints" / "00000020"
    victim = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    code, _, err = jaxseq("sample", "runs/tiny", "--checkpoint", "newest", "--length", "3", folder=copied)
    assert code == 0
    assert re.search(r"^skipped a checkpoint: .*00000020 is damaged: the content of \S+ has changed$", err, re.M)
    code, _, err = jaxseq("train", "--name", "tiny", *TINY, folder=copied)
    assert code == 0
    assert re.search(r"^skipped a checkpoint: .*00000020 is damaged", err, re.M)
    assert "going on from step 16" in err
    assert_same_run(copied / "runs" / "tiny", trained[0] / "runs" / "tiny")


@pytest.mark.parametrize("how", ["missing", "damaged", "another"])
def test_what_a_checkpoint_says_of_a_run_counts_and_the_copy_beside_it_is_written_anew(copied, trained, how):
    file = copied / "runs" / "tiny" / "config.json"
    written = file.read_bytes()
    another = written.replace(b'"features": 16', b'"features": 17')
    assert another != written
    file.write_bytes(b"{}" if how == "damaged" else another)
    if how == "missing":
        file.unlink()
    code, out, err = jaxseq("train", "--name", "tiny", *TINY, folder=copied)
    assert (code, out) == (0, trained[1].out)
    assert "going on from step 20" in err
    assert ("config.json" in err) == (how == "damaged")  # somebody else's, and moved aside
    assert file.read_bytes() == written
    assert_same_run(copied / "runs" / "tiny", trained[0] / "runs" / "tiny")


def test_a_tokenizer_beside_the_checkpoints_is_none_of_a_run_s(copied, trained):
    """One truth: that of the checkpoint."""
    file = copied / "runs" / "tiny" / "tokenizer.json"
    file.write_bytes(b"mine")
    code, out, _ = jaxseq("train", "--name", "tiny", *TINY, folder=copied)
    assert (code, out) == (0, trained[1].out)
    assert file.read_bytes() == b"mine"


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(folder, trained):
    run = folder / "runs" / "tiny"
    (run / "checkpoints" / ".building").mkdir(parents=True)
    shutil.copy(trained[0] / "runs" / "tiny" / "config.json", run)
    for name in (".tokenizer.json.tmp", "tokens.npy.partial", "lock"):
        (run / name).write_text("half a")
    assert jaxseq("train", "--name", "tiny", *TINY, folder=folder).code == 0
    assert_same_run(run, trained[0] / "runs" / "tiny")


@pytest.mark.parametrize("strange", ["thesis.tex", "checkpoints.zip"])
def test_a_directory_of_something_else_is_left_alone_even_with_fresh(folder, strange):
    (folder / "work").mkdir()
    (folder / "work" / strange).write_text("years")
    told = refused("train", *TINY, "--run-dir", "work", "--fresh", folder=folder)
    assert f"work holds no run, but {strange}" in told


def test_a_config_json_of_something_else_is_not_overwritten(folder):
    (folder / "work").mkdir()
    (folder / "work" / "config.json").write_text('{"architectures": []}')
    assert "work/config.json: this is no jaxseq configuration" in refused(
        "train", *TINY, "--run-dir", "work", "--fresh", folder=folder
    )


def test_a_failure_leaves_a_directory_that_was_there_as_it_was(folder):
    (folder / "work").mkdir()
    before = snapshot(folder)
    refused("train", *TINY, "--run-dir", "work", "--train.devices", "5", folder=folder)
    assert snapshot(folder) == before
