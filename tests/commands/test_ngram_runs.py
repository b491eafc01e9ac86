"""n-gram models by the commands that neural ones have."""

import json
import math

import jax
import numpy as np
import pytest
from command_line import jaxseq, refused

from jaxseq.interop.arpa import read_arpa
from jaxseq.runs.load import load_run

TEXT = "the film is good and the play is not\nthe play is a good play of the king\nis the king not good\n" * 30
NGRAM = ["--model.kind", "ngram", "--model.order", "3", "--data.source", "text.txt", "--data.length", "8"]
KINDS = {
    "words": [*NGRAM, "--data.tokenizer", "word", "--data.splitter", "whitespace", "--data.max-words", "9"],
    "characters": NGRAM,
    "lines": [*NGRAM, "--data.kind", "lines", "--data.tokenizer", "word", "--data.splitter", "whitespace"],
}
SIZES = ["--data.batch-size", "4", "--task.sample-length", "6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ngrams")
    (folder / "text.txt").write_text(TEXT)
    for name, options in KINDS.items():
        outcome = jaxseq("train", "--name", name, *options, *SIZES, folder=folder)
        assert outcome.code == 0, outcome.err
        assert "n-grams of 1 to 3 tokens: " in outcome.out
        assert "validation: " in outcome.out
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_a_run_is_one_step_that_evaluate_and_sample_know(folder, name):
    run = load_run(folder / "runs" / name)
    assert run.step == 1
    metrics = (folder / "runs" / name / "metrics.csv").read_text()
    (folder / "runs" / name / "metrics.csv").unlink()
    before = sorted(path.name for path in (folder / "runs" / name / "checkpoints").iterdir())
    code, out, err = jaxseq("train", "--name", name, *KINDS[name], *SIZES, folder=folder)
    assert code == 0
    assert "metrics.csv is missing: restored from the checkpoint of step 1" in out + err
    assert (folder / "runs" / name / "metrics.csv").read_text() == metrics
    assert "n-grams of" not in out  # nothing is counted again
    assert sorted(path.name for path in (folder / "runs" / name / "checkpoints").iterdir()) == before
    code, out, err = jaxseq("sample", f"runs/{name}", "--seed", "1", "--prompt", "the play", folder=folder)
    assert (code, err) == (0, "")
    assert out.startswith("the play ")
    code, out, err = jaxseq("sample", f"runs/{name}", "--next", "3", "--prompt", "the play", folder=folder)
    assert (code, len(out.splitlines())) == (0, 3)


def test_the_validation_is_what_kenlm_says_of_the_arpa_file(folder, tmp_path):
    kenlm = pytest.importorskip("kenlm")
    assert jaxseq("export", "runs/words", str(tmp_path / "a.arpa"), folder=folder).out.endswith("a.arpa\n")
    code, out, _ = jaxseq("evaluate", "runs/words", "--json", folder=folder)
    assert code == 0
    loss, count = (json.loads(out)["carried"][name] for name in ("loss", "tokens"))
    words = TEXT.split()
    part = words[int(0.9 * len(words)) : int(0.95 * len(words))]
    assert count == len(part) - 1
    model = kenlm.Model(str(tmp_path / "a.arpa"))
    both, first = (model.score(" ".join(some), bos=False, eos=False) for some in (part, part[:1]))
    assert loss == pytest.approx(-(both - first) * math.log(10) / count, rel=1e-5)


def test_lines_are_scored_as_sentences_from_their_begin_to_their_end(folder, tmp_path):
    kenlm = pytest.importorskip("kenlm")
    assert jaxseq("export", "runs/lines", str(tmp_path / "l.arpa"), folder=folder).code == 0
    _, out, _ = jaxseq("evaluate", "runs/lines", "--json", folder=folder)
    values = json.loads(out)["lines"]
    lines = TEXT.splitlines()
    part = lines[int(0.9 * len(lines)) : int(0.95 * len(lines))]
    # A line is read up to 8 tokens: a longer one has no end here.
    kept = [" ".join(line.split()[:8]) for line in part]
    model = kenlm.Model(str(tmp_path / "l.arpa"))
    total = sum(model.score(line, bos=True, eos=len(line.split()) < 8) for line in kept)
    assert values["loss"] == pytest.approx(-total * math.log(10) / values["tokens"], rel=1e-5)


def test_what_evaluate_measures_is_what_sample_gives_each_token(folder):
    """mitlm#28: two commands disagree on one score."""
    words = ["the", "king", "is", "whales", "not", "the", "film", "is", "good"]
    (folder / "probe.txt").write_text(" ".join([*["the"] * 162, *words, *["good"] * 9]))  # of which they are 5 %
    _, out, _ = jaxseq("evaluate", "runs/words", "--source", "probe.txt", "--json", folder=folder)
    values = json.loads(out)["carried"]
    probabilities = []
    for at in range(1, len(words)):
        asked = ["--next", "99", "--json", "--prompt", " ".join(words[:at])]
        rows = json.loads(jaxseq("sample", "runs/words", *asked, folder=folder).out)["next"]
        likely = {row["token"]: row["probability"] for row in rows}
        assert sum(likely.values()) == pytest.approx(1, abs=1e-6)
        probabilities.append(likely.get(words[at], likely["<unk>"]))
    assert values["tokens"] == len(probabilities) == 8
    assert values["loss"] == pytest.approx(-np.log(probabilities).mean(), rel=1e-5)


@pytest.mark.parametrize("kind", ["corpus", "lines"])
def test_words_that_no_training_text_has_leave_the_perplexity_finite(folder, tmp_path, kind):
    """nltk#3211."""
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "new.txt").write_text("the whale is not the albatross\nsquids of the sea\n" * 3)
    own = ["--data.split", "1", "0", "0", "--data.validation-source", "new.txt", "--data.kind", kind]
    words = [*NGRAM, "--data.tokenizer", "word", "--data.splitter", "whitespace", "--data.min-count", "2", *own]
    outcome = jaxseq("train", "--name", "new", *words, *SIZES, "--data.batch-size", "2", folder=tmp_path)
    assert outcome.code == 0, outcome.err
    _, out, _ = jaxseq("evaluate", "runs/new", "--json", folder=tmp_path)
    for values in json.loads(out).values():
        assert 1 < values["perplexity"] < 1e4
    _, out, _ = jaxseq("sample", "runs/new", "--next", "99", "--json", "--prompt", "the whale", folder=tmp_path)
    assert {row["token"]: row["probability"] for row in json.loads(out)["next"]}["<unk>"] > 0


def test_what_was_exported_is_read_back_with_the_same_tables(folder, tmp_path):
    assert jaxseq("export", "runs/characters", str(tmp_path / "c.arpa"), folder=folder).code == 0
    run = load_run(folder / "runs/characters")
    again = read_arpa(tmp_path / "c.arpa").tables
    longest = run.params["order_3"]["log_probabilities"]
    assert sorted(again.grams[2].log_probabilities.tolist()) == sorted(np.asarray(longest).tolist())


def test_no_id_that_stands_for_no_text_has_probability(folder):
    run = load_run(folder / "runs/lines")
    model = run.task.model
    start = run.task.tokenizer.start
    logits, _ = model.apply(run.variables, jax.numpy.array([[start]]))
    assert np.exp(logits[0, 0]).sum() == pytest.approx(1, abs=1e-5)
    assert np.isneginf(logits[0, 0, [0, start]]).all()


def test_what_does_not_fit_is_one_line(folder):
    assert "ends in '.npz'" in refused("export", "runs/words", "a.npz", folder=folder)
    assert "model.order is 0" in refused("train", *NGRAM, "--model.order", "0", "--name", "x", folder=folder)
