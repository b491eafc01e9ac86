"""`jaxseq compare`, on runs that were trained here and on what other runs have left behind."""

import dataclasses
import json
import math
import os
import statistics

import numpy as np
import pytest
from command_line import jaxseq, refused, snapshot
from matplotlib.image import imread

from jaxseq.config import ExperimentConfig, RNNConfig, TrainConfig, TransformerConfig, to_json
from jaxseq.reporting.comparison import is_comparison
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.metrics_file import MetricsFile, read_metrics

TOKENS = ("loss", "perplexity", "bits_per_token", "accuracy")
TEXTS = ("loss", "accuracy")


def left_behind(
    run_dir, losses, *, columns=TOKENS, tokenizer="{}", more=None, training=True, checkpoint=True, **sections
):
    """What a run leaves that has measured `losses` on the validation split."""
    run_dir.mkdir(parents=True)
    files = {"config.json": to_json(dataclasses.replace(ExperimentConfig(), **sections)), "tokenizer.json": tokenizer}
    files |= more or {}
    (run_dir / "config.json").write_text(files["config.json"], encoding="utf-8")
    if checkpoint:
        CheckpointStore(run_dir / "checkpoints").save(1, {"x": np.zeros(1)}, {}, files=files)
    file = MetricsFile(run_dir / "metrics.csv", columns)
    file.cut(-1)
    for number, loss in enumerate(losses, 1):
        row = {"step": 100 * number, "epoch": float(number), "skipped": 0, "learning_rate": 1e-3}
        values = {
            "loss": loss,
            "perplexity": math.exp(loss),
            "bits_per_token": loss / math.log(2),
            "accuracy": 1 / loss,
        }
        if training:
            file.append({**row, "split": "train", **values, "loss": loss - 0.1})
        file.append({**row, "split": "validation", **values})
    return run_dir


def compared(*words, folder):
    code, out, err = jaxseq("compare", *words, "--json", folder=folder)
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def blocks(out):
    """The lines of the table by metric, each split into its parts; the last block says what differs."""
    parts = [block.splitlines() for block in out.split("\n\n")]
    return {
        lines[0]: [line.split() for line in lines[2:]] for lines in parts if lines[0].startswith(("valid", "train"))
    }


def test_a_trained_run_shows_what_its_metrics_file_says(trained):
    folder = trained[0]
    before = snapshot(folder)
    rows = [row for row in read_metrics(folder / "runs/tiny/metrics.csv") if row["split"] == "validation"]
    losses = [float(row["loss"]) for row in rows]
    found = compared("runs/tiny", folder=folder)
    assert found["split"] == "validation"
    assert list(found["runs"][0]["metrics"]) == list(TOKENS)
    assert found["runs"][0]["metrics"]["loss"] == {
        "last": {"value": losses[-1], "step": int(rows[-1]["step"])},
        "best": {"value": min(losses), "step": int(rows[losses.index(min(losses))]["step"])},
    }
    accuracies = [float(row["accuracy"]) for row in rows]
    assert found["runs"][0]["metrics"]["accuracy"]["best"]["value"] == max(accuracies)
    assert (found["differences"], found["remark"]) == ({}, None)
    code, out, err = jaxseq("compare", "runs/tiny", folder=folder)
    assert (code, err) == (0, "")
    assert blocks(out)["validation loss (lower is better)"][0][0] == f"{min(losses):.4f}"
    assert "*" not in out  # there is nobody to be better than
    assert out.endswith("the configurations are the same\n")
    assert snapshot(folder) == before


def test_the_best_of_all_has_a_star_and_what_differs_is_told(tmp_path):
    left_behind(tmp_path / "a", [3.0, 2.0, 2.5])
    left_behind(tmp_path / "b", [3.0, 1.5], model=RNNConfig(features=64))
    left_behind(tmp_path / "c", [1.5, 4.0], model=TransformerConfig())
    code, out, err = jaxseq("compare", "a", "b", "c", folder=tmp_path)
    assert (code, err) == (0, "")
    table = blocks(out)
    assert table["validation loss (lower is better)"] == [
        ["2.0000", "200", "2.5000", "300", "1", "a"],
        ["1.5000*", "200", "1.5000", "200", "2", "b"],
        ["1.5000*", "100", "4.0000", "200", "3", "c"],
    ]
    assert table["validation accuracy (higher is better)"][0][:2] == ["0.5000", "200"]
    assert "  model.kind: 'rnn' (1, 2), 'transformer' (3)\n" in out
    assert "  model.features: 320 (1), 64 (2), 128 (3)\n" in out
    assert "  model.cell: 'lstm' (1, 2), 'absent' (3)\n" in out
    found = compared("a", "b", "c", folder=tmp_path)
    assert found["differences"]["model.features"] == [320, 64, 128]
    assert found["differences"]["model.heads"] == ["absent", "absent", 4]


def test_runs_of_different_tasks_show_what_each_has_and_have_no_best(tmp_path):
    left_behind(tmp_path / "texts", [0.7, 0.6], columns=TEXTS)
    left_behind(tmp_path / "tokens", [1.7, 1.6])
    out = jaxseq("compare", "texts", "tokens", folder=tmp_path).out
    table = blocks(out)
    assert table["validation perplexity (lower is better)"][0] == ["-", "-", "-", "-", "1", "texts"]
    assert table["validation loss (lower is better)"][0][0] == "0.6000"
    assert "*" not in out
    assert out.splitlines()[-1].startswith("the runs do not measure the same")
    assert compared("texts", "tokens", folder=tmp_path)["runs"][0]["metrics"]["perplexity"] == {
        "last": None,
        "best": None,
    }


def test_figures_per_token_of_two_vocabularies_are_not_held_against_each_other(tmp_path):
    left_behind(tmp_path / "a", [2.0])
    left_behind(tmp_path / "b", [1.0], tokenizer='{"other": 1}')
    out = jaxseq("compare", "a", "b", folder=tmp_path).out
    assert "*" not in out
    assert "different vocabularies" in out.splitlines()[-1]
    # Whatever a task calls what its tokens hang on; the record that a checkpoint holds is none of it.
    left_behind(tmp_path / "merges", [1.0], more={"merges.txt": "a b"})
    assert "different vocabularies" in jaxseq("compare", "a", "merges", folder=tmp_path).out.splitlines()[-1]
    left_behind(tmp_path / "same", [1.0], more={"metrics.csv": "step,epoch"})
    assert "different vocabularies" not in jaxseq("compare", "a", "same", folder=tmp_path).out
    left_behind(tmp_path / "c", [0.5], columns=TEXTS)
    left_behind(tmp_path / "d", [0.4], columns=TEXTS, tokenizer='{"other": 1}')
    assert "0.4000*" in jaxseq("compare", "c", "d", folder=tmp_path).out  # a loss per text is one of any vocabulary


def test_a_metric_that_nobody_knows_is_shown_without_a_best(tmp_path):
    left_behind(tmp_path / "a", [2.0, 3.0], columns=("loss", "bleu"))
    lines = (tmp_path / "a/metrics.csv").read_text().splitlines()
    lines[-1] = lines[-1].replace("validation,3,", "validation,3,27.5")
    (tmp_path / "a/metrics.csv").write_text("\n".join(lines) + "\n")
    assert blocks(jaxseq("compare", "a", folder=tmp_path).out)["validation bleu"] == [
        ["-", "-", "27.5000", "200", "1", "a"]
    ]


def test_runs_that_differ_in_their_seed_alone_have_a_mean_and_a_deviation(tmp_path):
    train, best = ExperimentConfig().train, [1.5, 1.7, 1.65]
    for seed, loss in enumerate(best):
        left_behind(tmp_path / f"seed-{seed}", [2.0, loss], train=dataclasses.replace(train, seed=seed))
    out = jaxseq("compare", "seed-0", "seed-1", "seed-2", "--metric", "loss", folder=tmp_path).out
    line = f"{statistics.mean(best):.4f}  mean of the best, standard deviation {statistics.stdev(best):.2g}"
    assert line in out
    assert "mean" not in jaxseq("compare", "seed-0", "seed-0", folder=tmp_path).out
    left_behind(tmp_path / "wide", [2.0], model=RNNConfig(features=64), train=dataclasses.replace(train, seed=9))
    assert "mean" not in jaxseq("compare", "seed-0", "wide", folder=tmp_path).out


def test_the_training_split_is_looked_at_where_it_is_asked_for(tmp_path):
    left_behind(tmp_path / "a", [2.0, 3.0])
    assert compared("a", "--split", "train", folder=tmp_path)["runs"][0]["metrics"]["loss"]["best"] == {
        "value": 1.9,
        "step": 100,
    }


def test_what_is_no_number_is_null_and_never_the_best(tmp_path):
    left_behind(tmp_path / "a", [2.0, math.nan, math.inf])
    found = compared("a", "--metric", "loss", folder=tmp_path)["runs"][0]["metrics"]
    assert found == {"loss": {"last": {"value": None, "step": 300}, "best": {"value": 2.0, "step": 100}}}
    assert "inf" in jaxseq("compare", "a", folder=tmp_path).out


def test_a_run_that_is_being_written_shows_its_whole_rows(tmp_path):
    run = left_behind(tmp_path / "a", [2.0, 1.0])
    whole = (run / "metrics.csv").read_bytes()
    (run / "metrics.csv").write_bytes(whole + b"300,3,validation,0.5,1.6")
    code, out, err = jaxseq("compare", "a", "--metric", "loss", folder=tmp_path)
    assert code == 0
    assert "1.0000" in out
    assert "0.5000" not in out
    assert err.count("\n") == 1  # it is told what was left out
    assert "1 of its 5 rows are left out" in err


def test_a_picture_shows_the_curves_and_is_drawn_anew_over_its_own_alone(tmp_path):
    left_behind(tmp_path / "a", [3.0, 2.0])
    left_behind(tmp_path / "b", [2.5], training=False)
    for _ in range(2):
        assert jaxseq("compare", "a", "b", "--picture", "both.png", folder=tmp_path).code == 0
    assert is_comparison((tmp_path / "both.png").read_bytes()[:1000])
    assert imread(tmp_path / "both.png").shape == (600, 1080, 4)
    (tmp_path / "mine.png").write_bytes(b"mine")
    told = refused("compare", "a", "--picture", "mine.png", folder=tmp_path)
    assert "mine.png is there and is none that jaxseq compare drew" in told
    (tmp_path / "link.png").symlink_to(tmp_path / "mine.png")
    assert "link.png is there" in refused("compare", "a", "--picture", "link.png", folder=tmp_path)
    assert "let its name end in .png" in refused("compare", "a", "--picture", "both.jpg", folder=tmp_path)
    assert "its directory is not there" in refused("compare", "a", "--picture", "no/c.png", folder=tmp_path)


@pytest.mark.parametrize("name", ["$x_{ in $", "two\nlines\x1b[31m", "한국어", "not \udcff UTF-8", "W" * 200])
def test_a_run_by_any_name_is_shown_on_one_line(tmp_path, name):
    left_behind(tmp_path / name, [2.0])
    code, out, err = jaxseq("compare", name, "--metric", "loss", "--picture", "a.png", folder=tmp_path)
    assert (code, err) == (0, "")
    assert out.count("\n") == 5
    assert "\x1b" not in out
    assert os.fsencode(compared(name, folder=tmp_path)["runs"][0]["run"]) == os.fsencode(name)


def test_what_the_checkpoint_says_of_a_run_is_compared_not_the_copy_beside_it(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        left_behind(tmp_path / name, [2.0], train=TrainConfig(seed=seed))
    (tmp_path / "b/config.json").write_bytes((tmp_path / "a/config.json").read_bytes())
    assert compared("a", "b", folder=tmp_path)["differences"] == {"train.seed": [0, 1]}


def no_run(folder):
    (folder / "a").mkdir()


def another_configuration(folder):
    left_behind(folder / "a", [2.0], checkpoint=False)
    (folder / "a/config.json").write_text("{}")


def a_later_version(folder):
    left_behind(folder / "a", [2.0], checkpoint=False)
    text = (folder / "a/config.json").read_text()
    (folder / "a/config.json").write_text(text.replace('"data": {', '"data": {"flux": 1,'))


def no_metrics(folder):
    left_behind(folder / "a", [])


def no_metrics_file(folder):
    left_behind(folder / "a", [2.0])
    (folder / "a/metrics.csv").unlink()


def somebody_elses_metrics(folder):
    left_behind(folder / "a", [2.0])
    (folder / "a/metrics.csv").write_text("time,value\n1,2\n")


def a_pipe(folder):
    left_behind(folder / "a", [2.0])
    (folder / "a/metrics.csv").unlink()
    os.mkfifo(folder / "a/metrics.csv")


def not_validated(folder):
    left_behind(folder / "a", [2.0])
    lines = (folder / "a/metrics.csv").read_text().splitlines(keepends=True)
    (folder / "a/metrics.csv").write_text("".join(line for line in lines if "validation" not in line))


@pytest.mark.parametrize(
    ("arrange", "told"),
    [
        (lambda folder: None, "a holds no run: give run directories"),
        (no_run, "a holds no run: give run directories"),
        (another_configuration, "a/config.json: this is no jaxseq configuration"),
        (a_later_version, "data.flux is unknown to this version of jaxseq"),
        (no_metrics, "a has measured nothing: metrics.csv holds no row of metrics"),
        (no_metrics_file, "a has measured nothing: metrics.csv is not there yet"),
        (somebody_elses_metrics, "a has measured nothing: metrics.csv holds no row of metrics"),
        (a_pipe, "a has measured nothing: metrics.csv holds no row of metrics"),
        (not_validated, "no run has been measured on the validation split so far: wait, or give --split train"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path, arrange, told):
    arrange(tmp_path)
    code, out, err = jaxseq("compare", "a", folder=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert told in err


def test_mistakes_on_the_command_line_are_one_line(tmp_path):
    left_behind(tmp_path / "a", [2.0])
    assert "there is nothing to compare" in refused("compare", folder=tmp_path)
    assert "--metric is 'bleu', which no run has on the validation split: choose loss, perplexity" in refused(
        "compare", "a", "--metric", "bleu", folder=tmp_path
    )
    assert "--picture shows 40 runs, here are 41" in refused(
        "compare", *["a"] * 41, "--picture", "a.png", folder=tmp_path
    )
