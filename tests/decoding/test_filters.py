import math

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings

from jaxseq.decoding import Sampling, filter_logits
from jaxseq.errors import InputError


def kept_by_definition(logits: list[float], sampling: Sampling) -> set[int]:
    """Token by token, as the definitions are worded; refuses cases that rounding may decide."""
    scaled = [logit / sampling.temperature for logit in logits]
    alive = {i for i, x in enumerate(scaled) if x > -math.inf}
    if sampling.top_k:
        alive = {i for i in alive if sum(scaled[j] > scaled[i] for j in alive) < sampling.top_k}
    highest = max(scaled)
    mass = {i: math.exp(scaled[i] - highest) for i in alive}
    if sampling.top_p < 1:
        above = {i: sum(mass[j] for j in alive if scaled[j] > scaled[i]) / sum(mass.values()) for i in alive}
        assume(all(abs(value - sampling.top_p) > 1e-5 for value in above.values()))
        alive = {i for i in alive if above[i] < sampling.top_p}
    total = sum(mass[i] for i in alive)
    ratio = {i: (mass[i] / total) / max(mass[j] / total for j in alive) for i in alive}
    assume(all(value == 1 or abs(value - sampling.min_p) > 1e-5 for value in ratio.values()))
    return {i for i in alive if ratio[i] >= sampling.min_p}


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([1.0, 0.5, 2.0, 0.7]),
    top_k=st.sampled_from([0, 1, 2, 3, 5, 100]),
    top_p=st.sampled_from([1.0, 0.001, 0.3, 0.5, 0.9, 0.999]),
    min_p=st.sampled_from([0.0, 0.01, 0.2, 0.6, 1.0]),
)
few_values = st.sampled_from([-math.inf, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0])
values = few_values | st.floats(-30, 30, width=32)


@settings(deadline=None, max_examples=150)
@given(st.lists(values, min_size=1, max_size=8), samplings)
def test_filters_keep_what_their_definitions_keep_ties_included(logits, sampling):
    assume(max(logits) > -math.inf)
    rows = np.full((2, 8), -np.inf, np.float32)
    rows[:, : len(logits)] = logits
    expected = kept_by_definition(rows[0].tolist(), sampling)
    filtered = np.asarray(jax.jit(filter_logits, static_argnums=1)(rows, sampling))
    assert set(np.flatnonzero(filtered[0] > -np.inf)) == expected
    assert expected, "a token always stays"
    kept = sorted(expected)
    np.testing.assert_allclose(filtered[0, kept], rows[0, kept] / sampling.temperature, rtol=1e-6)
    np.testing.assert_array_equal(filtered[0], filtered[1])


@pytest.mark.parametrize("sampling", [Sampling(top_k=40), Sampling(top_p=0.8), Sampling(top_k=40, top_p=0.8)])
def test_thresholds_agree_with_a_sort_on_many_tokens(sampling):
    logits = np.random.default_rng(0).normal(size=(4, 5003), scale=3).astype(np.float32)
    filtered = np.asarray(filter_logits(logits, sampling))
    for row, out in zip(logits, filtered, strict=True):
        order = np.argsort(-row)[: sampling.top_k or None]
        mass = np.exp(row[order].astype(np.float64))
        before = (np.cumsum(mass) - mass) / mass.sum()
        assert set(np.flatnonzero(out > -np.inf)) == set(order[before < sampling.top_p])


def test_top_p_counts_the_mass_that_top_k_leaves():
    logits = np.log(np.array([[0.3, 0.3, 0.25, 0.15]], np.float32))
    alone = filter_logits(logits, Sampling(top_p=0.8))
    after_top_k = filter_logits(logits, Sampling(top_k=3, top_p=0.65))
    assert (np.asarray(alone) > -np.inf).tolist() == [[True, True, True, False]]
    assert (np.asarray(after_top_k) > -np.inf).tolist() == [[True, True, False, False]]


def test_filters_that_are_off_leave_the_logits_as_they_are():
    logits = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    np.testing.assert_array_equal(filter_logits(logits, Sampling()), logits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0: give a number above 0, or choose greedy"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"min_p": -0.1}, "min_p is -0.1"),
        ({"min_p": math.nan}, "min_p is nan"),
    ],
)
def test_impossible_options_are_refused_by_name(options, message):
    with pytest.raises(InputError, match=message):
        Sampling(**options)
