"""Batches of several shapes: everything once an epoch, nothing in a shape too small, the rows that were asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.bucketing import BucketPlan, rows_of_batch
from jaxseq.errors import InputError


@given(
    buckets=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    rows=st.lists(st.integers(1, 6), min_size=4, max_size=4),
    shuffle=st.booleans(),
    pad=st.booleans(),
    epoch=st.integers(0, 2),
)
def test_each_comes_once_an_epoch_in_a_batch_with_room_for_it(buckets, rows, shuffle, pad, epoch):
    plan = BucketPlan(np.array(buckets), rows, shuffle=shuffle, seed=1, pad=pad)
    if not plan.cuts:
        assert not pad
        assert len(buckets) < rows[-1]
        return
    seen, short = [], 0
    for index in range(len(plan.cuts)):
        cut, numbers = plan(epoch * len(plan.cuts) + index)
        assert cut.rows == rows[cut.bucket]
        assert len(numbers) == cut.stop - cut.start <= cut.rows
        assert all(buckets[number] <= cut.bucket for number in numbers)
        short += len(numbers) < cut.rows
        seen += numbers.tolist()
    assert len(seen) == len(set(seen)) == len(buckets) - plan.short
    assert plan.short == 0 if pad else short == 0
    assert plan.used == tuple(sorted({cut.bucket for cut in plan.cuts}))


def test_rows_are_a_number_or_what_fills_a_budget():
    assert rows_of_batch(7, 8, None, 4, shape="length 7") == 8
    assert rows_of_batch(7, None, 100, 4, shape="length 7") == 12
    with pytest.raises(
        InputError, match=r"^batch_tokens is 27: 4 of length 7 need 28, give as many or lower the length$"
    ):
        rows_of_batch(7, None, 27, 4, shape="length 7")
    for both in ((None, None), (8, 100)):
        with pytest.raises(ValueError, match="give batch_size or batch_tokens, one of them"):
            rows_of_batch(7, *both, 1, shape="length 7")


def test_steps_count_from_0():
    with pytest.raises(ValueError, match="step is -1"):
        BucketPlan(np.array([0]), [1], shuffle=True, seed=0, pad=True)(-1)
