"""Contestants on small works, in the tests' own process."""

import dataclasses
import importlib
from itertools import pairwise

import numpy as np
import pytest

from benchmarks import data, vector_quality
from benchmarks.check import expected_parameters
from benchmarks.workers import gensim_worker, jaxseq_worker, nltk_worker, subword_worker
from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.prediction import sorted_batches
from benchmarks.works import WORKS, Model, Work

GRU = Model("gru", vocabulary=50, features=8, layers=2, embedding=8, label=True)
BOTH_WAYS = Model("lstm", vocabulary=50, features=8, layers=1, embedding=8, directions=2, label=True)


def small(monkeypatch, tmp_path, work: Work) -> None:
    """Makes it the work "small", and its data."""
    monkeypatch.setitem(WORKS, "small", work)
    data.prepare("small", tmp_path)


@pytest.mark.parametrize("model", [GRU, BOTH_WAYS])
def test_a_classifier_of_the_benchmarks_trains_in_the_loop_of_jaxseq(model, monkeypatch, tmp_path):
    small(monkeypatch, tmp_path, Work("", "train", 4, 16, model))
    job = jaxseq_worker.Training(WORKS["small"], tmp_path, "cpu")
    assert job.parameters == model.parameters
    losses = job.losses(3)
    assert losses[0] == pytest.approx(np.log(2), rel=0.03)
    assert len(losses) == 3


WORDS = Model("lstm", vocabulary=300, features=8, layers=2, embedding=8, tied=True)


@pytest.mark.parametrize("samples", [0, 50])
def test_a_model_of_words_trains_as_its_config_has_it_with_all_words_or_some_drawn(samples, monkeypatch, tmp_path):
    monkeypatch.setitem(jaxseq_worker.CONFIGS, WORDS, "wikitext2_words")
    monkeypatch.setattr(jaxseq_worker, "experiment", shrunk(jaxseq_worker.experiment))
    small(monkeypatch, tmp_path, Work("", "train", 4, 16, WORDS, carried=True, optimizer="sgd", samples=samples))
    job = jaxseq_worker.Training(WORKS["small"], tmp_path, "cpu")
    assert job.parameters == WORDS.parameters
    losses = job.losses(3)
    # Each target is compared with itself and with those drawn, whose chances are corrected for.
    assert losses[0] == pytest.approx(np.log(300), rel=0.05)
    assert len(set(losses)) == 3


def shrunk(experiment):
    """The experiment of a work with a model of the work's size."""

    def small_experiment(work):
        config = experiment(work)
        sizes = {"features": work.model.features, "embedding": work.model.embedding}
        return dataclasses.replace(config, model=dataclasses.replace(config.model, **sizes))

    return small_experiment


@pytest.mark.parametrize("peer", ["torch", "keras", "flax"])
def test_peers_start_at_chance_with_the_table_as_output_and_the_optimizer_of_words(peer, monkeypatch, tmp_path):
    small(monkeypatch, tmp_path, Work("", "train", 4, 16, WORDS, carried=True, optimizer="sgd"))
    worker = importlib.import_module(f"benchmarks.workers.{peer}_worker")
    job = worker.Training(WORKS["small"], tmp_path, *(["cpu"] if peer == "torch" else []))
    assert job.parameters == expected_parameters(WORDS, peer)
    losses = job.losses(2)
    assert losses[0] == pytest.approx(np.log(300), rel=0.03)
    assert abs(losses[1] - losses[0]) < 0.1  # the norm of a step is a quarter


def test_pieces_and_counts_are_those_of_the_libraries(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "PIECES_TEXT", 20_000)
    monkeypatch.setattr(subword_worker, "SIZE", 300)
    small(monkeypatch, tmp_path, Work("", "pieces", pieces="bpe"))
    ours, theirs = (worker.Pieces(WORKS["small"], tmp_path) for worker in (jaxseq_worker, subword_worker))
    assert ours.units_per_call == theirs.units_per_call == pytest.approx(0.02, rel=0.1)
    padding = 1  # the library knows of none
    for line, own in zip(theirs.encode(theirs.lines), ours.tokenizer.encode_texts(ours.lines), strict=True):
        assert line.ids == (own - padding).tolist()
    small(monkeypatch, tmp_path, Work("", "count", time=500, order=3))
    nltk_worker.Counts(WORKS["small"], tmp_path).run(1)
    job = jaxseq_worker.Counts(WORKS["small"], tmp_path)
    job.run(1)
    assert job.units_per_call == 500


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_word_vectors_are_trained_on_the_same_words_by_epochs(algorithm, monkeypatch, tmp_path):
    text = data._made_up_words(6000, 400).replace("\n", "end")
    monkeypatch.setitem(data._TEXTS, "vectors", lambda: text)
    small(monkeypatch, tmp_path, Work("", "vectors", algorithm=algorithm))
    theirs = gensim_worker.Vectors(WORKS["small"], tmp_path)
    job = jaxseq_worker.Training(WORKS["small"], tmp_path, "cpu")
    assert job.units_per_call == theirs.units_per_call == 6000
    assert job.parameters == 2 * 100 * len(theirs.model.wv)
    before = theirs.model.wv.vectors.copy()
    theirs.run(1)
    assert theirs.model.train_count == 1
    assert (theirs.model.wv.vectors != before).any()
    losses = job.losses(2 * job.steps_per_call)
    assert losses[0] == pytest.approx(6 * np.log(2), rel=0.02)  # less a little: a word is no negative of its own
    assert len(losses) == 2 * job.steps_per_call


def test_the_quality_of_word_vectors_is_printed_for_both(monkeypatch, capsys, tmp_path):
    text, pairs = tmp_path / "text", tmp_path / "pairs"
    text.write_text(data._made_up_words(6000, 300).replace("\n", "end"))
    pairs.write_text("w0 w1 3\nw2 w3 5\nw4 w5 1\nw6 nothing 4\n")
    options = ["--seeds", "2", "--epochs", "1", "--algorithms", "cbow"]
    monkeypatch.setattr("sys.argv", ["vector_quality", str(text), str(pairs), *options])
    assert vector_quality.main() == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("   ")[0].strip() for line in lines[1:]]
    assert names == ["cbow, jaxseq", "cbow, gensim 0.025", "cbow, gensim 0.1"]
    assert all("3 of 4" in line and len(line.split("   ")[-1].split()) == 2 for line in lines[1:])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def read(weights, direction, ids):
    """h [d] after an LSTM has read ids, the gates written down one by one."""
    into, recurrent, bias = (
        weights[f"{direction}_{part}"].astype(np.float64) for part in ("input", "recurrent", "bias")
    )
    h = c = np.zeros(len(recurrent))
    for token in ids:
        i, f, g, o = np.split(weights["embedding"][token] @ into + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def probability(weights, ids):
    both = np.concatenate([read(weights, "forward", ids), read(weights, "backward", ids[::-1])])
    return sigmoid(both @ weights["head_kernel"][:, 0] + weights["head_bias"][0])


@pytest.mark.parametrize("peer", ["jaxseq", "torch", "keras", "flax"])
def test_every_contestant_predicts_what_a_plain_loop_does_in_the_order_of_the_texts(peer, monkeypatch, tmp_path):
    small(monkeypatch, tmp_path, Work("", "predict", 11, 16, BOTH_WAYS))
    monkeypatch.setattr("benchmarks.workers.prediction.ROWS", 6)
    worker = importlib.import_module(f"benchmarks.workers.{peer}_worker")
    if peer == "torch":  # how many threads it has is chosen by the clock, for the whole process
        monkeypatch.setattr(worker.Prediction, "choose_threads", lambda self: None)
    job = worker.Prediction(WORKS["small"], tmp_path, *(["cpu"] if peer == "torch" else []))
    assert job.parameters == expected_parameters(BOTH_WAYS, peer)
    assert job.units_per_call == 11
    weights = read_arrays(tmp_path / "weights.npz")
    ids, offsets = (np.load(tmp_path / name) for name in ("ids.npy", "offsets.npy"))
    wanted = [probability(weights, ids[start:stop]) for start, stop in pairwise(offsets)]
    assert np.ptp(wanted) > 0.3  # they tell texts apart
    np.testing.assert_allclose(job.probabilities(), wanted, atol=2e-6)


def test_the_texts_to_predict_for_are_of_all_lengths_and_the_same_each_time(monkeypatch, tmp_path):
    small(monkeypatch, tmp_path, Work("", "predict", 500, 48, BOTH_WAYS))
    ids, offsets = np.load(tmp_path / "ids.npy"), np.load(tmp_path / "offsets.npy")
    lengths = np.diff(offsets)
    assert set(lengths) == set(range(WORKS["small"].shortest, 49))
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    assert 0 < ids.min() <= ids.max() < BOTH_WAYS.vocabulary
    data.prepare("small", tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), ids)


def test_batches_from_short_to_long_hold_every_text_once_and_no_more_padding_than_they_need():
    texts = [[5, 6, 7], [8], [1, 2, 3, 4], [9, 9], [3]]
    offsets = np.cumsum([0, *map(len, texts)])
    order, batches = sorted_batches(np.concatenate(texts).astype(np.int32), offsets, 2)
    assert order.tolist() == [1, 4, 3, 0, 2]
    assert [batch.tolist() for batch in batches] == [[[8], [3]], [[9, 9, 0], [5, 6, 7]], [[1, 2, 3, 4]]]
    assert {batch.dtype for batch in batches} == {np.dtype(np.int32)}


def test_there_are_weights_for_the_model_of_the_prediction_alone(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="there are no weights"):
        small(monkeypatch, tmp_path, Work("", "predict", 4, 16, GRU))
