"""Shapes of batches of pairs: room for everything, the best of all places to cut, shared by splits."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import choose_shapes, with_room
from jaxseq.data.pair_shapes import buckets_of

LENGTHS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=12)


def cells(lengths, shapes):
    """Cells of pairs that are each padded to the first shape with room."""
    return sum(next(s + t for s, t in shapes if s >= a and t >= b) for a, b in lengths)


def by_cuts(lengths, places):
    """The shapes that hold the pairs up to each of these places in the order of their longer sides."""
    means = np.mean(lengths, axis=0)
    order = sorted(lengths, key=lambda pair: max(pair[0] / means[0], pair[1] / means[1]))
    return [tuple(map(max, zip(*order[:place], strict=True))) for place in places]


@settings(max_examples=60)
@given(lengths=LENGTHS, count=st.integers(1, 4))
def test_no_other_places_to_cut_leave_less_padding(lengths, count):
    shapes = choose_shapes(*map(np.array, zip(*lengths, strict=True)), count=count, multiple=1)
    assert len(shapes) <= count
    assert all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(shapes))
    every = itertools.combinations(range(1, len(lengths)), min(count, len(lengths)) - 1)
    cost = min(
        sum(
            (stop - start) * sum(shape)
            for start, stop, shape in zip(
                (0, *cuts), (*cuts, len(lengths)), by_cuts(lengths, (*cuts, len(lengths))), strict=True
            )
        )
        for cuts in every
    )
    assert cells(lengths, shapes) <= cost


@given(lengths=LENGTHS, others=LENGTHS, count=st.integers(1, 4))
def test_a_split_with_longer_pairs_has_one_shape_more(lengths, others, count):
    shapes = choose_shapes(*map(np.array, zip(*lengths, strict=True)), count=count)
    assert all(s % 4 == 0 or s == max(a for a, _ in lengths) for s, _ in shapes)
    shared = with_room(shapes, *map(np.array, zip(*others, strict=True)))
    assert shared[: len(shapes)] == shapes
    assert len(shared) - len(shapes) == any(a > shapes[-1][0] or b > shapes[-1][1] for a, b in others)
    buckets = buckets_of(shared, *map(np.array, zip(*others, strict=True)))
    for (a, b), bucket in zip(others, buckets, strict=True):
        assert bucket == next(at for at, (s, t) in enumerate(shared) if s >= a and t >= b)
