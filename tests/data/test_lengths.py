"""Lengths of batches: the report against counts, the choice against all choices there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import choose_lengths, length_report
from jaxseq.errors import InputError


@given(lengths=st.lists(st.integers(0, 12)), length=st.integers(1, 12))
def test_a_report_counts_what_becomes_of_texts(lengths, length):
    report = length_report(np.array(lengths, int), length)
    assert (report.truncated, report.padded, report.exact) == (
        sum(count > length for count in lengths),
        sum(count < length for count in lengths),
        lengths.count(length),
    )
    assert report.truncated + report.padded + report.exact == report.texts == len(lengths)
    assert report.mean_length == pytest.approx(sum(lengths) / len(lengths) if lengths else 0)
    assert report.longest == max(lengths, default=0)
    assert report.tokens_left_out == sum(lengths) - sum(min(count, length) for count in lengths)


def cells(lengths, chosen):
    """Cells of rows that are each padded to the shortest of `chosen` with room, truncated to the longest."""
    return sum(min((c for c in chosen if c >= n), default=max(chosen)) for n in lengths)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=20),
    count=st.integers(1, 4),
    longest=st.none() | st.integers(1, 30),
    multiple=st.sampled_from([1, 4, 8]),
)
def test_no_other_choice_has_less_padding(lengths, count, longest, multiple):
    chosen = choose_lengths(lengths, count=count, longest=longest, multiple=multiple)
    assert list(chosen) == sorted(set(chosen))
    assert 1 <= len(chosen) <= count
    assert all(length % multiple == 0 or length == longest for length in chosen)
    top = max(lengths) if longest is None else min(longest, max(lengths))
    assert top <= chosen[-1] < max(top, 1) + multiple
    ceiling = max(lengths) if longest is None else longest
    grid = sorted({min(-(-n // multiple) * multiple, longest or 99) for n in range(1, max(ceiling, 1) + 1)})
    best = min(
        cells(lengths, choice)
        for size in range(1, count + 1)
        for choice in itertools.combinations(grid, size)
        if choice[-1] >= top
    )
    assert cells(lengths, chosen) == best


def test_many_long_texts_are_chosen_for_at_once():
    lengths = np.random.default_rng(0).integers(0, 200_000, 100_000)
    chosen = choose_lengths(lengths, count=8)
    assert len(chosen) == 8
    assert chosen[-1] >= lengths.max()
    # Of lengths that are all as frequent, eight equal steps leave a sixteenth of the longest free in each row.
    assert cells(lengths[:2000], chosen) < 1.01 * (lengths[:2000] + 200_000 / 16).sum()


def test_sizes_have_to_be_above_zero():
    for options in ({"count": 0}, {"count": 1, "longest": 0}, {"count": 1, "multiple": 0}):
        with pytest.raises(InputError, match="give a number above 0"):
            choose_lengths([1], **options)
    assert choose_lengths([], count=3, longest=9) == (9,)
    assert choose_lengths([0], count=3, multiple=8) == (8,)
