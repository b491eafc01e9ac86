"""What a classifier may do with vectors that are given: their words as its vocabulary, no gradient; and few texts."""

import dataclasses

import jax
import numpy as np
import pytest
from small_classifiers import experiment

from jaxseq.config import AdamWConfig, ClassificationConfig, LabelledConfig, NBSVMConfig, RNNConfig, TrainConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import LossContext
from jaxseq.runs.load import load_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification, Workspace
from jaxseq.tasks.classification.classifiers import build_classifier, init_classifier
from jaxseq.tasks.classification.starting_vectors import unknown_vector


@pytest.fixture
def config(tables, tmp_path):
    """An experiment whose vectors know a word that no text has, and two that stand for none."""
    rng = np.random.default_rng(0)
    words = np.array(["<pad>", "<unk>", "good", "never", "bad", "the"])
    np.savez(tmp_path / "v.npz", words=words, vectors=rng.standard_normal((6, 8)).astype(np.float32))
    base = experiment(tables, "bag")
    return dataclasses.replace(base, task=dataclasses.replace(base.task, vectors=str(tmp_path / "v.npz")))


def with_task(config, **fields):
    return dataclasses.replace(config, task=dataclasses.replace(config.task, **fields))


def with_data(config, **fields):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **fields))


def test_the_words_of_the_vectors_are_those_of_the_vocabulary(config, tmp_path):
    task = Classification.create(with_task(config, vocabulary="vectors"), Workspace())
    assert task.tokenizer.vocabulary.symbols == ("<pad>", "<unk>", "good", "never", "bad", "the")
    with np.load(tmp_path / "v.npz") as file:
        table = task.init(jax.random.key(0))["params"]["body"]["embedding"]["table"]
        np.testing.assert_array_equal(table, file["vectors"])  # of the unknown word and of padding too
    fewer = Classification.create(with_data(with_task(config, vocabulary="vectors"), max_words=2), Workspace())
    assert fewer.tokenizer.vocabulary.symbols == ("<pad>", "<unk>", "good", "never")


def test_a_word_that_the_file_has_twice_is_told(config, tmp_path):
    (tmp_path / "twice.txt").write_text("good 1 2 3 4 5 6 7 8\n" * 3)
    remarks = []
    Classification.create(with_task(config, vectors=str(tmp_path / "twice.txt")), Workspace(tell=remarks.append))
    told = "twice.txt: 2 records are of a word that was there before, whose first vector counts"
    assert [remark.rpartition("/")[2] for remark in remarks] == [told]


def test_a_vocabulary_of_vectors_needs_words_and_a_file(config):
    with pytest.raises(InputError, match=r"task\.vocabulary is 'vectors' and data\.tokenizer is 'char': take word"):
        Classification.create(with_data(with_task(config, vocabulary="vectors"), tokenizer="char"), Workspace())
    with pytest.raises(ConfigError, match=r"task\.vocabulary is 'vectors': give task\.vectors"):
        ClassificationConfig(vocabulary="vectors")


@pytest.mark.parametrize("kind", ["drawn", "one", "zero", "mean", "furthest"])
def test_words_without_a_vector_begin_with_what_was_chosen(config, kind, tmp_path):
    task = Classification.create(with_task(config, unknown_vectors=kind), Workspace())
    table = np.asarray(task.init(jax.random.key(0))["params"]["body"]["embedding"]["table"])
    with np.load(tmp_path / "v.npz") as file:
        given = dict(zip(file["words"], file["vectors"], strict=True))
    symbols = task.tokenizer.vocabulary.symbols
    known = np.array([symbol in given for symbol in symbols])
    own, others = table[known], table[~known]
    np.testing.assert_array_equal(own, [given[symbol] for symbol in symbols if symbol in given])
    assert len(others) >= 2
    distinct = len(np.unique(others, axis=0))
    assert distinct == (len(others) if kind == "drawn" else 1)
    if kind in ("zero", "mean"):
        np.testing.assert_allclose(others[0], 0 if kind == "zero" else own.mean(0), rtol=1e-5, atol=1e-6)


def test_the_furthest_vector_is_as_long_as_others_and_no_direction_has_a_lower_sum_of_cosines():
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 3)) + np.array([1, 2, 0])).astype(np.float32)
    found = unknown_vector("furthest", vectors)
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(vectors, axis=1).mean(), rel=1e-5)

    def cosines(directions):
        units = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
        return (units @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T).sum(-1)

    assert cosines(found) <= cosines(rng.standard_normal((20_000, 3))).min() + 1e-3
    np.testing.assert_array_equal(unknown_vector("furthest", np.zeros((0, 3), np.float32)), np.zeros(3))
    np.testing.assert_array_equal(unknown_vector("furthest", np.zeros((4, 3), np.float32)), np.zeros(3))
    opposite = np.array([[1, 0], [-1, 0]], np.float32)  # no direction is further than another
    np.testing.assert_array_equal(unknown_vector("furthest", opposite), np.zeros(2))


def test_unknown_words_may_be_passed_over(config):
    task = Classification.create(with_data(with_task(config, vocabulary="vectors"), unknown="drop"), Workspace())
    assert task.tokenizer.vocabulary.symbols == ("<pad>", "good", "never", "bad", "the")
    assert task.tokenizer.encode("the film was never good").tolist() == [4, 2, 1]
    with pytest.raises(ConfigError, match=r"data\.unknown is 'drop': they have buckets, leave it at unk"):
        LabelledConfig(unknown="drop", buckets=10)
    with pytest.raises(ConfigError, match=r"data\.unknown is 'drop': the tokenizer char has no words"):
        LabelledConfig(unknown="drop", tokenizer="char")
    with pytest.raises(ConfigError, match=r"task\.unknown_vectors is 'zero': give task\.vectors"):
        ClassificationConfig(unknown_vectors="zero")


def test_parameters_of_a_layer_over_all_steps_are_those_of_the_classic_network():
    """Keras: LSTM(50) on 300 numbers, Flatten, Dense(1): 70,200 + 20,001, at 200 tokens 10,001."""
    for length, head in ((400, 20_001), (200, 10_001)):
        model = build_classifier(
            ClassificationConfig(pooling=("flatten",), dropout=0.2),
            RNNConfig(cell="lstm", features=50, embedding=300),
            vocabulary_size=10,
            classes=2,
            length=length,
        )
        shapes = jax.eval_shape(lambda model=model: init_classifier(model, jax.random.key(0)))["params"]
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes["body"]["layer_0"])) == 70_200
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes["head"])) == head


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_embedding_stays_as_it_was_and_all_else_is_trained(config, tmp_path, frozen):
    config = dataclasses.replace(with_task(config, freeze_vectors=frozen), train=TrainConfig(steps=5, devices=1))
    before = Classification.create(config, Workspace()).init(jax.random.key(0))["params"]
    train_run(config, tmp_path / "run")
    after = load_run(tmp_path / "run").params
    same = jax.tree.map(np.array_equal, before, after)
    assert same["body"]["embedding"]["table"] == frozen
    assert not same["head"]["hidden"]["kernel"]


def test_the_gradient_of_a_frozen_embedding_is_zero_and_the_loss_is_the_same(config):
    losses, gradients = [], []
    for frozen in (True, False):
        task = Classification.create(with_task(config, freeze_vectors=frozen), Workspace())
        batch = task.loader("train", train=True)(0)

        def loss(params, task=task, batch=batch):
            return task.loss({"params": params}, None, batch, LossContext()).tallies["loss"].total

        value, gradient = jax.jit(jax.value_and_grad(loss))(task.init(jax.random.key(0))["params"])
        losses.append(float(value))
        gradients.append(np.abs(gradient["body"]["embedding"]["table"]).max())
    assert losses[0] == losses[1]
    assert gradients[0] == 0 < gradients[1]


def test_freezing_is_refused_where_there_is_nothing_to_freeze_or_weights_decay(config):
    frozen = with_task(config, freeze_vectors=True)
    with pytest.raises(ConfigError, match=r"task\.freeze_vectors is True: optimizer\.weight_decay would shrink them"):
        Classification.create(dataclasses.replace(frozen, optimizer=AdamWConfig(weight_decay=0.1)), Workspace())
    sums = dataclasses.replace(
        frozen,
        model=NBSVMConfig(),
        task=ClassificationConfig(pooling=("sum",), head="bias", freeze_vectors=True),
    )
    with pytest.raises(ConfigError, match=r"task\.freeze_vectors is True and model\.kind is 'nbsvm'"):
        Classification.create(sums, Workspace())


def test_few_texts_are_drawn_from_each_class_and_validation_is_as_before(config):
    whole = Classification.create(config, Workspace())
    few = Classification.create(with_data(config, examples=20), Workspace())
    assert few.texts is not None
    assert whole.texts is not None
    assert sorted(few.texts["train"].labels) == ["neg"] * 10 + ["pos"] * 10
    assert few.texts["validation"] == whole.texts["validation"]
    assert not set(few.texts["train"].texts) - set(whole.texts["train"].texts)
    assert Classification.create(with_data(config, examples=5_000), Workspace()).texts == whole.texts
    other = dataclasses.replace(with_data(config, examples=20), train=TrainConfig(seed=1))
    assert Classification.create(other, Workspace()).texts != few.texts
