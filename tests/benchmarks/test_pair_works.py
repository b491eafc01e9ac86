"""The works with encoder-decoders: one's data, and that everybody computes the same with the same weights."""

import dataclasses

import numpy as np
import pytest

from benchmarks import check, pairs
from benchmarks.workers import jaxseq_worker, keras_pairs, torch_pairs, torch_search
from benchmarks.workers.arrays import read_arrays
from benchmarks.works import WORKS, Work
from jaxseq.config import (
    ExperimentConfig,
    PairsConfig,
    Seq2SeqConfig,
    Seq2SeqTransformerConfig,
    TrainConfig,
    TranslationConfig,
)
from jaxseq.decoding.beam import Beam

TRANSFORMER = Seq2SeqTransformerConfig(features=16, layers=1, heads=2, mlp_ratio=2, dropout=0.2)
LOOKING = {"features": 16, "embedding": 12, "bidirectional": True, "input_feeding": True}
LOOKING |= {"input_dropout": 0.2, "output_dropout": 0.2}
GENERAL = Seq2SeqConfig(attention="general", **LOOKING)
ADDITIVE = Seq2SeqConfig(attention="additive", use_scale=True, **LOOKING)


@pytest.fixture(autouse=True)
def few_threads():
    """As many as PyTorch had: its workers choose their own."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def few_words() -> str:
    """A table of sixty sentences of one to five words, of six that there are: whatever begins ends soon."""
    draw = np.random.default_rng(0)
    sentences = [" ".join(draw.choice(list("abcdef"), draw.integers(1, 6))) for _ in range(60)]
    return "".join(f"{sentence}\t{sentence.upper()}\n" for sentence in sentences)


def small(monkeypatch, folder, model, work, table=None):
    """Data of the work for this model, in some shapes of made-up sentences."""

    def experiment(work: Work, folder) -> ExperimentConfig:
        path = folder / "pairs.tsv"
        path.write_text(table or pairs._made_up_table(), encoding="utf-8")
        joint, lengths = model is not GENERAL, 1 if table else 3
        return ExperimentConfig(
            task=TranslationConfig(label_smoothing=0.1, longest=8),
            data=PairsConfig(source=str(path), split=(1.0, 0.0, 0.0), joint=joint, batch_size=8, lengths=lengths),
            model=model,
            train=TrainConfig(metric="bleu", devices=1),
        )

    monkeypatch.setattr(pairs, "experiment", experiment)
    monkeypatch.setattr(pairs, "_MADE_UP", 200)
    monkeypatch.setattr(pairs, "_UPDATES", 200)
    monkeypatch.setattr(pairs.data, "published", lambda name: None)
    pairs.prepare(work, folder)


@pytest.mark.parametrize("model", [TRANSFORMER, GENERAL, ADDITIVE], ids=["transformer", "general", "additive"])
def test_the_same_weights_give_the_same_losses_update_after_update(model, monkeypatch, tmp_path):
    work = Work("", "train", experiment="small")
    small(monkeypatch, tmp_path, model, work)
    ours = jaxseq_worker.Training(work, tmp_path, "cpu")
    theirs = torch_pairs.Training(work, tmp_path, "cpu", compiled=False)
    assert ours.units_per_call == theirs.units_per_call == pairs.LAP
    shapes = {tuple(batch[0].shape) for batch in theirs.batches}
    assert len(shapes) == 3
    everybody = {"jaxseq": ours, "torch": theirs, "keras": keras_pairs.Training(tmp_path)}
    losses = {name: {"losses": training.losses(2)} for name, training in everybody.items()}
    assert len(set(losses["torch"]["losses"])) == 2
    for name in ("torch", "keras"):
        np.testing.assert_allclose(losses["jaxseq"]["losses"], losses[name]["losses"], rtol=1e-4)
    assert check.drifts(losses) == []
    if model is ADDITIVE:
        everybody["keras"].run(1)  # through an endless fit, which takes batches of several shapes


@pytest.mark.parametrize(("batch", "count"), [(50, 60), (1, 20)])
def test_both_searches_find_the_same_hypotheses(monkeypatch, tmp_path, batch, count):
    work = Work("", "translate", batch, count, experiment="small", beam=3)
    small(monkeypatch, tmp_path, TRANSFORMER, work, few_words())
    ours, theirs = jaxseq_worker.jaxseq_pairs.Search(work, tmp_path), torch_search.Search(work, tmp_path, "cpu")
    assert ours.units_per_call == theirs.units_per_call == count
    assert ours.beam == Beam(3, length_penalty=0.6, forbidden=ours.beam.forbidden)
    own, other = ours.hypotheses(), theirs.hypotheses()
    assert own == other
    ended = [ids for ids in own if ids[-1] == theirs.end]
    assert len(ended) > 0
    assert len({len(ids) for ids in own}) > 1


def test_a_search_may_take_the_weights_of_a_run(monkeypatch, tmp_path):
    work = Work("", "translate", 50, 60, experiment="small", beam=2)
    small(monkeypatch, tmp_path, TRANSFORMER, work, few_words())
    task = pairs.opened(
        jaxseq_worker.jaxseq_pairs.from_json((tmp_path / pairs.EXPERIMENT).read_text()),
        (tmp_path / pairs.TOKENIZERS).read_bytes(),
    )
    arrays = read_arrays(tmp_path / pairs.WEIGHTS)

    @dataclasses.dataclass
    class Loaded:
        task: object
        params: object

    seen = []
    monkeypatch.setattr(
        pairs,
        "load_run",
        lambda run: seen.append(run) or Loaded(task, pairs.nested({n: a + 1 for n, a in arrays.items()})),
    )
    pairs.prepare(work, tmp_path, tmp_path / "run")
    assert seen == [tmp_path / "run"]
    for name, array in read_arrays(tmp_path / pairs.WEIGHTS).items():
        np.testing.assert_array_equal(array, arrays[name] + 1)


def test_the_check_names_whose_loss_leaves_the_others_and_where():
    good = {"losses": [5.0, 4.0, 3.0]}
    strange = {"losses": [5.0, 4.1, 3.4]}
    (line,) = check.drifts({"jaxseq": good, "torch": good, "keras-jax": strange})
    assert line == "the loss of keras-jax before update 2 is 4.1000, that of the others 4.0000"
    (line,) = check.drifts({"jaxseq": good, "torch": good, "keras-jax": {"losses": [float("nan")] * 3}})
    assert "before update 1" in line
    assert check.drifts({}) == []


def test_the_check_counts_other_hypotheses_and_names_their_sentences():
    ours = {"hypotheses": [[1, 2], [3], [4, 5]]}
    assert check.differences({"jaxseq": ours, "torch": ours}) == []
    (line,) = check.differences({"jaxseq": ours, "torch": {"hypotheses": [[1, 2], [6], [4]]}})
    assert line == "2 of 3 hypotheses of torch are not jaxseq's: 1, 2"
    assert check.differences({}) == []


def test_parameters_by_their_paths_become_a_tree_again():
    tree = {"a": {"b": np.ones(2), "c": np.zeros(1)}, "d": np.ones(3)}
    flat = pairs.named(tree)
    assert list(flat) == ["a/b", "a/c", "d"]
    assert pairs.nested(flat).keys() == tree.keys()
    np.testing.assert_array_equal(pairs.nested(flat)["a"]["b"], tree["a"]["b"])


def test_every_work_of_an_encoder_decoder_names_its_configuration_and_a_peer_that_does_it():
    named = {name: work for name, work in WORKS.items() if work.experiment and not work.pictures}
    assert named.keys() == {"multi30k-transformer", "seq2seq-attention", "beam-search-1", "beam-search-64"}
    assert all(work.flop == 0 and work.target for work in named.values())
