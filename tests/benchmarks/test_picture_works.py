"""The works with pictures: one's data, and that everybody computes the same with the same weights."""

import dataclasses

import numpy as np
import pytest
import small_digits

from benchmarks import check, pictures
from benchmarks.workers import (
    jaxseq_pictures,
    jaxseq_worker,
    keras_captions,
    keras_pictures,
    torch_captions,
    torch_pictures,
)
from benchmarks.works import WORKS, Work
from jaxseq.config import (
    AdamConfig,
    CaptionerConfig,
    CaptioningConfig,
    DetectorConfig,
    DigitScenesConfig,
    ExperimentConfig,
    HandsConfig,
    RecognitionConfig,
    TrainConfig,
)
from jaxseq.data.digits import read_digits

TRAINING = Work("", "train", experiment="small", pictures=True, optimizer="own")
DETECTION = Work("", "detect", experiment="small", pictures=True)


def small(monkeypatch, folder, work, config):
    monkeypatch.setattr(pictures, "experiment", lambda work, folder: config)
    monkeypatch.setattr(pictures, "LAP", 3)
    monkeypatch.setattr(jaxseq_worker, "LAP", 3)
    pictures.prepare(work, folder)


@pytest.mark.parametrize("form", ["nearest", "transposed"])
def test_the_same_weights_give_the_same_losses_update_after_update(form, monkeypatch, tmp_path):
    digits = small_digits.write_digits(tmp_path / "digits")
    small(monkeypatch, tmp_path, TRAINING, small_digits.experiment(digits, form))
    ours = jaxseq_worker.Training(TRAINING, tmp_path, "cpu")
    assert ours.units_per_call == 3
    plain, last = (
        torch_pictures.Training(TRAINING, tmp_path, "cpu", compiled=False, channels_last=last) for last in (False, True)
    )
    theirs = keras_pictures.Training(tmp_path, steps=2)
    assert theirs.units_per_call == 2
    everybody = {"jaxseq": ours, "torch": plain, "torch-channels-last": last, "keras": theirs}
    assert len({job.parameters for job in everybody.values()}) == 1
    found = {name: {"losses": job.losses(5)} for name, job in everybody.items()}
    assert len(set(found["torch"]["losses"])) == 5
    for one in found.values():
        np.testing.assert_allclose(one["losses"], found["jaxseq"]["losses"], rtol=1e-4)
    assert check.drifts(found) == []


def test_captioners_with_the_same_weights_have_the_same_losses(monkeypatch, tmp_path):
    work = Work("", "train", experiment="digit_scenes", pictures=True)
    digits = small_digits.write_digits(tmp_path / "digits", train=200, test=200, side=28)
    config = ExperimentConfig(
        task=CaptioningConfig(longest=16),
        data=DigitScenesConfig(source=str(digits), digits=1, examples=40, held_out=8, batch_size=8),
        model=CaptionerConfig(filters=(4, 6), poolings=2, features=8, embedding=5, cell="gru"),
        optimizer=AdamConfig(learning_rate=1e-3),
        train=TrainConfig(devices=1, metric="exact"),
    )
    small(monkeypatch, tmp_path, work, config)
    ours = jaxseq_worker.Training(work, tmp_path, "cpu")
    plain, last = (
        torch_captions.Training(work, tmp_path, "cpu", compiled=False, channels_last=last) for last in (False, True)
    )
    theirs = keras_captions.Training(tmp_path)
    everybody = {"jaxseq": ours, "torch": plain, "torch-channels-last": last, "keras": theirs}
    assert {job.units_per_call for job in everybody.values()} == {3}
    found = {name: {"losses": job.losses(4)} for name, job in everybody.items()}
    assert len(set(found["torch"]["losses"])) == 4
    for one in found.values():
        np.testing.assert_allclose(one["losses"], found["jaxseq"]["losses"], rtol=1e-4)
    assert check.drifts(found) == []


def test_the_same_weights_give_the_same_logits(monkeypatch, tmp_path):
    config = ExperimentConfig(
        task=RecognitionConfig(),
        data=HandsConfig(examples=16, held_out=4, batch_size=4, size=(40, 60)),
        model=DetectorConfig(filters=(6,), kernel=5, stride=5),
        optimizer=AdamConfig(learning_rate=1e-3),
        train=TrainConfig(devices=1),
    )
    small(monkeypatch, tmp_path, DETECTION, config)
    everybody = {
        "jaxseq": jaxseq_pictures.Detection(DETECTION, tmp_path),
        **{
            f"torch {last}": torch_pictures.Detection(DETECTION, tmp_path, "cpu", compiled=False, channels_last=last)
            for last in (False, True)
        },
        "keras": keras_pictures.Detection(DETECTION, tmp_path),
    }
    assert {job.parameters for job in everybody.values()} == {5 * 5 * 3 * 6 + 8 * 12 * 6}
    found = {name: {"outputs": job.outputs().tolist()} for name, job in everybody.items()}
    assert len(set(found["jaxseq"]["outputs"])) == 4
    for one in found.values():
        np.testing.assert_allclose(one["outputs"], found["jaxseq"]["outputs"], rtol=1e-3, atol=1e-4)
    assert check.deviations(found) == []
    for job in everybody.values():
        job.run(1)


def test_the_check_names_whose_outputs_are_others():
    good, strange = {"outputs": [0.5, -2.0]}, {"outputs": [0.5, -1.9]}
    (line,) = check.deviations({"jaxseq": good, "torch": good, "keras-jax": strange})
    assert line == "keras-jax is apart from the others by up to 0.1, where outputs are up to 2"
    (line,) = check.deviations({"jaxseq": good, "torch": good, "keras-jax": {"outputs": [float("nan"), -2.0]}})
    assert "keras-jax" in line
    assert check.deviations({}) == []


def test_digits_are_made_up_where_none_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures.data, "folder", lambda: tmp_path / "nowhere")
    monkeypatch.setattr(pictures, "_MADE_UP", 50)
    config = pictures.experiment(WORKS["mnist-autoencoder"], tmp_path)
    parts = read_digits(config.data.source)
    assert parts["train"].pictures.shape == (50, 28, 28, 1)
    assert 0.1 < (parts["train"].pictures > 0).mean() < 0.3
    (tmp_path / "nowhere" / "mnist").mkdir(parents=True)
    there = pictures.experiment(WORKS["mnist-autoencoder"], tmp_path)
    assert there.data.source == str(tmp_path / "nowhere" / "mnist")
    assert dataclasses.replace(there, data=config.data) == config
    assert pictures.experiment(WORKS["hand-detector"], tmp_path).data.kind == "hands"


def test_every_work_with_pictures_names_its_configuration():
    named = {name: work for name, work in WORKS.items() if work.pictures}
    assert named.keys() == {"mnist-autoencoder", "mnist-autoencoder-transposed", "digit-scenes", "hand-detector"}
    assert all(work.experiment and work.target for work in named.values())
