"""What comes in lists of what is there: all of it, in order, and nothing waits for what comes later."""

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.arriving import as_they_come


@given(items=st.lists(st.integers() | st.none(), max_size=30), most=st.integers(1, 9))
def test_all_comes_once_and_in_order_a_few_at_a_time(items, most):
    groups = list(as_they_come(items, most=most))
    assert [item for group in groups for item in group] == items
    assert all(1 <= len(group) <= most for group in groups)


def test_what_is_there_does_not_wait_for_what_comes_later():
    answered = threading.Event()

    def asked():
        yield "one"
        yield "two"
        assert answered.wait(60), "nobody answered before the next one was asked"
        yield "three"

    found = []
    for group in as_they_come(asked(), most=100):
        found += group
        if "two" in found:
            answered.set()
    assert found == ["one", "two", "three"]


def test_what_goes_wrong_is_told_when_all_before_it_has_been_given():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    found = []
    with pytest.raises(ValueError, match="the third"):
        found.extend(item for group in as_they_come(items(), most=2) for item in group)
    assert found == [1, 2]


def test_whoever_waits_can_be_called_off():
    class Stop(BaseException):
        pass

    @contextlib.contextmanager
    def called_off():
        raise Stop
        yield

    with pytest.raises(Stop):
        next(as_they_come(["a"], most=1, waiting=called_off))
