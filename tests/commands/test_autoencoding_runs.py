"""Autoencoders by the commands: trained, gone on with, measured, exported."""

import dataclasses
import json

import numpy as np
import pytest
from command_line import arrays_of, assert_same_arrays, jaxseq, refused
from small_digits import experiment, write_digits

from jaxseq.config import to_dict

CONFIG = """
from jaxseq.config import from_dict
config = from_dict({tree!r})
"""


@pytest.fixture
def folder(tmp_path):
    """With digits/ and an experiment that has noise, which is drawn anew for each step."""
    write_digits(tmp_path / "digits")
    config = dataclasses.replace(experiment(tmp_path / "digits", noise=0.3), name="small")
    tree = to_dict(config)
    tree["data"]["source"] = "digits"
    (tmp_path / "small.py").write_text(f'"""A small autoencoder."""\n{CONFIG.format(tree=tree)}', encoding="utf-8")
    return tmp_path


def test_a_run_that_stops_and_goes_on_is_the_run_left_alone(folder):
    for words in (["--train.steps", "3"], ["--train.steps", "9"], ["--train.steps", "9", "--run-dir", "whole"]):
        code, _, err = jaxseq("train", "small.py", *words, folder=folder)
        assert code == 0, err
    assert_same_arrays(folder / "runs" / "small", folder / "whole")
    assert arrays_of(folder / "whole")[0] == 9
    rows = [
        (path / "metrics.csv").read_text().splitlines()[-1] for path in (folder / "runs" / "small", folder / "whole")
    ]
    assert rows[0] == rows[1]


def test_it_is_measured_and_its_codes_are_written(folder):
    code, out, err = jaxseq("train", "small.py", "--train.steps", "2", folder=folder)
    assert code == 0, err
    assert "pictures of 8 x 8, read with noise of 0.3; codes of 2 x 2 x 2 (8 numbers)" in out
    assert "jaxseq export runs/small codes.npz" in out
    measured = json.loads(jaxseq("evaluate", "runs/small", "--split", "test", "--json", folder=folder).out)
    assert measured["pictures"]["pictures"] == 20
    others = json.loads(jaxseq("evaluate", "runs/small", "--split", "test", "--json", "--rows", "7", folder=folder).out)
    assert others["pictures"]["loss"] == pytest.approx(measured["pictures"]["loss"], rel=1e-5)
    code, out, err = jaxseq("export", "runs/small", "codes.npz", folder=folder)
    assert code == 0, err
    assert out == "codes of 2 x 2 x 2 numbers for the pictures of digits are in codes.npz\n"
    with np.load(folder / "codes.npz") as arrays:
        assert arrays["train_codes"].shape == (70, 2, 2, 2)
    told = refused("export", "runs/small", "codes.txt", folder=folder)
    assert "what runs/small has learned goes to .npz" in told
    assert "generates no text: use `jaxseq export`" in refused("sample", "runs/small", folder=folder)


def test_other_pictures_than_those_trained_on_are_told(folder):
    assert jaxseq("train", "small.py", "--train.steps", "2", folder=folder).code == 0
    write_digits(folder / "digits", train=91)
    assert "digits has changed since runs/small was trained" in refused("evaluate", "runs/small", folder=folder)


def test_a_decoder_that_does_not_come_back_to_the_size_is_one_line(folder):
    told = refused("train", "small.py", "--model.upsamplings", "1", folder=folder)
    assert "the model does not fit pictures of 8 x 8: pictures of 8 x 8 come back as 4 x 4" in told
    told = refused("train", "small.py", "--model.poolings", "3", folder=folder)
    assert "model.poolings is 3: there are 2 convolutions they stand behind, give at most that" in told
