import dataclasses
import math

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from jaxseq.decoding import Sampling, filter_logits
from jaxseq.decoding.filters import Filters
from jaxseq.errors import InputError


def kept_by_definition(logits: list[float], sampling: Sampling) -> set[int] | None:
    """Token by token, as the definitions are worded; None where rounding may decide."""
    scaled = [logit / sampling.temperature for logit in logits]
    alive = {i for i, x in enumerate(scaled) if x > -math.inf}
    if sampling.top_k:
        alive = {i for i in alive if sum(scaled[j] > scaled[i] for j in alive) < sampling.top_k}
    mass = {i: math.exp(scaled[i] - max(scaled)) for i in alive}
    if sampling.top_p < 1:
        above = {i: sum(mass[j] for j in alive if scaled[j] > scaled[i]) / sum(mass.values()) for i in alive}
        if any(abs(value - sampling.top_p) < 1e-5 for value in above.values()):
            return None
        alive = {i for i in alive if above[i] < sampling.top_p}
    total = sum(mass[i] for i in alive)
    ratio = {i: (mass[i] / total) / max(mass[j] / total for j in alive) for i in alive}
    if any(value != 1 and abs(value - sampling.min_p) < 1e-5 for value in ratio.values()):
        return None
    return {i for i in alive if ratio[i] >= sampling.min_p}


compiled = jax.jit(filter_logits)

samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([1.0, 0.5, 2.0, 0.7]),
    top_k=st.sampled_from([0, 1, 2, 3, 5, 100]),
    top_p=st.sampled_from([1.0, 0.001, 0.3, 0.5, 0.9, 0.999]),
    min_p=st.sampled_from([0.0, 0.01, 0.2, 0.6, 1.0]),
)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), samplings)
def test_filters_keep_what_their_definitions_keep_ties_included(seed, sampling):
    random = np.random.default_rng(seed)
    tied = random.choice(np.array([-np.inf, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0], np.float32), (64, 8))
    logits = np.where(random.random((64, 8)) < 0.6, tied, random.normal(size=(64, 8), scale=5).astype(np.float32))
    logits[:, 0] = random.choice([-30.0, 0.0, 1.0, 30.0], 64)
    filtered = np.asarray(compiled(logits, Filters.of(sampling, vocabulary_size=8)))
    decided = 0
    for row, out in zip(logits, filtered, strict=True):
        expected = kept_by_definition(row.tolist(), sampling)
        if expected is not None:
            decided += 1
            kept = np.flatnonzero(out > -np.inf)
            assert set(kept) == expected
            assert expected, "a token always stays"
            np.testing.assert_allclose(out[kept], row[kept] / sampling.temperature, rtol=1e-6)
    assert decided > 0


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


def test_the_likeliest_token_stays_however_small_the_options():
    logits = np.array([[1.0, 3.0, 2.0], [30.0, -1e3, 29.0]], np.float32)
    for sampling in (Sampling(top_p=1e-50), Sampling(temperature=1e-6), Sampling(temperature=1e-6, top_p=1e-300)):
        filtered = np.asarray(filter_logits(logits, sampling))
        assert not np.isnan(filtered).any()
        np.testing.assert_array_equal(filtered.argmax(-1), [1, 0])
    with pytest.raises(InputError, match="temperature is 1e-40: give a number from 1e-06 on"):
        Sampling(temperature=1e-40)
    with pytest.raises(InputError, match=r"temperature is 1e\+31: give a number up to 1e\+30"):
        Sampling(temperature=1e31)


NUMBERS = [
    Sampling(temperature=temperature, **filters)
    for temperature in (0.3, 0.7, 1.0, 1e-6)
    for filters in ({}, {"top_k": 9, "top_p": 0.5, "min_p": 0.3})
]


@pytest.mark.parametrize("sampling", NUMBERS, ids=str)
def test_numbers_that_are_arguments_give_the_bits_of_numbers_that_are_compiled_in(sampling):
    """So seeds go on giving the samples they gave when every temperature was a program of its own."""
    logits = np.random.default_rng(4).normal(size=(16, 40), scale=5).astype(np.float32)

    @jax.jit
    def compiled_in(logits):
        scaled = logits / sampling.temperature  # by a constant
        return filter_logits(scaled, dataclasses.replace(sampling, temperature=1.0))

    as_argument = compiled(logits, Filters.of(sampling, vocabulary_size=40))
    assert np.asarray(as_argument).tobytes() == np.asarray(compiled_in(logits)).tobytes()


def test_filters_that_are_off_leave_no_trace():
    assert Filters.of(Sampling(), vocabulary_size=5) == Filters(1.0)
    assert Filters.of(Sampling(top_k=5), vocabulary_size=5) == Filters(1.0)
    assert Filters.of(Sampling(greedy=True, temperature=0.5, top_k=2, top_p=0.5, min_p=0.5), vocabulary_size=5) == (
        *(None, None, None, None, None),
    )


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=2), Sampling(top_p=0.5), Sampling(min_p=0.5)], ids=str)
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf], ids=["nan", "negative nan", "inf"])
def test_what_is_not_finite_is_never_filtered_away(sampling, bad):
    logits = np.array([[1.0, 3.0, bad, 2.0]], np.float32)
    assert not np.isfinite(np.asarray(filter_logits(logits, sampling)).max())


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 8), max_size=8))
def test_forbidden_tokens_have_no_probability_and_the_others_keep_their_proportions(seed, forbidden):
    logits = np.random.default_rng(seed).normal(size=(2, 9)).astype(np.float32)
    found = np.asarray(filter_logits(logits, Sampling(temperature=0.5, forbidden=tuple(sorted(forbidden)))))
    allowed = sorted({*range(9)} - forbidden)
    assert np.isneginf(found[:, sorted(forbidden)]).all()
    np.testing.assert_array_equal(found[:, allowed], filter_logits(logits, Sampling(temperature=0.5))[:, allowed])
    top = np.asarray(filter_logits(logits, Sampling(top_k=1, forbidden=tuple(forbidden))))
    for row, kept in zip(logits, top, strict=True):
        assert np.flatnonzero(np.isfinite(kept)).tolist() == [max(allowed, key=row.__getitem__)]


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [((5,), "token 5 is forbidden: the ids go from 0 to 4"), ((0, 1, 2, 3, 4), "all 5 tokens are forbidden")],
)
def test_tokens_that_there_are_not_and_all_of_them_cannot_be_forbidden(forbidden, message):
    for greedy in (False, True):
        with pytest.raises(InputError, match=message):
            Filters.of(Sampling(forbidden=forbidden, greedy=greedy), vocabulary_size=5)
