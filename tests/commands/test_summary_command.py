"""`jaxseq summary` as a person types it."""

import re
import shutil
from pathlib import Path

import pytest
from command_line import TINY, jaxseq, prose, refused, snapshot
from pages import blocks, read_page

from jaxseq.reporting.summary import count_parameters
from jaxseq.runs import load_run

ROOT = Path(__file__).parents[2]
SMALL = TINY[: TINY.index("--train.steps")]


def told(*words, folder):
    """What it prints, with the rows of the table apart: name, and counts of parameters and of multiply-adds."""
    before = snapshot(folder)
    code, out, err = jaxseq("summary", *words, folder=folder)
    assert (code, err) == (0, "")
    assert snapshot(folder) == before  # nothing is written
    head, _, table = out.partition("\n\n")
    rows = [re.split(r"\s{2,}", line) for line in table.splitlines()[2:] if not line.startswith("-")]
    return head, {name: tuple(int(count.replace(",", "")) for count in rest[-2:]) for name, *rest in rows}


def test_the_layers_of_an_experiment_are_told_without_training_it(folder):
    head, rows = told(*SMALL, folder=folder)
    v = len(set(prose()))
    assert head.splitlines()[0] == f"quickstart: 4,000 tokens, vocabulary {v}, 56 batches of 4 x 16 an epoch"
    assert "multiply-adds for one of its rows" in head
    lstm, linear = (4 * 16 * (v + 16 + 1), 16 * 4 * 16 * 16), (17 * v, 16 * 16 * v)
    assert rows == {"layer_0": lstm, "head": linear, "total": tuple(map(sum, zip(lstm, linear, strict=True)))}


def test_options_are_those_of_training(folder):
    _, rows = told(*SMALL, "--model.kind", "transformer", "--model.layers", "1", "--model.heads", "2", folder=folder)
    assert rows["block_0/attention"] == (0, 2 * 16 * 16 * 16)
    assert rows["block_0/feed_forward/input"] == (16 * 64, 16 * 16 * 64)
    help_of = {name: jaxseq(name, "--help", folder=folder).out for name in ("train", "summary")}
    assert help_of["summary"].startswith("usage: jaxseq summary [configs/NAME.py | RUN]")
    options = {name: set(re.findall(r"--[\w.-]+", text)) for name, text in help_of.items()}
    assert options["train"] - options["summary"] == {"--run-dir", "--fresh", "--no-fresh", "--seeds"}
    assert options["summary"] <= options["train"]


def test_the_total_of_the_table_is_what_a_training_has(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    _, rows = told("runs/tiny", folder=copy)
    assert rows["total"][0] == count_parameters(load_run(copy / "runs" / "tiny").params)
    assert told("runs/tiny/config.json", folder=copy)[1] == rows
    wider = told("runs/tiny", "--model.features", "32", folder=copy)[1]
    assert wider == told("--data.source", "text.txt", *TINY[2:6], "--model.features", "32", folder=copy)[1] != rows


def test_a_run_is_told_by_its_own_vocabulary(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    before = told("runs/tiny", folder=copy)[1]
    (copy / "text.txt").write_text("".join(sorted(set(prose()))[:-1]) * 100, encoding="utf-8")
    assert told("runs/tiny", folder=copy)[1] == before
    assert told("runs/tiny/config.json", folder=copy)[1] != before


def test_token_files_come_to_lie_in_scratch_space(folder):
    assert told(*SMALL, "--data.memory-map", folder=folder)[1] == told(*SMALL, folder=folder)[1]


def test_a_model_of_counts_has_no_layers_and_no_table(folder):
    head, rows = told(*SMALL[:2], "--model.kind", "ngram", folder=folder)
    assert head.splitlines() == [
        f"quickstart: 4,000 tokens, vocabulary {len(set(prose()))}",
        "its parameters are counts, as many as the data give: `jaxseq train` counts them",
    ]
    assert rows == {}


def test_a_task_of_somebody_else_is_told_too(tmp_path):
    (code,) = blocks(read_page("adding-a-task.md"))
    (tmp_path / "waves.py").write_text(code, encoding="utf-8")
    _, rows = told("waves.py", folder=tmp_path)
    assert rows["lstm"] == (4 * 32 * (1 + 32 + 1), 32 * 4 * 32 * (1 + 32))
    assert rows["head"] == (33, 32 * 32)


def test_a_task_that_knows_of_no_products_has_its_parameters(tmp_path):
    shutil.copy(ROOT / "tests" / "systems" / "line.py", tmp_path)
    (tmp_path / "points.csv").write_text("".join(f"{x},{2 * x}\n" for x in range(30)))
    assert told("line.py", folder=tmp_path)[1] == {"slope": (1, 0), "offset": (1, 0), "total": (2, 0)}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--data.source nowhere.txt", "nowhere.txt"),
        ("quickstart", "there is no configuration quickstart"),
        ("runs", "runs/config.json cannot be read"),
        ("text.json", "text.json cannot be read"),
        ("--model.features 0", "model.features is 0"),
        ("--model.heads 2", "--model.heads is none of rnn's"),
        ("--fresh", "Unrecognized options: --fresh"),
    ],
)
def test_what_cannot_be_told_is_one_line(folder, words, error):
    (folder / "runs").mkdir()
    assert error in refused("summary", *words.split(), folder=folder)
