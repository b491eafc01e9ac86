"""The nearest rows of a table, against a sort of all pairs, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from jaxseq.ops.neighbours import nearest_rows

DRAW = np.random.default_rng(1)
TABLE, QUERIES = DRAW.normal(size=(23, 4)).astype(np.float32), DRAW.normal(size=(5, 4)).astype(np.float32)


def by_hand(table, queries, count, measure="cosine", refused=None):
    """Rows and their distance, by a sort of everything."""
    name = {"manhattan": "cityblock"}.get(measure, measure)
    distances = cdist(queries.astype(float), table.astype(float), name)
    if refused is not None:
        distances[refused] = np.inf
    rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
    found = np.take_along_axis(distances, rows, axis=1)
    return np.where(np.isinf(found), -1, rows), found


@pytest.mark.parametrize("measure", ["cosine", "euclidean", "manhattan"])
@pytest.mark.parametrize("block", [(8, 2), (64, 64)])
def test_they_are_those_of_a_sort_whatever_the_blocks(measure, block):
    found = nearest_rows(TABLE, QUERIES, count=6, measure=measure, block=block)
    rows, values = by_hand(TABLE, QUERIES, 6, measure)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.values, 1 - values if measure == "cosine" else values, atol=1e-5)


def test_the_rows_of_groups_that_are_left_out_are_no_answers():
    groups, left_out = np.arange(23) % 7, np.array([[0, 3], [6, 6], [-1, -1], [2, -1], [5, 1]])
    refused = (groups[None, :, None] == left_out[:, None]).any(-1)
    found = nearest_rows(TABLE, QUERIES, count=23, groups=groups, left_out=left_out, block=(8, 2))
    rows, _ = by_hand(TABLE, QUERIES, 23, refused=refused)
    np.testing.assert_array_equal(found.rows, rows)
    assert (found.rows == -1).sum() == refused.sum()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=11, max_size=11), st.integers(1, 12))
def test_of_equally_near_rows_the_earlier_comes_first(kinds, count):
    table = np.eye(3, dtype=np.float32)[kinds]
    query = np.array([[3, 2, 1]], np.float32)
    found = nearest_rows(table, query, count=count, block=(4, 1))
    assert found.rows[0].tolist() == sorted(range(11), key=lambda row: kinds[row])[:count]


def test_more_than_there_are_is_all_and_no_queries_are_no_answers():
    assert sorted(nearest_rows(TABLE, QUERIES, count=99).rows[0]) == list(range(23))
    assert nearest_rows(TABLE, QUERIES[:0], count=3).rows.shape == (0, 3)
    assert nearest_rows(TABLE[:0], QUERIES, count=3).rows.shape == (5, 0)


def test_a_zero_row_is_as_far_as_one_at_right_angles():
    table = np.array([[0, 0], [-1, 0], [0, 1], [1, 1]], np.float32)
    found = nearest_rows(table, np.array([[1, 0]], np.float32), count=4)
    assert found.rows[0].tolist() == [3, 0, 2, 1]
    assert found.values[0, 1:].tolist() == [0, 0, -1]


def test_nothing_given_is_changed_and_the_poll_is_called_for_every_block():
    before, calls = (TABLE.copy(), QUERIES.copy()), []
    nearest_rows(TABLE, QUERIES, count=2, block=(8, 2), poll=lambda: calls.append(1))
    np.testing.assert_array_equal(TABLE, before[0])
    np.testing.assert_array_equal(QUERIES, before[1])
    assert len(calls) == 9


def test_what_the_device_holds_does_not_grow_with_the_table():
    """The table is NumPy's, and a block of it is all that a program is given."""
    from jaxseq.ops.neighbours import _merged

    table = np.zeros((1000, 4), np.float32)
    nearest_rows(table, QUERIES, count=2, block=(8, 2))
    before = _merged._cache_size()
    nearest_rows(np.zeros((5000, 4), np.float32), QUERIES, count=2, block=(8, 2))
    assert _merged._cache_size() == before
