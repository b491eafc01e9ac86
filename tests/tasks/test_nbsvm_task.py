"""The NBSVM as a classifier: against logistic regression on scaled features, by NumPy and by scikit-learn."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from jaxseq.config import (
    AdamWConfig,
    BagConfig,
    ClassificationConfig,
    ExperimentConfig,
    LabelledConfig,
    NBSVMConfig,
    TrainConfig,
)
from jaxseq.errors import ConfigError
from jaxseq.ops.objective import EVALUATION
from jaxseq.runs.load import load_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Classification, Workspace

TRAIN = [
    ("good good film", "pos"),
    ("a great film", "pos"),
    ("good , not great", "pos"),
    ("bad film", "neg"),
    ("not good , bad", "neg"),
    ("a sad sad film", "neg"),
]
WORDS = sorted({word for text, _ in TRAIN for word in text.split()})


def experiment(tmp_path, train=TRAIN, **sections) -> ExperimentConfig:
    for name, rows in (("train", train), ("test", [("sad , but great", "pos"), ("", "neg")])):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in [("text", "label"), *rows]))
    config = ExperimentConfig(
        name="nbsvm",
        task=ClassificationConfig(pooling=("sum",), head="bias"),
        data=LabelledConfig(source=str(tmp_path), validation=0, distinct=True, length=8, batch_size=6),
        model=NBSVMConfig(),
        optimizer=AdamWConfig(learning_rate=0.1, weight_decay=0.01),
        train=TrainConfig(steps=20, log_every=10, devices=1),
    )
    return dataclasses.replace(config, **sections)


def matrix(texts) -> np.ndarray:
    """[n, w] float64: 1 where a text has one of WORDS."""
    return np.array([[float(word in text.split()) for word in WORDS] for text in texts])


def ratios_by_word(smoothing: float, size: int) -> dict[str, float]:
    p, q = ({word: sum(word in text.split() for text, b in TRAIN if b == a) for word in WORDS} for a in ("pos", "neg"))
    total = math.log((sum(p.values()) + smoothing * size) / (sum(q.values()) + smoothing * size))
    return {word: math.log((p[word] + smoothing) / (q[word] + smoothing)) - total for word in WORDS}


def ids_of(task) -> list[int]:
    return [task.tokenizer.vocabulary.id_of(word) for word in WORDS]


def weighted(task, weights, bias: float):
    """The task's variables with weights [w] for WORDS; all other tokens keep 0."""
    variables = task.init(jax.random.key(0))
    params = variables["params"]
    table = params["body"]["weights"]["table"].at[np.array(ids_of(task)), 0].set(np.asarray(weights, np.float32))
    body = {"weights": {"table": table}}
    return {**variables, "params": {"body": body, "head": {"output": {"bias": np.array([bias], np.float32)}}}}


@pytest.mark.parametrize("smoothing", [1.0, 0.25])
def test_the_ratios_are_those_of_the_texts_to_train_on(tmp_path, smoothing):
    task = Classification.create(experiment(tmp_path, model=NBSVMConfig(smoothing=smoothing)), Workspace())
    found = task.init(jax.random.key(0))["statistics"]["body"]["ratios"]
    expected = ratios_by_word(smoothing, task.tokenizer.vocabulary_size)
    np.testing.assert_allclose(found[np.array(ids_of(task)), 0], [expected[word] for word in WORDS], rtol=1e-5)
    assert np.count_nonzero(found) <= len(WORDS)


def test_loss_gradient_and_probabilities_are_those_of_logistic_regression(tmp_path):
    task = Classification.create(experiment(tmp_path), Workspace())
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=len(WORDS)).astype(np.float32), 0.3
    variables = weighted(task, weights, bias)
    batch = task.loader("train", train=False, rows=8)(0)

    x = matrix([text for text, _ in TRAIN]) * np.array([*ratios_by_word(1, task.tokenizer.vocabulary_size).values()])
    y = np.array([label == "pos" for _, label in TRAIN])
    p = 1 / (1 + np.exp(-(x @ weights + bias)))
    np.testing.assert_allclose(task.probabilities(variables, task.part("train").tokens)[:, 1], p, rtol=1e-5)

    def loss(params):
        return task.loss({**variables, "params": params}, None, batch, EVALUATION).tallies["loss"].total

    value, gradient = jax.jit(jax.value_and_grad(loss))(variables["params"])
    np.testing.assert_allclose(value, -np.log(np.where(y, p, 1 - p)).sum(), rtol=1e-5)
    table = gradient["body"]["weights"]["table"]
    np.testing.assert_allclose(table[np.array(ids_of(task)), 0], x.T @ (p - y), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradient["head"]["output"]["bias"], [(p - y).sum()], rtol=1e-4)


def test_at_the_optimum_that_scikit_learn_finds_the_gradient_is_that_of_its_penalty(tmp_path):
    linear_model = pytest.importorskip("sklearn.linear_model")
    task = Classification.create(experiment(tmp_path), Workspace())
    x = matrix([text for text, _ in TRAIN]) * np.array([*ratios_by_word(1, task.tokenizer.vocabulary_size).values()])
    fitted = linear_model.LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000).fit(x, [b for _, b in TRAIN])
    variables = weighted(task, fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0]))
    np.testing.assert_allclose(
        task.probabilities(variables, task.part("train").tokens), fitted.predict_proba(x), rtol=1e-4
    )
    batch = task.loader("train", train=False, rows=6)(0)
    gradient = jax.grad(
        lambda params: task.loss({**variables, "params": params}, None, batch, EVALUATION).tallies["loss"].total
    )(variables["params"])
    found = gradient["body"]["weights"]["table"][np.array(ids_of(task)), 0]
    np.testing.assert_allclose(found, -fitted.coef_[0] / 2.0, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(gradient["head"]["output"]["bias"], 0, atol=1e-5)


def test_an_empty_text_and_unknown_words_leave_the_bias(tmp_path):
    task = Classification.create(experiment(tmp_path), Workspace())
    variables = weighted(task, np.ones(len(WORDS)), 0.7)
    found = [each.probabilities["pos"] for each in task.predict(variables, ["", "never seen"])]
    np.testing.assert_allclose(found, 1 / (1 + math.exp(-0.7)), rtol=1e-6)


def test_a_word_counts_once_however_often_it_stands(tmp_path):
    task = Classification.create(experiment(tmp_path), Workspace())
    variables = weighted(task, np.ones(len(WORDS)), 0)
    once, thrice = task.predict(variables, ["sad film", "sad film sad film sad"])
    assert once.probabilities == thrice.probabilities
    plain = experiment(tmp_path, data=dataclasses.replace(task.data, distinct=False))
    once, thrice = Classification.restore(plain, task.artifacts()).predict(
        variables, ["sad film", "sad film sad film sad"]
    )
    assert once.probabilities["neg"] < thrice.probabilities["neg"]


def test_a_checkpoint_has_the_ratios_and_needs_no_data(tmp_path):
    (tmp_path / "data").mkdir()
    config = experiment(tmp_path / "data")
    expected = Classification.create(config, Workspace()).init(jax.random.key(0))["statistics"]
    train_run(config, tmp_path / "run")
    for file in (tmp_path / "data").iterdir():
        file.unlink()
    run = load_run(tmp_path / "run")
    np.testing.assert_array_equal(run.variables["statistics"]["body"]["ratios"], expected["body"]["ratios"])
    assert [each.label for each in run.task.predict(run.variables, ["good , great", "bad and sad"])] == ["pos", "neg"]


def test_three_classes_have_a_weight_each(tmp_path):
    config = experiment(tmp_path, [*TRAIN, ("so so", "mid"), ("so so film", "mid")])
    task = Classification.create(config, Workspace())
    variables = task.init(jax.random.key(0))
    assert variables["params"]["body"]["weights"]["table"].shape == (task.tokenizer.vocabulary_size, 3)
    assert variables["params"]["head"]["output"]["bias"].shape == (3,)
    ratios = variables["statistics"]["body"]["ratios"][task.tokenizer.vocabulary.id_of("so")]
    assert ratios.argmax() == task.classes.index("mid")


def test_what_does_not_fit_is_refused(tmp_path):
    config = experiment(tmp_path)
    with pytest.raises(ConfigError, match=r"task\.head is 'bias' and 8 features are no logits: 2 classes have 1"):
        Classification.create(dataclasses.replace(config, model=BagConfig(features=8)), Workspace())
    task = dataclasses.replace(config.task, vectors="vectors.txt")
    with pytest.raises(ConfigError, match=r"task\.vectors is given and model\.kind is 'nbsvm'"):
        Classification.create(dataclasses.replace(config, task=task), Workspace())
    logistic = dataclasses.replace(config, model=BagConfig(features=1))
    assert Classification.create(logistic, Workspace()).init(jax.random.key(0))["params"]["head"]["output"].keys() == {
        "bias"
    }
