"""The contestant jaxseq, on small works, in the tests' own process."""

import numpy as np
import pytest

from benchmarks import data
from benchmarks.workers import jaxseq_worker
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
