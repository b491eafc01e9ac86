"""Sums of tallies, and what follows from them."""

import math

import numpy as np
import pytest

from jaxseq.metrics.meter import Meter
from jaxseq.metrics.metric import with_derived
from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.ops.losses import Tally


def test_a_meter_counts_on_where_float32_stops():
    meter = Meter({"loss": [2.0**24, 2.0**24]})
    one = Tally(np.float32(1), np.float32(1))
    for _ in range(3):
        meter.add({"loss": one})
    assert meter.count("loss") == 2**24 + 3
    assert np.float32(2**24) + np.float32(1) == 2**24


def test_a_meter_weighs_batches_by_their_counts():
    meter = Meter()
    meter.add({"loss": Tally(np.array([2.0, 9.0, 0.0]), np.array([1.0, 3.0, 0.0]))})
    assert meter.means() == {"loss": 11 / 4}
    assert Meter().means() == {}


def test_perplexity_and_bits_follow_from_the_loss():
    assert with_derived({"loss": math.log(8), "accuracy": 0.5}, TOKEN_METRICS) == {
        "loss": math.log(8),
        "accuracy": 0.5,
        "perplexity": pytest.approx(8),
        "bits_per_token": pytest.approx(3),
    }
    assert with_derived({"loss": 1e4}, TOKEN_METRICS)["perplexity"] == math.inf
    assert math.isnan(with_derived({"loss": math.nan}, TOKEN_METRICS)["perplexity"])
    assert with_derived({"accuracy": 1.0}, TOKEN_METRICS) == {"accuracy": 1.0}
