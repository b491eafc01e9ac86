"""Going on with a run under another configuration: what may change, and that the run is then what it should be."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from command_line import TINY, arrays_of, assert_same_arrays, jaxseq, prose, refused

from jaxseq.config import read_config
from jaxseq.config.fields import Resuming, rules_of
from jaxseq.runs import load_run
from jaxseq.storage.metrics_file import read_metrics

CONSTANT = [*TINY, "--name", "it", "--optimizer.schedule", "constant"]


def trained(*words, folder):
    """What `train WORDS` in `folder`, which must go through, says on standard error."""
    code, _, err = jaxseq("train", *words, folder=folder)
    assert code == 0, err
    return err


def test_a_finished_run_that_is_extended_is_the_run_that_was_longer_from_the_start(folder):
    run, words = folder / "runs" / "it", [*CONSTANT, "--model.output-dropout", "0.3"]
    trained(*words, folder=folder)
    assert "going on from step 20" in trained(*words, "--train.steps", "37", folder=folder)
    assert read_config(run / "config.json").train.steps == 37
    assert load_run(run, checkpoint="newest").experiment.train.steps == 37
    rows = [(int(row["step"]), row["split"]) for row in read_metrics(run / "metrics.csv")]
    assert rows[-3:] == [(35, "train"), (37, "train"), (37, "validation")]
    assert (20, "validation") in rows  # where the run ended before
    trained(*words, "--train.steps", "37", "--run-dir", "whole", folder=folder)
    assert_same_arrays(run, folder / "whole")


def test_epochs_may_become_more_or_steps(folder):
    words = [*TINY, "--name", "it", "--optimizer.schedule", "step", "--data.batch-size", "16", "--train.steps", "0"]
    trained(*words, "--train.epochs", "1", folder=folder)
    step, _ = arrays_of(folder / "runs" / "it")
    trained(*words, "--train.epochs", "2", folder=folder)
    assert arrays_of(folder / "runs" / "it")[0] == 2 * step
    told = refused("train", *words, "--train.epochs", "1", folder=folder)
    assert f"moves the end of runs/it from step {2 * step} to {step}, and step {2 * step} has been reached" in told
    trained(*words, "--train.steps", str(2 * step + 1), folder=folder)
    trained(
        *words, "--train.steps", str(2 * step + 1), "--train.epochs", "9", folder=folder
    )  # which counts for nothing
    assert arrays_of(folder / "runs" / "it")[0] == 2 * step + 1


def test_a_run_that_stopped_early_goes_on_with_more_patience(folder):
    words = [*CONSTANT, "--train.evaluate-every", "2", "--optimizer.learning-rate", "1e-30"]
    assert "stopped at step 6" in trained(*words, "--train.patience", "2", folder=folder)
    assert "stopped at step 10" in trained(*words, "--train.patience", "4", "--train.steps", "30", folder=folder)
    trained(*words, "--train.patience", "0", folder=folder)
    assert arrays_of(folder / "runs" / "it")[0] == 20


def test_what_has_no_part_in_the_results_may_change(folder):
    """Every field that is declared so, each with another value than the run was made with."""
    trained(*CONSTANT, folder=folder)
    before = arrays_of(folder / "runs" / "it")
    (folder / "text.txt").rename(folder / "moved.txt")
    others = {
        "data.source": "moved.txt",
        "data.encoding": "ascii",
        "train.log-every": "7",
        "train.evaluate-every": "3",
        "train.evaluate-batches": "1",
        "train.checkpoint-every": "4",
        "train.keep": "1",
        "train.steps-per-dispatch": "3",
        "train.allocator": "default",
        "train.patience": "50",
        "train.max-nonfinite": "4",
        "train.max-rollbacks": "1",
        "train.process-timeout": "60",
        "task.prompt": "the",
        "task.sample-length": "9",
        "task.temperature": "0.5",
    }
    old = read_config(folder / "runs" / "it" / "config.json")
    free = {
        f"{section.name}.{name.replace('_', '-')}"
        for section in dataclasses.fields(old)
        if dataclasses.is_dataclass(getattr(old, section.name))
        for name, rule in rules_of(type(getattr(old, section.name))).items()
        if rule.resuming is Resuming.FREE
    }
    own = {"data.validation-source", "data.test-source"}  # see the next test
    own |= {"train.process", "train.coordinator"}  # of one of several processes
    assert free == {*others, *own, "data.memory-map", "train.debug-nonfinite"}
    words = [word for name, value in others.items() for word in (f"--{name}", value)]
    trained(*CONSTANT, *words, "--data.memory-map", folder=folder)
    step, arrays = arrays_of(folder / "runs" / "it")
    assert step == before[0]
    jax.tree.map(np.testing.assert_array_equal, arrays, before[1])
    sample = (folder / "runs" / "it" / "samples.txt").read_text(encoding="utf-8")
    assert sample.startswith("step 20, temperature 0.5\n\nthe")
    assert read_config(folder / "runs" / "it" / "config.json").data.source == "moved.txt"
    # Its checkpoints were made from ids in memory, the ids that lie there now take less room.
    shutil.copy(folder / "moved.txt", folder / "text.txt")
    code, _, err = jaxseq("evaluate", "runs/it", folder=folder)
    assert code == 0, err


def test_splits_of_their_own_may_lie_elsewhere_and_must_be_the_same(folder):
    (folder / "own.txt").write_text(prose()[:400], encoding="utf-8")
    words = [*CONSTANT, "--data.split", "1", "0", "0"]
    trained(*words, "--data.validation-source", "own.txt", "--data.test-source", "text.txt", folder=folder)
    before = arrays_of(folder / "runs" / "it")
    (folder / "own.txt").rename(folder / "elsewhere.txt")
    moved = ["--data.validation-source", "elsewhere.txt", "--data.test-source", "text.txt"]
    trained(*words, *moved, folder=folder)
    assert arrays_of(folder / "runs" / "it")[0] == before[0]
    (folder / "elsewhere.txt").write_text(prose()[1:401], encoding="utf-8")
    assert "has changed since" in refused("train", *words, *moved, folder=folder)


@pytest.fixture
def made(folder, request):
    """A folder with a run `it` of 20 steps, made with the words given."""
    trained(*request.param, folder=folder)
    return folder, request.param


def made_with(*words):
    return pytest.mark.parametrize("made", [words], indirect=True)


@made_with(*TINY, "--name", "it")
def test_a_run_whose_schedule_ends_with_it_keeps_its_end(made):
    folder, words = made
    told = refused("train", *words, "--train.steps", "40", folder=folder)
    assert "train.steps is 40, which moves the end of runs/it from step 20 to 40: optimizer.schedule is cosine" in told
    told = refused("train", *words, "--train.steps", "0", "--train.epochs", "9", folder=folder)
    assert "train.epochs is 9, which moves the end" in told


@made_with(*CONSTANT)
def test_what_takes_part_in_the_results_is_refused_by_name_with_what_else_changes(made):
    folder, words = made
    told = refused("train", *words, "--train.steps", "40", "--optimizer.b1", "0.5", "--train.keep", "9", folder=folder)
    assert "made with another configuration (optimizer.b1: 0.9 -> 0.5; train.steps: 20 -> 40)" in told
    (folder / "other.txt").write_text(prose(seed=1), encoding="utf-8")
    told = refused("train", *words, "--data.source", "other.txt", folder=folder)
    assert "other.txt has changed since runs/it was begun with it, or is another text" in told
    told = refused("train", *words, "--train.steps", "10", folder=folder)
    assert "moves the end of runs/it from step 20 to 10, and step 20 has been reached: give an end beyond it" in told


@made_with(*CONSTANT, "--optimizer.accumulate", "2")
def test_an_unfinished_run_may_end_earlier_than_it_was_meant_to(made):
    folder, words = made
    for name in ("00000020", "00000016"):
        shutil.rmtree(folder / "runs" / "it" / "checkpoints" / name)
    assert "has been reached" in refused("train", *words, "--train.steps", "8", folder=folder)
    trained(*words, "--train.steps", "12", folder=folder)
    trained(*words, "--train.steps", "12", "--run-dir", "whole", folder=folder)
    assert_same_arrays(folder / "runs" / "it", folder / "whole")


@made_with(*CONSTANT, "--optimizer.accumulate", "3")
def test_a_run_whose_last_update_was_of_fewer_batches_keeps_its_end_whatever_config_json_says(made):
    """A process that was killed before it saved anything has left its configuration there."""
    folder, words = made
    told = refused("train", *words, "--train.steps", "40", folder=folder)
    assert "the update at step 20, the last, was made of 2 batches, and a longer run would have made it of 3" in told
    file = folder / "runs" / "it" / "config.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    tree["train"]["steps"] = 40
    file.write_text(json.dumps(tree), encoding="utf-8")
    assert "was made of 2 batches" in refused("train", *words, "--train.steps", "40", folder=folder)
    tree["optimizer"]["b1"] = 0.5
    file.write_text(json.dumps(tree), encoding="utf-8")
    told = refused("train", *words, "--train.steps", "20", "--optimizer.b1", "0.5", folder=folder)
    assert "runs/it was made with another configuration (optimizer.b1: 0.9 -> 0.5)" in told
