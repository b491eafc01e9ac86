"""Runs of masked language models by the commands: trained, gone on with exactly, asked, measured, and refused."""

import csv
import io
import json

import pytest
from command_line import jaxseq, refused
from pulled_plug import assert_goes_on_exactly
from small_documents import write_documents

from jaxseq.data.masked_batches import MaskedLoader

SMALL = [
    *("--task.kind", "masked_language_modeling", "--data.kind", "documents", "--data.source", "text.txt"),
    *("--data.form", "lines", "--data.tokenizer", "word", "--data.length", "10", "--data.batch-size", "8"),
    *("--data.split", "0.8", "0.2", "0", "--model.kind", "encoder", "--model.features", "8", "--model.layers", "1"),
    *("--model.heads", "2", "--model.segments", "2", "--model.dropout", "0.1", "--task.pairs", "--task.examples", "2"),
    *("--train.steps", "20", "--train.log-every", "5", "--optimizer.warmup-steps", "0", "--train.devices", "2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run runs/whole."""
    folder = tmp_path_factory.mktemp("documents")
    write_documents(folder / "text.txt", 60)
    code, out, err = jaxseq("train", *SMALL, "--name", "whole", folder=folder)
    assert code == 0, err
    assert "whole: 48 train documents of " in out
    assert "to train on: " in out
    assert " batches of 8 x 10 (1 hidden at the most) an epoch" in out
    assert "Tied output" in out
    assert "hidden tokens of the validation split, by the parameters of step 20\n" in out
    assert out.count("that the second text follows has a probability of") == 2
    assert out.endswith("fill more with:\n  jaxseq predict runs/whole 'a text with a [MASK] in it'\n")
    assert (folder / "runs/whole/masks.txt").read_text() in out
    return folder


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(folder):
    assert_goes_on_exactly(SMALL, loader=MaskedLoader, whole="whole", folder=folder)
    assert (folder / "runs/parts/masks.txt").read_bytes() == (folder / "runs/whole/masks.txt").read_bytes()


def test_it_is_measured_with_its_pairs(folder):
    code, out, err = jaxseq("evaluate", "runs/whole", "--json", folder=folder)
    assert (code, err) == (0, "")
    measured = json.loads(out)["examples"]
    assert set(measured) == {"loss", "masked_loss", "accuracy", "pair_loss", "pair_accuracy", "tokens"}
    with (folder / "runs/whole/metrics.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["split"] == "validation"][-1]
    for name in ("loss", "masked_loss", "pair_accuracy"):
        assert float(last[name]) == pytest.approx(measured[name], rel=1e-5)
    code, out, err = jaxseq("evaluate", "runs/whole", "--rows", "3", folder=folder)
    assert (code, err) == (0, "")
    assert out.split()[:8] == ["loss", "masked", "loss", "accuracy", "pair", "loss", "pair", "accuracy"]


def asked(folder, *words, form):
    code, out, err = jaxseq("predict", "runs/whole", *words, "--format", form, folder=folder)
    assert (code, err) == (0, "")
    return out


def test_every_form_of_output_says_the_same_of_every_mask(folder):
    texts = ("Dog [MASK] farm. [MASK] moos \x1b.", "Dog barks farm.", f"[MASK] {'Dog ' * 20}[MASK]")
    records = list(map(json.loads, asked(folder, *texts, form="jsonl").splitlines()))
    assert [len(record["masks"]) for record in records] == [2, 0, 0]
    assert "note" not in records[0]
    assert records[1]["note"] == "there is no [MASK] in it"
    assert records[2]["note"] == "its [MASK] are 22 tokens apart and the model reads 8: ask for fewer at a time"
    assert records[0]["unknown"] == ["\x1b."]
    rows = list(csv.DictReader(io.StringIO(asked(folder, *texts, form="csv"))))
    for number, record in enumerate(records, 1):
        mine = [row for row in rows if row["text"] == str(number)]
        for at, mask in enumerate(record["masks"], 1):
            cells = [row for row in mine if row["mask"] == str(at)]
            assert [row["token"] for row in cells] == [each["token"] for each in mask]
            assert [float(row["probability"]) for row in cells] == [each["probability"] for each in mask]
            assert [row["rank"] for row in cells] == [str(rank) for rank in range(1, 11)]
        assert len(mine) == max(1, 10 * len(record["masks"]))
        assert {row["note"] for row in mine} == {record.get("note", "")}
    lines = asked(folder, *texts, form="text").splitlines()
    assert len(lines) == 3 + 2 + 2
    assert lines[0] == r"Dog [MASK] farm. [MASK] moos \x1b.  unknown: \x1b."
    best = [f"{each['token']} {each['probability']:.4f}" for each in records[0]["masks"][1][:5]]
    assert lines[2] == f"  {', '.join(best)}"
    assert lines[4] == "  there is no [MASK] in it"
    (folder / "asked.txt").write_text("\n".join(texts[1:]) + "\n")
    again = asked(folder, "--file", "asked.txt", form="jsonl").splitlines()
    assert list(map(json.loads, again)) == records[1:]


def test_what_it_cannot_do_and_what_does_not_fit_is_told_in_a_line(folder):
    assert "use `jaxseq predict`" in refused("sample", "runs/whole", folder=folder)
    told = {
        ("--data.length", "4"): "data.length is 4: [CLS] A [SEP] B [SEP] takes 5 tokens or more",
        ("--model.positions", "learned", "--model.context", "9"): "model.context is 9 and data.length 10:",
        ("--model.segments", "0"): "model.segments is 0: with task.pairs two texts are told apart, give 2",
        ("--data.form", "texts"): "text.txt has 1 document, which leaves none for the train split",
        ("--data.split", "1", "0", "0", "--data.form", "texts"): "cannot be used: the corpus has 1 document,",
        ("--data.batch-size", "999"): "a batch of 999 texts is more than the",
        ("--task.share", "0"): "task.share is 0.0: give a number from 0.001 to 1",
    }
    for words, message in told.items():
        assert message in refused("train", *SMALL, *words, "--name", "other", folder=folder)
    assert "data.kind is 'corpus'" in refused("train", "--task.kind", "masked_language_modeling", folder=folder)
