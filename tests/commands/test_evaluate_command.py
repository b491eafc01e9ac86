"""`jaxseq evaluate`, checked against a model applied to the whole split at once."""

import json
import math
import os
import shutil
import tempfile

import jax
import numpy as np
import pytest
from command_line import TINY, jaxseq, prose, refused, snapshot

from jaxseq.commands import evaluate as evaluate_command
from jaxseq.runs import evaluation, load_run
from jaxseq.tasks import Evaluation


def measured(*words, folder):
    code, out, err = jaxseq("evaluate", "runs/tiny", "--json", *words, folder=folder)
    assert (code, err) == (0, "")
    return json.loads(out)


def by_hand(folder, text, *, length):
    """Loss and accuracy with the carry handed on over `text`, or anew in every window of `length`."""
    loaded = load_run(folder / "runs" / "tiny")
    ids = loaded.task.tokenizer.encode(text)
    count = (len(ids) - 1) // length
    inputs, targets = ids[:-1][: count * length].reshape(count, length), ids[1:][: count * length]
    logits, _ = loaded.task.model.apply({"params": loaded.params}, inputs)
    logits = np.asarray(logits, np.float64).reshape(count * length, -1)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    loss = -log_probabilities[np.arange(count * length), targets].mean()
    return {"loss": loss, "accuracy": np.mean(logits.argmax(-1) == targets)}


@pytest.mark.parametrize(
    ("split", "part"), [("train", (0, 3600)), ("validation", (3600, 3800)), ("test", (3800, 4000))]
)
def test_it_gives_what_the_model_gives_for_the_split_in_one_piece_and_window_by_window(trained, split, part):
    folder = trained[0]
    results = measured("--split", split, folder=folder)
    text = prose()[slice(*part)]
    for how, length in (("carried", len(text) - 1), ("windows", 16)):
        expected = by_hand(folder, text, length=length)
        assert results[how]["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert results[how]["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)
        assert results[how]["perplexity"] == pytest.approx(math.exp(expected["loss"]), rel=1e-5)
        assert results[how]["bits_per_character"] == pytest.approx(expected["loss"] / math.log(2), rel=1e-5)


def test_the_validation_split_is_the_default_and_agrees_with_training(trained):
    folder, (_, out, _) = trained
    results = measured("--rows", "4", folder=folder)  # as many as a batch has
    assert f"loss {results['carried']['loss']:.4f}, accuracy {results['carried']['accuracy']:.2%}" in out


def test_the_table_has_a_line_with_the_carry_and_one_without(trained):
    results = measured(folder=trained[0])
    code, out, err = jaxseq("evaluate", "runs/tiny", folder=trained[0])
    assert (code, err) == (0, "")
    heading, *lines = out.splitlines()
    assert heading.split() == ["loss", "perplexity", "ppl/word", "bits/char", "accuracy", "tokens"]
    for line, name, how in zip(
        lines, ["carry kept over the split", "carry reset at every window"], results, strict=True
    ):
        assert line.startswith(name)
        figures = line.removeprefix(name).split(maxsplit=5)
        assert float(figures[0]) == pytest.approx(results[how]["loss"], abs=1e-4)
        assert float(figures[2]) == pytest.approx(results[how]["perplexity_per_word"], rel=1e-4)
        assert float(figures[3]) == pytest.approx(results[how]["bits_per_character"], abs=1e-4)
        assert figures[5] == f"{results[how]['tokens']} of 200"


def test_it_says_how_many_tokens_of_the_split_each_pass_has_measured(trained):
    results = measured(folder=trained[0])
    # Nothing precedes the first token; the windows of 16 leave seven more at the end.
    assert (results["carried"]["tokens"], results["windows"]["tokens"]) == (199, 192)
    assert {values["split_tokens"] for values in results.values()} == {200}
    assert measured("--rows", "7", folder=trained[0])["carried"]["tokens"] == 199


def test_another_text_is_measured_with_the_tokenizer_of_the_run(trained):
    folder = trained[0]
    (folder / "other.txt").write_text(prose(3000, seed=5), encoding="utf-8")
    results = measured("--source", "other.txt", "--split", "train", folder=folder)
    expected = by_hand(folder, prose(3000, seed=5)[:2700], length=2699)
    assert results["carried"]["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    (folder / "foreign.txt").write_text("Ünknown " * 100, encoding="utf-8")
    told = refused("evaluate", "runs/tiny", "--source", "foreign.txt", folder=folder)
    assert "'Ü' (U+00DC) at offset 0" in told


def test_more_rows_than_tokens_are_refused(trained):
    told = refused("evaluate", "runs/tiny", "--rows", "200", folder=trained[0])
    assert "--rows is 200, the validation split has 200 tokens: give a lower one" in told


def test_a_split_without_text_is_refused_and_those_there_are_are_named(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    words = ["--data.split", "0.9", "0.1", "0", "--name", "two"]
    assert jaxseq("train", *TINY, *words, "--train.steps", "1", folder=copy).code == 0
    told = refused("evaluate", "runs/two", "--split", "test", folder=copy)
    assert told == ("error: runs/two has no test split: choose train or validation\n")


def test_text_that_has_changed_is_refused_because_its_splits_have(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    (copy / "text.txt").write_text(prose(4100), encoding="utf-8")
    told = refused("evaluate", "runs/tiny", folder=copy)
    assert "text.txt has changed since runs/tiny was trained on it" in told
    assert jaxseq("evaluate", "runs/tiny", "--source", "text.txt", folder=copy).code == 0


def test_a_model_of_the_last_token_is_measured_on_every_token_with_the_carry(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    words = "--name last --task.predict last --data.layout windows --data.shift 3 --train.steps 2"
    assert jaxseq("train", *TINY, *words.split(), folder=copy).code == 0
    results = json.loads(jaxseq("evaluate", "runs/last", "--json", folder=copy).out)
    loaded = load_run(copy / "runs" / "last")
    ids = loaded.task.tokenizer.encode(prose()[3600:3800])
    logits, _ = loaded.task.model.apply({"params": loaded.params}, ids[None, :-1])
    losses = -jax.nn.log_softmax(logits[0])[np.arange(199), ids[1:]]
    assert results["carried"]["loss"] == pytest.approx(float(losses.mean()), rel=1e-5)
    windows = np.lib.stride_tricks.sliding_window_view(ids, 17)[::3]
    logits, _ = loaded.task.model.apply({"params": loaded.params}, windows[:, :-1])
    losses = -jax.nn.log_softmax(logits[:, -1])[np.arange(len(windows)), windows[:, -1]]
    assert results["windows"]["loss"] == pytest.approx(float(losses.mean()), rel=1e-5)
    assert (results["carried"]["tokens"], results["windows"]["tokens"]) == (199, len(windows))


def test_the_token_file_of_a_run_is_read_and_never_touched(folder):
    assert jaxseq("train", *TINY, "--name", "tiny", "--data.memory-map", folder=folder).code == 0
    expected = measured(folder=folder)
    os.utime(folder / "text.txt", (1, 1))  # the file looks changed, its text is not
    before = snapshot(folder)
    assert measured(folder=folder) == expected
    assert snapshot(folder) == before
    (folder / "text.txt").write_text(prose(4100), encoding="utf-8")
    assert "has changed since runs/tiny was trained" in refused("evaluate", "runs/tiny", folder=folder)


def test_a_text_with_new_symbols_is_one_that_has_changed(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained[0], copy)
    (copy / "text.txt").write_text(prose() + "Ü", encoding="utf-8")
    assert "text.txt has changed since runs/tiny was trained" in refused("evaluate", "runs/tiny", folder=copy)


def test_another_text_may_have_another_encoding(trained, tmp_path):
    text = tmp_path / "wide.txt"
    text.write_text(prose(3000, seed=5), encoding="utf-16")
    (tmp_path / "narrow.txt").write_text(chr(0xFEFF) + prose(3000, seed=5), encoding="utf-8")
    told = refused("evaluate", "runs/tiny", "--source", str(text), folder=trained[0])
    assert "wide.txt begins with the byte-order mark of UTF-16" in told
    assert jaxseq("evaluate", "runs/tiny", "--source", str(text), "--encoding", "utf-16", folder=trained[0]).code == 0


def test_the_remedy_that_names_the_options_of_training_works_as_it_is_said(trained, tmp_path):
    text = tmp_path / "wide.txt"
    text.write_text(prose(3000, seed=5), encoding="utf-16")
    words = ("evaluate", "runs/tiny", "--data.source", str(text))
    assert "--data.encoding utf-16" in refused(*words, folder=trained[0])
    assert jaxseq(*words, "--data.encoding", "utf-16", folder=trained[0]).code == 0


def test_what_is_no_finite_number_is_null_in_json(monkeypatch, capsys):
    metrics = {"loss": math.nan, "perplexity": math.inf, "tokens": 3}
    measured = evaluation.Measured(Evaluation(loss=pytest.fail, loader=pytest.fail), metrics)
    monkeypatch.setattr(evaluation, "evaluate_run", lambda run_dir, **options: {"carried": measured})
    assert evaluate_command.main(["runs/tiny", "--json"], program="jaxseq evaluate") == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "carried": {"loss": None, "perplexity": None, "tokens": 3}
    }


def test_without_a_place_for_temporary_files_it_measures_what_needs_none(trained, tmp_path, monkeypatch):
    shutil.copytree(trained[0], tmp_path / "copy")
    run = tmp_path / "copy" / "runs" / "mapped"
    train = ("train", *TINY, "--run-dir", str(run), "--train.steps", "1", "--data.memory-map")
    assert jaxseq(*train, folder=tmp_path / "copy").code == 0
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert measured(folder=trained[0])["carried"]["tokens"] == 199
    assert jaxseq("evaluate", str(run), folder=tmp_path / "copy").code == 0  # by the run's own token file
    (run / "tokens.npy").unlink()
    assert "give one that can be written to as TMPDIR" in refused("evaluate", str(run), folder=tmp_path / "copy")
