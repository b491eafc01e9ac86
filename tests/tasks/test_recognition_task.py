"""Recognition, from made-up examples to what a run shows."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxseq.config import (
    AdamConfig,
    BagConfig,
    CornersConfig,
    DetectorConfig,
    ExperimentConfig,
    HandsConfig,
    RecognitionConfig,
    RectanglesConfig,
    TrainConfig,
    load_config,
)
from jaxseq.data import make_rectangles
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import EVALUATION
from jaxseq.reporting.recognition import SHOWCASE_FILES
from jaxseq.runs import train_model
from jaxseq.tasks import Recognition, Workspace

RECTANGLES, _ = load_config(Path(__file__).parents[2] / "configs" / "rectangles.py")
HANDS = ExperimentConfig(
    name="hands",
    task=RecognitionConfig(),
    data=HandsConfig(examples=400, held_out=60, size=(36, 64)),
    model=DetectorConfig(),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=3, devices=1),
)


def with_sections(experiment, **sections) -> ExperimentConfig:
    """`experiment` with some fields of its sections changed."""
    changed = {name: dataclasses.replace(getattr(experiment, name), **fields) for name, fields in sections.items()}
    return dataclasses.replace(experiment, **changed)


def accuracy(experiment, *, steps: int) -> float:
    """On the test split, after so many steps."""
    task = Recognition.create(experiment, Workspace())
    params = task.init(jax.random.key(experiment.train.seed))["params"]
    params = train_model(
        task.loss,
        params,
        task.loader("train", train=True),
        steps=steps,
        optimizer=experiment.optimizer,
        seed=experiment.train.seed,
        steps_per_dispatch=100,
    )
    logits, labels = task.recognizer.logits({"params": params}, task.loader("test", train=False))
    return float(((logits > 0) == labels).mean())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "none"])
def test_the_first_form_fails(activation):
    assert accuracy(with_sections(RECTANGLES, model={"points": (1,), "activation": activation}), steps=2_000) < 0.77


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_the_second_form_succeeds(activation):
    assert accuracy(with_sections(RECTANGLES, model={"activation": activation}), steps=2_000) > 0.99


def test_the_second_form_fails_without_an_activation():
    assert accuracy(with_sections(RECTANGLES, model={"activation": "none"}), steps=1_000) < 0.6


def test_moved_rectangles_need_a_bias_without_which_heights_alone_are_seen():
    moved = with_sections(RECTANGLES, data={"shift": 3.0})
    corners, labels = make_rectangles("test", 50_000, seed=0)
    heights = np.ptp(corners[..., 1], axis=1)
    best = max(((heights < limit) == labels).mean() for limit in np.linspace(0.5, 2, 151))
    assert best == pytest.approx(0.84, abs=0.005)
    assert best - 0.05 < accuracy(moved, steps=6_000) < best + 0.05
    assert accuracy(with_sections(moved, model={"bias": True}), steps=6_000) > 0.99


def test_a_detector_learns_the_colour_of_hands_and_not_their_shape():
    more = with_sections(HANDS, data={"examples": 1_600, "held_out": 400, "batch_size": 16})
    assert accuracy(more, steps=200) > 0.75
    assert accuracy(with_sections(more, data={"alike": 1.0}), steps=100) < 0.6


@pytest.mark.parametrize("experiment", [RECTANGLES, HANDS], ids=["rectangles", "hands"])
def test_artifacts_alone_give_the_task_back(experiment):
    task = Recognition.create(experiment, Workspace())
    again = Recognition.restore(experiment, task.artifacts())
    assert again == task
    assert hash(again) == hash(task)
    assert Recognition.create(experiment, Workspace(artifacts=task.artifacts())) == task
    assert again.has_fingerprint(task.fingerprint())
    other = with_sections(experiment, train={"seed": 7})
    assert not Recognition.create(other, Workspace()).has_fingerprint(task.fingerprint())


def test_pixels_that_a_detector_reads_have_mean_0_and_deviation_1():
    task = Recognition.create(HANDS, Workspace())
    assert task.form is not None
    assert task.form.shape == (36, 64, 3)
    pixels = task.loader("train", train=False, rows=32)(0).inputs
    scaled = (pixels / 255 - np.array(task.form.mean)) / np.array(task.form.deviation)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=0.1)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1, atol=0.1)


@pytest.mark.parametrize("experiment", [RECTANGLES, HANDS], ids=["rectangles", "hands"])
def test_rows_that_fill_a_batch_up_count_for_nothing(experiment):
    task = Recognition.create(with_sections(experiment, data={"held_out": 61}), Workspace())
    variables = jax.tree.map(lambda leaf: leaf + 0.1, task.init(jax.random.key(0)))
    whole = task.loader("test", train=False, rows=64)(0)
    assert whole.valid.sum() == 61
    loss = jax.jit(lambda batch: task.loss(variables, None, batch, EVALUATION).tallies["loss"])
    cut = jax.tree.map(lambda leaf: leaf[whole.valid], whole)
    assert float(loss(whole).count) == 61
    assert float(loss(whole).total) == pytest.approx(float(loss(cut).total), rel=1e-5)


def test_a_run_ends_with_a_report_and_pictures_of_hands_with_the_weights_of_every_place():
    task = Recognition.create(HANDS, Workspace())
    shown = task.showcase(task.init(jax.random.key(0)), jax.random.key(0), step=0)
    assert set(shown.files) == set(SHOWCASE_FILES) == set(Recognition.showcase_files)
    assert all(SHOWCASE_FILES[name](content[:1000]) for name, content in shown.files.items())
    report = shown.files["recognition.txt"].decode()
    _, labels = task.recognizer.logits(task.init(jax.random.key(0)), task.loader("test", train=False))
    assert f"  no hand  100.00% of {(labels == 0).sum()}\n  a hand     0.00% of {labels.sum()}\n" in report
    for sections in ({"places": "mean"}, {"filters": ()}):
        task = Recognition.create(with_sections(HANDS, model=sections), Workspace())
        shown = task.showcase(task.init(jax.random.key(0)), jax.random.key(0), step=0)
        assert ("weights.png" in shown.files) == ("filters" in sections)


def test_a_run_ends_with_the_parameters_of_a_network_of_corners_and_what_it_is_wrong_about():
    task = Recognition.create(with_sections(RECTANGLES, task={"examples": 2}), Workspace())
    params = {
        "point_0": {"kernel": np.array([[1, 0, 0], [0, 1, 0]], np.float32)},
        "point_1": {"kernel": np.array([[-1], [1], [0]], np.float32)},
        "figure": {"kernel": np.ones((4, 1), np.float32)},
    }
    report = task.showcase({"params": params}, jax.random.key(0), step=7).files["recognition.txt"].decode()
    assert report.startswith("recognition of the test split, by the parameters of step 7: 0.00% of 2,000 examples")
    assert "its 13 parameters\n  point_0/kernel  [1.000  0.000  0.000], [0.000  1.000  0.000]\n" in report
    assert "\nwrong about 2,000, of which the first\n" in report
    assert report.count("said: ") == 2
    (corners, *_), labels = task.loader("test", train=False)(0)[:2]
    x, y = corners[0].tolist()
    said, kind = ("tall", "wide") if labels[0] else ("wide", "tall")
    assert f"  {kind}: ({x:.2f}, {y:.2f})  " in report
    assert f"said: {said}, " in report


def test_the_layers_are_told_with_their_outputs():
    task = Recognition.restore(
        with_sections(HANDS, data={"size": (1080, 1920)}),
        {"pictures.json": Recognition.create(HANDS, Workspace()).form._replace(height=1080, width=1920).to_bytes()},
    )
    found = task.layer_outputs()
    assert found.outputs["convolution_0"]["__call__"][0].shape == (8, 216, 384, 16)
    assert found.kinds["convolution_0"] == "Conv"
    assert found.products is not None
    assert dict(found.products()) == {"convolution_0": 216 * 384 * 16 * 75, "unit": 1_327_104}


@pytest.mark.parametrize(
    ("experiment", "changed", "told"),
    [
        (RECTANGLES, {"model": DetectorConfig()}, r"model\.kind is 'detector': for rectangles take corners"),
        (HANDS, {"model": CornersConfig()}, r"model\.kind is 'corners': for hands take detector"),
        (HANDS, {"model": BagConfig()}, r"model\.kind is 'bag': for hands take detector"),
        (HANDS, {"data": ExperimentConfig().data}, r"data\.kind is 'corpus': recognition has examples of its own"),
        (HANDS, {"task": ExperimentConfig().task}, r"task\.kind is 'language_modeling': this task is recognition"),
    ],
)
def test_sections_that_do_not_go_together_are_refused(experiment, changed, told):
    with pytest.raises(ConfigError, match=told):
        Recognition.create(dataclasses.replace(experiment, **changed), Workspace())


def test_pictures_too_small_for_a_kernel_are_refused():
    with pytest.raises(InputError, match=r"pictures of 36 x 64 x 3 do not fit the model: a kernel of 40 .*; change "):
        Recognition.create(with_sections(HANDS, model={"kernel": 40}), Workspace())


def test_artifacts_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"there is no pictures\.json"):
        Recognition.restore(HANDS, {})
    form = Recognition.create(HANDS, Workspace()).artifacts()
    with pytest.raises(InputError, match=r"pictures\.json is of pictures of 36 x 64 x 3, and data\.size is \(40, 64\)"):
        Recognition.restore(with_sections(HANDS, data={"size": (40, 64)}), form)


@pytest.mark.parametrize(
    ("section", "fields", "told"),
    [
        (RectanglesConfig, {"margin": 1.5}, r"data\.margin is 1\.5: between data\.shortest \(0\.5\) and"),
        (RectanglesConfig, {"source": "a.csv"}, r"data\.source is 'a\.csv': examples are made up"),
        (HandsConfig, {"size": (8, 64)}, r"data\.size\[0\] is 8: give a number from 16 to 4,096"),
        (CornersConfig, {"points": ()}, r"model\.points is \(\): give one width or more"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(section, fields, told):
    with pytest.raises(ConfigError, match=told):
        section(**fields)
