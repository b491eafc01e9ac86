"""Made-up rectangles: what their corners say, and what they do not."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import make_rectangles
from jaxseq.data.rectangles import KINDS
from jaxseq.errors import InputError

SPLITS = ("train", "validation", "test")


def sides(corners):
    """Width and height of each rectangle, from all four corners."""
    return np.ptp(corners, axis=1).T


@given(
    seed=st.integers(0, 999),
    shortest=st.integers(1, 40),
    room=st.integers(2, 40),
    margin=st.integers(0, 39),
    shift=st.integers(-50, 50),
)
def test_four_corners_are_those_of_an_upright_rectangle_one_after_the_other(seed, shortest, room, margin, shift):
    longest, margin = (shortest + room) / 10, min(margin, room - 1) / 10
    made = make_rectangles(
        "train", 40, seed=seed, shortest=shortest / 10, longest=longest, margin=margin, shift=shift / 10
    )
    width, height = sides(made.corners)
    np.testing.assert_allclose(made.corners.mean(axis=1), np.tile([shift / 10, 0], (40, 1)), atol=1e-5)
    steps = np.abs(np.diff(made.corners, axis=1, append=made.corners[:, :1]))
    assert ((steps > 1e-6).sum(axis=2) == 1).all()  # along one side at a time
    assert (np.sort(np.stack([width, height]), axis=0) >= shortest / 10 - 1e-5).all()
    assert (np.maximum(width, height) <= longest + 1e-5).all()
    assert (np.abs(width - height) >= margin - 1e-5).all()
    np.testing.assert_array_equal(made.labels[width > height], 1)
    np.testing.assert_array_equal(made.labels[width < height], 0)
    assert KINDS == ("tall", "wide")


def test_every_order_comes_up_and_tells_nothing_of_the_kind():
    made = make_rectangles("train", 8_000, seed=3)
    quadrants = [tuple(map(tuple, row)) for row in (made.corners > 0).tolist()]
    corners = [(True, True), (False, True), (False, False), (True, False)]
    ways = (corners, corners[::-1])
    orders = [tuple(way[start:] + way[:start]) for way, start in itertools.product(ways, range(4))]
    assert set(quadrants) == set(orders)
    for order in orders:
        labels = made.labels[[quadrant == order for quadrant in quadrants]]
        assert 850 < len(labels) < 1_150  # 1,000 are expected, their deviation is 30
        assert 0.43 < labels.mean() < 0.57


def test_sides_are_drawn_independently_but_for_the_margin():
    """Every pair is as likely as every other: among those far from the margin, width tells nothing of height."""
    made = make_rectangles("train", 40_000, seed=1, shortest=0, longest=1, margin=0.1)
    width, height = sides(made.corners)
    far = (width > 0.7) & (height < 0.5)
    assert far.sum() > 5_000
    assert abs(np.corrcoef(width[far], height[far])[0, 1]) < 0.05
    cells = np.histogram2d(width[far], height[far], bins=5, range=[(0.7, 1), (0, 0.5)])[0]
    assert cells.max() / cells.min() < 1.5
    assert abs(made.labels.mean() - 0.5) < 0.02


def test_a_rectangle_follows_from_the_seed_its_split_and_its_number():
    few, many = (make_rectangles("test", count, seed=1) for count in (5, 500))
    np.testing.assert_array_equal(few.corners, many.corners[:5])
    np.testing.assert_array_equal(few.labels, many.labels[:5])
    assert not np.isin(make_rectangles("test", 500, seed=2).corners, many.corners).any()


def test_no_rectangle_is_in_two_splits():
    splits = [make_rectangles(split, 2_000, seed=0).corners for split in SPLITS]
    seen = [{tuple(sorted(map(tuple, corners))) for corners in part.tolist()} for part in splits]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 6_000


def test_what_cannot_be_made_is_refused_in_a_line():
    with pytest.raises(InputError, match="the split is 'dev': choose train, validation, test"):
        make_rectangles("dev", 1, seed=0)
    with pytest.raises(InputError, match=r"margin is 1\.5: give a number from 0 to below the 1\.5 that sides can"):
        make_rectangles("train", 1, seed=0, margin=1.5)
