"""Updates by rows of the embedding of every family, in tasks as they are, and from their commands."""

import dataclasses
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_classifiers
from jax import tree_util

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RNNConfig,
    SGDConfig,
    TrainConfig,
    TransformerConfig,
    WindowBagConfig,
)
from jaxseq.errors import InputError
from jaxseq.memory import size_of
from jaxseq.ops.objective import LossContext
from jaxseq.runs.load import load_run
from jaxseq.runs.memory import training_parts
from jaxseq.runs.train import train_run
from jaxseq.tasks import Workspace
from jaxseq.tasks.task import task_of
from jaxseq.training.gradients import loss_gradients, row_gradients
from jaxseq.training.optim import make_optimizer
from jaxseq.training.row_updates import tables_of

ROWS = SGDConfig(learning_rate=0.1, rows=True)
SAMPLED = LanguageModelingConfig(prompt="w1", sample_length=5, objective="sampled", samples=12)
FULL = dataclasses.replace(SAMPLED, objective="full", samples=LanguageModelingConfig().samples)
LANGUAGE_MODELS = {
    "lstm": (RNNConfig(features=8, embedding=6), FULL),
    "transformer": (TransformerConfig(features=8, heads=2, layers=1, tie_embedding=False), FULL),
    "window bag": (WindowBagConfig(features=4), FULL),
    # The words drawn are looked up too.
    "sampled, tied": (RNNConfig(features=8, embedding=8, tie_embedding=True), SAMPLED),
}


@pytest.fixture
def experiments(tmp_path):
    """Of every family, by name."""
    words = [f"w{rank}" for rank in range(40)]
    text = " ".join(np.random.default_rng(0).choice(words, 3000, p=np.arange(40, 0, -1) / 820))
    (tmp_path / "a.txt").write_text(text)
    small_classifiers.write_table(tmp_path / "reviews.csv", 200)
    source = {"source": str(tmp_path / "a.txt"), "tokenizer": "word", "length": 6, "batch_size": 4}
    made = {
        name: ExperimentConfig(
            task=task, data=CorpusConfig(**source), model=model, optimizer=ROWS, train=TrainConfig(devices=1, steps=4)
        )
        for name, (model, task) in LANGUAGE_MODELS.items()
    }
    for name in small_classifiers.MODELS:
        one = small_classifiers.experiment(tmp_path / "reviews.csv", name)
        made[name] = dataclasses.replace(one, optimizer=ROWS)
    return made


@pytest.mark.parametrize("name", [*LANGUAGE_MODELS, "bag", "birnn", "nbsvm", "encoder"])
def test_gradients_by_rows_are_those_of_whole_embeddings(experiments, name):
    experiment = experiments[name]
    task = task_of(experiment).create(experiment, Workspace())
    variables, loader = task.init(jax.random.key(0)), task.loader("train", train=True)
    carry, batch = task.initial_carry(loader.batch_size), loader(0)
    tables = tables_of(variables["params"], make_optimizer(ROWS, steps=1))
    assert len(tables) == 1

    @jax.jit
    def both(variables, carry, batch):
        given = (task.loss, variables, carry, batch, LossContext(jnp.int32(0), jax.random.key(1)))
        return loss_gradients(*given), row_gradients(*given, tables=tables)

    (dense, wanted), (others, looked_up, output) = both(variables, carry, batch)
    assert float(output.tallies["loss"].total) == pytest.approx(float(wanted.tallies["loss"].total), rel=1e-6)
    for i, (path, leaf) in enumerate(tree_util.tree_leaves_with_path(dense)):
        found = others.get(i)
        if found is None:
            ids, rows = looked_up[i]
            found = jnp.zeros(leaf.shape).at[ids].add(rows, mode="drop")
            assert np.abs(leaf).max() > 0
        np.testing.assert_allclose(found, leaf, rtol=1e-5, atol=1e-6, err_msg=tree_util.keystr(path))


def test_a_run_gives_the_parameters_and_metrics_of_whole_tables_and_goes_on(experiments, tmp_path):
    with_rows = dataclasses.replace(experiments["bag"], train=TrainConfig(steps=8, log_every=2, devices=1))
    with_rows = dataclasses.replace(with_rows, optimizer=dataclasses.replace(ROWS, learning_rate=0.5))
    whole = dataclasses.replace(with_rows, optimizer=dataclasses.replace(with_rows.optimizer, rows=False))
    cut = dataclasses.replace(with_rows, train=dataclasses.replace(with_rows.train, steps=4))
    for name, experiment in (("rows", with_rows), ("whole", whole), ("cut", cut), ("cut", with_rows)):
        train_run(experiment, tmp_path / name)
    rows, tables, resumed = (load_run(tmp_path / name).variables["params"] for name in ("rows", "whole", "cut"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), rows, tables)
    jax.tree.map(np.testing.assert_array_equal, rows, resumed)
    assert json.loads((tmp_path / "rows" / "config.json").read_text())["optimizer"]["rows"] is True


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        (
            "lstm",
            {"embedding": 8, "tie_embedding": True},
            r"the parameter embedding is used as a whole.*tie_embedding",
        ),
        ("transformer", {"tie_embedding": True}, r"the parameter embedding is used as a whole.*tie_embedding"),
        ("lstm", {"embedding": 0}, "the model has no embedding to look rows up in"),
    ],
)
def test_a_model_whose_embedding_is_not_only_looked_up_is_refused_before_anything_is_written(
    experiments, tmp_path, unchecked, name, model, told
):
    experiment = experiments[name]
    experiment = dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, **model))
    with pytest.raises(InputError, match=rf"^optimizer\.rows is true, and .*{told}") as caught:
        train_run(experiment, tmp_path / "run")
    assert re.fullmatch(r".+", str(caught.value))
    assert not (tmp_path / "run" / "config.json").exists()


def test_no_gradient_of_a_table_is_counted_as_memory(experiments):
    experiment = experiments["bag"]
    task = task_of(experiment).create(experiment, Workspace())
    params = task.init(jax.random.key(0))["params"]
    optimizer = make_optimizer(ROWS, steps=1)
    size = {part.what: part.size for part in training_parts(experiment, task, optimizer)}
    table = size_of(params["body"]["embedding"]["table"])
    assert size["parameters and their gradients"] == 2 * size_of(params) - table
