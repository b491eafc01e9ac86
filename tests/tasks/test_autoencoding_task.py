"""Autoencoding, from the files of MNIST to what a run shows."""

import dataclasses
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_digits import MODELS, digits, experiment, write_digits

from jaxseq.config import ExperimentConfig, RNNConfig, TrainConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import EVALUATION, LossContext
from jaxseq.reporting.reconstructions import reconstructions_picture
from jaxseq.reporting.summary import format_table, layers_of
from jaxseq.runs.evaluation import evaluate_run
from jaxseq.runs.load import load_run
from jaxseq.runs.train import train_run
from jaxseq.tasks import Autoencoding, Workspace
from jaxseq.tasks.autoencoding.autoencoding import PictureShape

every_form = pytest.mark.parametrize("form", MODELS)


@pytest.fixture
def folder(tmp_path):
    return write_digits(tmp_path / "digits")


def created(folder, form="nearest", **options) -> Autoencoding:
    return Autoencoding.create(experiment(folder, form, **options), Workspace())


def test_a_run_learns_to_give_pictures_back(folder, tmp_path, capsys):
    config = dataclasses.replace(experiment(folder), train=TrainConfig(epochs=30, log_every=10, devices=1))
    run_dir = tmp_path / "run"
    result = train_run(config, run_dir)
    out = capsys.readouterr().out
    assert out.startswith(
        "small: 70 train, 20 validation, 20 test pictures of 8 x 8; codes of 2 x 2 x 2 (8 numbers), 4 "
    )
    task = created(folder)
    mean = task.part("train").pictures.mean(axis=0) / 255
    of_the_mean = cross_entropy(np.clip(mean, 1e-3, 1 - 1e-3), task.part("validation").pictures / 255)
    assert result.validation is not None
    assert result.validation["loss"] < 0.9 * of_the_mean
    (measured,) = evaluate_run(run_dir, split="test").values()
    assert measured.metrics["pictures"] == 20
    assert 0 < measured.metrics["squared_error"] < measured.metrics["loss"] < of_the_mean
    assert (run_dir / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    assert out.rstrip().endswith("codes.npz")


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    return float(-(targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities)).mean())


@every_form
def test_the_loss_is_the_mean_cross_entropy_of_pixels_and_rows_that_fill_up_count_for_nothing(form, folder):
    task = created(folder, form)
    variables = task.init(jax.random.key(0))
    batch = task.loader("test", train=False, rows=32)(0)
    assert batch.valid.sum() == 20
    tallies = jax.jit(lambda batch: task.loss(variables, None, batch, EVALUATION).tallies)(batch)
    pixels = task.part("test").pictures / 255
    logits = np.asarray(task.model.apply(variables, jnp.asarray(pixels, jnp.float32)), np.float64)
    probabilities = 1 / (1 + np.exp(-logits))
    loss, error = tallies["loss"], tallies["squared_error"]
    assert float(loss.count) == float(error.count) == 20
    assert float(loss.total) / 20 == pytest.approx(cross_entropy(probabilities, pixels), rel=1e-5)
    assert float(error.total) / 20 == pytest.approx(np.square(probabilities - pixels).mean(), rel=1e-5)


def test_no_loss_is_below_the_entropy_that_is_told(folder):
    task = created(folder)
    pixels = task.part("train").pictures / 255
    inner = pixels[(pixels > 0) & (pixels < 1)]
    floor = cross_entropy(inner, inner) * inner.size / pixels.size
    assert floor > 0
    assert f"no loss is below {floor:.4f} nats a pixel" in task.overview()


def test_artifacts_alone_give_the_task_back(folder):
    task = created(folder)
    again = Autoencoding.restore(task.experiment, task.artifacts())
    assert again == task
    assert hash(again) == hash(task)
    assert again.digits is None
    assert again.shape == PictureShape(8, 8, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "no JSON"),
        (b"[]", "must hold height, width and channels"),
        (b'{"height": 8, "width": 8}', "must hold"),
        (b'{"height": 8, "width": true, "channels": 1}', "whole numbers above 0"),
        (b'{"height": 0, "width": 8, "channels": 1}', "whole numbers above 0"),
    ],
)
def test_the_shape_in_an_artifact_is_checked(content, told, folder):
    with pytest.raises(InputError, match=told):
        Autoencoding.restore(experiment(folder), {"pictures.json": content})


def test_other_sections_are_refused(folder):
    config = experiment(folder)
    with pytest.raises(ConfigError, match=r"data\.kind is 'corpus': autoencoding reads pictures, take digits"):
        Autoencoding.create(dataclasses.replace(config, data=ExperimentConfig().data), Workspace())
    with pytest.raises(ConfigError, match=r"model\.kind is 'rnn': autoencoding trains an autoencoder"):
        Autoencoding.create(dataclasses.replace(config, model=RNNConfig()), Workspace())


def test_pictures_that_would_come_back_in_another_size_are_refused_before_anything_is_written(folder, tmp_path):
    config = experiment(folder)
    model = dataclasses.replace(config.model, upsamplings=1)
    with pytest.raises(InputError) as caught:
        train_run(dataclasses.replace(config, model=model), tmp_path / "run")
    assert str(caught.value) == (
        "the model does not fit pictures of 8 x 8: pictures of 8 x 8 come back as 4 x 4 (by way of 8 x 8, 4 x 4, 2 x 2 "
        "and 2 x 2, 4 x 4); change model.poolings, model.upsamplings or the paddings"
    )
    assert not (tmp_path / "run").exists()


def test_pictures_of_another_size_are_none_for_a_trained_model(folder, tmp_path):
    task = created(folder)
    other = experiment(write_digits(tmp_path / "larger", side=12))
    with pytest.raises(InputError, match="larger are 12 x 12, and the model reads 8 x 8"):
        Autoencoding.create(other, Workspace(artifacts=task.artifacts()))


def test_noise_is_drawn_anew_for_each_step_and_what_is_to_come_back_has_none(folder):
    """The published example: x + 0.5 times a normal number, cut off below 0 and above 1."""
    task = created(folder, noise=0.5)
    batch = task.training_loader(0)
    pixels = batch.pictures / np.float32(255)
    first, second = (LossContext(jnp.int32(i), jax.random.key(i)) for i in range(2))
    read = np.asarray(task.coder.read(batch.pictures, first))
    rngs = first.rngs("noise")
    assert rngs is not None
    expected = np.clip(pixels + 0.5 * np.asarray(jax.random.normal(rngs["noise"], pixels.shape)), 0, 1)
    np.testing.assert_allclose(read, expected, atol=1e-6)
    assert (np.asarray(task.coder.read(batch.pictures, second)) != read).mean() > 0.5
    variables = task.init(jax.random.key(0))
    logits = np.asarray(task.model.apply(variables, read), np.float64)
    loss = task.loss(variables, None, batch, first).tallies["loss"]
    assert float(loss.total / loss.count) == pytest.approx(cross_entropy(1 / (1 + np.exp(-logits)), pixels), rel=1e-5)


def test_outside_of_training_the_noise_of_a_picture_is_its_own_in_any_batch(folder):
    task = created(folder, noise=0.5)
    pictures = digits(200, seed=9)[0][..., None]
    read = np.asarray(jax.jit(task.coder.read)(pictures))
    np.testing.assert_array_equal(np.asarray(task.coder.read(pictures[50:53])), read[50:53])
    drawn = (read - pictures / 255)[(read > 0) & (read < 1) & (pictures == 0)]
    below = (read == 0)[pictures == 0].mean()  # where the noise is negative, and it is as often as not
    assert below == pytest.approx(0.5, abs=0.02)
    assert np.square(drawn).mean() == pytest.approx(0.25 * 0.7737, rel=0.05)  # of a normal number in 0 to 2 deviations
    losses = [
        evaluation.loss(task.init(jax.random.key(0)), None, evaluation.loader(0), EVALUATION).tallies["loss"].total
        for rows in (20, 32)
        for evaluation in task.evaluations("test", rows=rows).values()
    ]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-5)


@every_form
def test_the_table_of_layers_has_all_of_them_with_what_they_give_and_hold(form, folder):
    task = created(folder, form)
    shapes, outputs, kinds, products = task.layer_outputs()
    layers = layers_of(shapes, outputs, kinds, products())
    variables = task.init(jax.random.key(0))
    assert sum(layer.parameters for layer in layers) == sum(leaf.size for leaf in jax.tree.leaves(variables))
    traced = jax.eval_shape(lambda v, x: task.model.apply(v, x), variables, jnp.zeros((16, 8, 8, 1)))
    assert layers[-1].output == str(traced.shape)
    codes = [layer for layer in layers if layer.name.startswith("encoder")]
    assert codes[-1].output == str((16, *task.model.shapes(8, 8)[0][-1]))
    assert [layer.name for layer in layers_of(shapes, outputs, kinds)] == [layer.name for layer in layers]
    assert "decoder/up_0" in format_table(layers)


def test_multiply_adds_are_as_many_as_counted_by_hand(folder):
    assert created(folder).layer_outputs().products() == {
        "encoder/conv_0": 9 * 1 * 4 * 64,
        "encoder/pool_0": 0,
        "encoder/conv_1": 9 * 4 * 2 * 16,
        "encoder/pool_1": 0,
        "decoder/conv_0": 9 * 2 * 2 * 4,
        "decoder/up_0": 0,
        "decoder/conv_1": 9 * 2 * 4 * 16,
        "decoder/up_1": 0,
        "decoder/conv_2": 9 * 4 * 1 * 64,
    }
    transposed = created(folder, "transposed").layer_outputs().products()
    assert transposed["decoder/conv_0"] == 9 * 2 * 2 * 1  # one place comes in, nine go out
    assert transposed["decoder/conv_1"] == 9 * 2 * 4 * 36


def test_codes_of_all_pictures_are_exported_as_the_encoder_gives_them(folder, tmp_path, capsys):
    config = dataclasses.replace(experiment(folder), train=TrainConfig(steps=2, devices=1))
    train_run(config, tmp_path / "run")
    run = load_run(tmp_path / "run")
    export = run.task.exports(run.variables)[".npz"]
    arrays = np.load(io.BytesIO(b"".join(export.content())))
    assert export.what.startswith("codes of 2 x 2 x 2 numbers for the pictures of ")
    task = created(folder)
    assert set(arrays) == {f"{split}_{what}" for split in task.splits() for what in ("codes", "labels")}
    for split in task.splits():
        part = task.part(split)
        np.testing.assert_array_equal(arrays[f"{split}_labels"], part.labels)
        codes = task.model.apply(run.variables, part.pictures / np.float32(255), method="encode")
        np.testing.assert_allclose(arrays[f"{split}_codes"], codes, rtol=1e-5, atol=1e-6)


def test_a_run_over_several_devices_is_that_over_one(folder, tmp_path, capsys):
    ends = []
    for devices in (1, 2):
        train = TrainConfig(steps=4, devices=devices)
        result = train_run(dataclasses.replace(experiment(folder), train=train), tmp_path / f"run_{devices}")
        assert result.validation is not None
        ends.append(result.validation["loss"])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_pictures_in_grey_and_in_colour_are_drawn_below_each_other():
    random = np.random.default_rng(0)
    for channels in (1, 3):
        rows = {name: random.random((4, 8, 8, channels)) for name in ("original", "came back")}
        png = reconstructions_picture(rows, title="test")
        assert png.startswith(b"\x89PNG")
        assert reconstructions_picture(rows, title="test") == png
    many = {"original": np.zeros((50, 28, 28, 1))}
    assert len(reconstructions_picture(many)) < 200_000


def test_json_of_the_shape_is_what_it_was(folder):
    assert json.loads(created(folder).artifacts()["pictures.json"]) == {"height": 8, "width": 8, "channels": 1}
