"""`jaxseq mix`: an n-gram model and a neural one are better together."""

import contextlib
import json

import numpy as np
import pytest
from command_line import TINY, jaxseq, prose, refused

from jaxseq.runs.load import load_run
from jaxseq.signals import never
from jaxseq.tasks import LanguageModeling, Workspace

RUNS = {
    "counts": ["--model.kind", "ngram", "--model.order", "2"],
    "neural": ["--model.cell", "gru", "--train.steps", "200", "--optimizer.learning-rate", "1e-2"],
    "other": ["--model.kind", "ngram", "--data.split", "0.8", "0.1", "0.1"],
    "bytes": ["--model.kind", "ngram", "--data.tokenizer", "byte"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    (folder / "text.txt").write_text(prose(), encoding="utf-8")
    for name, options in RUNS.items():
        own = TINY if options[1] != "ngram" else _without(TINY, "--model.features")
        outcome = jaxseq("train", "--name", name, *own, *options, folder=folder)
        assert outcome.code == 0, outcome.err
    return folder


def _without(words, option):
    at = words.index(option)
    return [*words[:at], *words[at + 2 :]]


def mixed(*words, folder):
    code, out, err = jaxseq("mix", *words, "--json", folder=folder)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_mixture_is_no_worse_than_each_on_the_split_of_its_weights(folder):
    values = mixed("runs/counts", "runs/neural", folder=folder)
    assert sum(values["weights"]) == pytest.approx(1)
    best = min(values["alone"]["validation"])
    assert values["together"]["validation"] <= best * (1 + 1e-6)
    assert values["tokens"]["test"] == values["tokens"]["validation"] == 199


def test_each_alone_is_what_evaluate_says_of_it(folder):
    values = mixed("runs/counts", "runs/neural", "--rows", "3", folder=folder)
    for name, alone in zip(("counts", "neural"), values["alone"]["test"], strict=True):
        _, out, _ = jaxseq(
            "evaluate",
            f"runs/{name}",
            "--split",
            "test",
            "--rows",
            "3",
            "--checkpoint",
            "best",
            "--json",
            folder=folder,
        )
        assert json.loads(out)["carried"]["perplexity"] == pytest.approx(alone, rel=1e-4)


def test_the_probabilities_of_tokens_are_those_of_the_text_in_its_order(folder):
    run = load_run(folder / "runs/neural")
    with contextlib.chdir(folder):
        task = LanguageModeling.create(run.experiment, Workspace(artifacts=run.task.artifacts()))
    ids = task.tokenizer.encode(prose())
    part = ids[int(0.95 * len(ids)) :]
    logits, _ = task.model.apply(run.variables, part[None, :-1])
    logs = np.asarray(logits - np.log(np.exp(np.asarray(logits, np.float64)).sum(-1, keepdims=True)))[0]
    expected = logs[np.arange(len(part) - 1), part[1:]]
    found = task.token_log_probabilities(run.variables, "test", rows=None, poll=never)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Of three rows each begins without a memory, and they still follow each other.
    rows = task.token_log_probabilities(run.variables, "test", rows=3, poll=never)
    assert len(rows) == len(found)
    np.testing.assert_allclose(rows[: len(rows) // 3], found[: len(rows) // 3], atol=1e-4)


def test_the_table_has_a_line_for_each_and_one_for_all(folder):
    code, out, _ = jaxseq("mix", "runs/counts", "runs/neural", folder=folder)
    assert code == 0
    heading, first, second, together = out.splitlines()
    assert heading.split() == ["weight", "validation", "perplexity", "test", "perplexity"]
    assert (first.split()[-1], second.split()[-1]) == ("runs/counts", "runs/neural")
    assert together.endswith("  together")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs/counts"], "a mixture is of two runs or more"),
        (["runs/counts", "runs/bytes"], "have different tokenizers"),
        (["runs/counts", "runs/other"], "read other texts, or split them differently"),
        (["runs/counts", "runs/none"], "holds no trained model"),
        (["runs/counts", "runs/neural", "--rows", "0"], "--rows is 0"),
        (["runs/counts", "runs/neural", "--rows", "500"], "the validation split has 200 tokens: give a lower one"),
    ],
)
def test_what_cannot_be_mixed_is_one_line(folder, words, message):
    assert message in refused("mix", *words, folder=folder)
