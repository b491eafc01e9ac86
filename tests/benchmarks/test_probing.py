"""The gain of a linear probe, and its interval."""

import numpy as np
import pytest

from benchmarks.probing import gain, probe


def test_the_interval_of_a_gain_is_that_of_a_mean_of_independent_differences():
    draw = np.random.default_rng(0)
    own, others = draw.random(2000) < 0.8, [draw.random(2000) < share for share in (0.6, 0.7)]
    differences = own - np.mean(others, axis=0)
    found = gain(own, others, seed=1)
    assert found.mean == pytest.approx(differences.mean())
    error = differences.std() / 2000**0.5  # of the mean, by the central limit theorem
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.05 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.05 * error)
    assert gain(own, [own], seed=1) == (0, 0, 0)


def test_a_probe_finds_a_direction_whatever_the_scale_and_place_of_vectors_and_nothing_where_there_is_none():
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(900, 5)).astype(np.float32)
    labels = (vectors @ [1, -2, 0, 0, 0.5] > 0).astype(np.int32)
    scaled = vectors * [1e-3, 1, 1e3, 1, 0] + [5, 0, 0, 1e4, 7]
    other = (vectors @ [1, -2, 0, 0, 0] > 0).astype(np.int32)  # the fifth tells nothing any more
    for given, wanted in ((vectors, labels), (scaled.astype(np.float32), other)):
        right = probe(given[:600], wanted[:600], given[600:], wanted[600:], classes=2)
        assert right.mean() > 0.95
    coins = draw.integers(0, 2, 900).astype(np.int32)
    assert probe(vectors[:600], coins[:600], vectors[600:], coins[600:], classes=2).mean() < 0.65
