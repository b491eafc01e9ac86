"""Mean and spread over seeds."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.runs.compare import spread

values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


@given(values)
def test_mean_and_deviation_are_those_of_the_standard_library(found):
    mean, deviation, least, most = spread(found)
    assert mean == pytest.approx(statistics.mean(found), rel=1e-9, abs=1e-6)
    assert deviation == pytest.approx(statistics.stdev(found), rel=1e-6, abs=1e-6)
    assert (least, most) == (min(found), max(found))


def test_one_value_has_no_deviation():
    mean, deviation, least, most = spread([2.5])
    assert (mean, least, most) == (2.5, 2.5, 2.5)
    assert math.isnan(deviation)


def test_infinity_and_nan_come_out_as_what_they_are():
    assert spread([1.0, math.inf])[::3] == (math.inf, math.inf)
    assert all(map(math.isnan, spread([1.0, math.nan])))


def test_nothing_has_no_spread():
    with pytest.raises(ValueError, match="no values"):
        spread([])
