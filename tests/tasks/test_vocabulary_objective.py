"""Sampled and adaptive softmax as objectives of a language model."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    LinesConfig,
    RNNConfig,
    TrainConfig,
    TransformerConfig,
)
from jaxseq.decoding import generate
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import EVALUATION, LossContext
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.runs.train import train_run
from jaxseq.tasks import LanguageModeling, Workspace

WORDS = [f"w{rank}" for rank in range(40)]
TEXT = " ".join(np.random.default_rng(0).choice(WORDS, 3000, p=np.arange(40, 0, -1) / 820))


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    return ExperimentConfig(
        task=LanguageModelingConfig(prompt="w1", sample_length=5),
        data=CorpusConfig(source=str(tmp_path / "a.txt"), tokenizer="word", length=6, batch_size=4),
        model=RNNConfig(features=8, embedding=8),
        train=TrainConfig(devices=1),
    )


def with_task(experiment, **fields):
    return dataclasses.replace(experiment, task=dataclasses.replace(experiment.task, **fields))


def with_model(experiment, **fields):
    return dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, **fields))


def made(experiment) -> LanguageModeling:
    return LanguageModeling.create(experiment, Workspace())


def losses(task, context=EVALUATION):
    variables, batch = task.init(jax.random.key(0)), task.loader("train", train=True)(0)
    tallies = task.loss(variables, task.initial_carry(4), batch, context).tallies
    return float(tallies["loss"].total), float(tallies["loss"].count)


SAMPLED = {"objective": "sampled", "samples": 12}


@pytest.mark.parametrize("sampler", ["log_uniform", "unigram"])
@pytest.mark.parametrize("tie_embedding", [False, True])
def test_the_sampled_loss_is_another_in_training_only_and_by_the_key(experiment, sampler, tie_embedding):
    experiment = with_model(experiment, tie_embedding=tie_embedding)
    full, sampled = made(experiment), made(with_task(experiment, sampler=sampler, **SAMPLED))
    assert losses(sampled) == losses(full)
    one, again, other = (losses(sampled, LossContext(key=jax.random.key(seed))) for seed in (0, 0, 1))
    assert one == again != other
    assert one[0] != losses(full, LossContext(key=jax.random.key(0)))[0]
    shapes = [jax.tree.map(np.shape, task.init(jax.random.key(0))) for task in (full, sampled)]
    assert shapes[0] == shapes[1]  # parameters have the names and shapes of the full softmax


def test_with_as_many_samples_as_there_are_other_words_the_loss_is_nearly_full(experiment):
    full = made(experiment)
    errors = []
    for samples in (10, 20, 39):
        sampled = made(with_task(experiment, objective="sampled", samples=samples))
        found = np.mean([losses(sampled, LossContext(key=jax.random.key(seed)))[0] for seed in range(20)])
        errors.append(abs(found - losses(full)[0]))
    assert errors[2] < 1e-2 * losses(full)[0]
    assert errors[2] <= min(errors)


def test_an_adaptive_model_is_evaluated_and_sampled_as_others(experiment):
    task = made(with_task(experiment, objective="adaptive", cutoffs=(8, 20)))
    variables = task.init(jax.random.key(0))
    logits, _ = task.model.apply(variables, np.array([[3, 1]]))
    np.testing.assert_allclose(np.exp(logits).sum(-1), 1, rtol=1e-5)
    metrics = SplitEvaluator(task.evaluations("test")["windows"], devices=1)(variables)
    assert metrics["loss"] == pytest.approx(np.log(40), rel=0.1)
    ids = generate(task.model, variables["params"], np.array([3]), length=4, key=jax.random.key(0))
    assert ((ids >= 0) & (ids < 40)).all()
    assert LanguageModeling.restore(task.experiment, task.artifacts()) == task


def test_each_objective_learns_what_the_text_has(experiment, tmp_path):
    bound = -np.sum(np.arange(40, 0, -1) / 820 * np.log(np.arange(40, 0, -1) / 820))
    for name, fields in {"sampled": SAMPLED, "adaptive": {"objective": "adaptive", "cutoffs": (8, 20)}}.items():
        config = dataclasses.replace(
            with_task(experiment, **fields), name=name, train=TrainConfig(steps=400, devices=1)
        )
        result = train_run(config, tmp_path / name)
        assert result.validation is not None
        assert result.validation["loss"] < np.log(40) - 0.5 * (np.log(40) - bound)


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        ({"objective": "sampled", "samples": 40}, {}, r"task\.samples is 40 and the vocabulary has 40: draw fewer"),
        ({"objective": "adaptive", "cutoffs": (8, 40)}, {}, r"task\.cutoffs end with 40 and the vocabulary has 40"),
        (
            {"objective": "adaptive", "cutoffs": (8, 20)},
            {"tie_embedding": True},
            r"task\.objective is 'adaptive' and model\.tie_embedding is True",
        ),
    ],
)
def test_what_does_not_fit_the_vocabulary_is_one_line(experiment, task, model, message):
    with pytest.raises(InputError, match=message):
        made(with_task(with_model(experiment, **model), **task))


@pytest.mark.parametrize("objective", ["sampled", "adaptive"])
def test_words_must_be_numbered_by_frequency_where_ranks_count(experiment, tmp_path, objective):
    fields = {"objective": objective, "samples": 12, "cutoffs": (8, 20)}
    before = made(experiment)
    (tmp_path / "a.txt").write_text(TEXT.replace("w39", "w0").replace("w0", "w39"))
    with pytest.raises(InputError, match=rf"task\.objective is '{objective}': id \d+ \('w\d+'\) was seen .* times"):
        LanguageModeling.create(with_task(experiment, **fields), Workspace(artifacts=before.artifacts()))
    by_counts = with_task(experiment, sampler="unigram", **SAMPLED)
    assert LanguageModeling.create(by_counts, Workspace(artifacts=before.artifacts()))


def test_lines_have_their_counts_without_starts_and_with_ends(experiment, tmp_path):
    (tmp_path / "a.txt").write_text("to be\nto\nbe to\nto to to\n")
    lines = LinesConfig(source=str(tmp_path / "a.txt"), tokenizer="word", split=(0.5, 0.5, 0.0), batch_size=1)
    task = made(dataclasses.replace(experiment, data=lines, task=LanguageModelingConfig(prompt="to")))
    assert task.texts.counts().tolist() == [0, 6, 2, 0, 4]  # padding, to, be, start, end


def test_ties_need_equal_widths_and_are_for_language_models():
    with pytest.raises(ConfigError, match=r"model\.tie_embedding is True: model\.embedding \(3\) must be"):
        RNNConfig(features=4, embedding=3, tie_embedding=True)
    with pytest.raises(ConfigError, match=r"task\.cutoffs is \(5, 5\): give ids that rise"):
        LanguageModelingConfig(cutoffs=(5, 5))
    assert TransformerConfig().tie_embedding
