"""The order of an epoch, drawn whole or computed position by position."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import shuffling
from jaxseq.data.shuffling import shuffled

SEEDS = st.integers(0, 2**40)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 3000), seed=SEEDS, epoch=st.integers(0, 10**6))
def test_every_number_comes_up_once(count, seed, epoch):
    order = shuffled(np.arange(count), count=count, seed=seed, epoch=epoch)
    assert np.sort(order).tolist() == list(range(count))


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 3000), seed=SEEDS)
def test_every_number_comes_up_once_where_positions_are_computed(count, seed):
    order = shuffling._feistel(np.arange(count), count, shuffling._round_keys(seed, 0))
    assert np.sort(order).tolist() == list(range(count))


def test_an_order_too_large_to_draw_is_still_a_permutation():
    count = 2**22 + 1
    order = shuffled(np.arange(count), count=count, seed=3, epoch=1)
    assert (np.bincount(order, minlength=count) == 1).all()


@pytest.mark.parametrize("count", [1000, 10**9])
def test_the_order_belongs_to_seed_and_epoch_alone(count):
    positions = np.arange(100)
    first = shuffled(positions, count=count, seed=1, epoch=2).tolist()
    shuffling._drawn_order.cache_clear()
    shuffling._round_keys.cache_clear()
    assert shuffled(positions, count=count, seed=1, epoch=2).tolist() == first
    assert shuffled(positions[40:60], count=count, seed=1, epoch=2).tolist() == first[40:60]
    others = [shuffled(positions, count=count, seed=s, epoch=e).tolist() for s, e in ((1, 3), (2, 2), (2, 1))]
    assert first not in others


def test_orders_stay_what_they_were_in_earlier_releases():
    # A resumed run goes on in the order it began with: these values must never change.
    small = shuffled(np.arange(10), count=10, seed=0, epoch=0)
    assert small.tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
    large = shuffled(np.arange(4), count=10**9, seed=0, epoch=0)
    assert large.tolist() == [169931930, 565693307, 504591422, 729739916]


def test_all_orders_of_few_things_are_equally_likely():
    tally = collections.Counter(tuple(shuffled(np.arange(4), count=4, seed=seed, epoch=0)) for seed in range(4800))
    counts = np.array([tally[order] for order in itertools.permutations(range(4))])
    assert ((counts - 200) ** 2 / 200).sum() < 49.7  # chi-square of 23 degrees of freedom, 0.1 %


def test_computed_orders_look_like_drawn_ones():
    count, trials = 1000, 400
    orders = np.stack([shuffling._feistel(np.arange(count), count, shuffling._round_keys(s, 0)) for s in range(trials)])
    # Of a random permutation: one fixed point and one neighbour kept on average, no correlation with position.
    assert abs((orders == np.arange(count)).sum(axis=1).mean() - 1) < 4 / trials**0.5
    assert abs((np.diff(orders) == 1).sum(axis=1).mean() - 1) < 4 / trials**0.5
    correlation = np.array([np.corrcoef(order, np.arange(count))[0, 1] for order in orders])
    assert abs(correlation.std() * count**0.5 - 1) < 0.15
