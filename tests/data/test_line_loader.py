"""Batches of lines against a plain loop."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import LineLoader, join_sequences
from jaxseq.errors import InputError

LINES = st.lists(st.integers(2, 7), min_size=1, max_size=9)


def lines_of_sizes(sizes):
    """Sequences of these lengths in which no id occurs twice."""
    ends = np.cumsum(sizes)
    return join_sequences([np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)])


def pairs_of(batch):
    """(input, target, reset) of the cells that are no padding, row by row."""
    return [
        [(int(i), int(t), bool(r)) for i, t, m, r in zip(*rows, strict=True) if m] for rows in zip(*batch, strict=True)
    ]


def an_epoch(loader, epoch=0):
    return [loader(epoch * loader.steps_per_epoch + step) for step in range(loader.steps_per_epoch)]


@settings(deadline=None)
@given(LINES, st.integers(1, 4), st.integers(1, 6))
def test_a_padded_row_is_a_line_from_its_start(sizes, batch_size, length):
    sequences = lines_of_sizes(sizes)
    loader = LineLoader(sequences, length=length, batch_size=batch_size, shuffle=False, pad=True)
    rows = [row for batch in an_epoch(loader) for row in pairs_of(batch)]
    expected = []
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        line = sequences.ids[start:end].tolist()
        expected.append([(i, t, at == 0) for at, (i, t) in enumerate(itertools.pairwise(line))][:length])
    assert rows[: len(expected)] == expected
    assert not any(rows[len(expected) :])
    for batch in an_epoch(loader):
        assert batch.inputs.shape == (batch_size, length)
        assert not batch.inputs[~batch.mask].any()
        assert not batch.targets[~batch.mask].any()
        assert not batch.reset[~batch.mask].any()


@settings(deadline=None)
@given(LINES, st.integers(1, 3), st.integers(1, 6), st.booleans())
def test_packed_rows_are_the_lines_one_after_the_other(sizes, batch_size, length, shuffle):
    sequences = lines_of_sizes(sizes)
    loader = LineLoader(
        sequences, length=length, batch_size=batch_size, layout="packed", shuffle=shuffle, pad=True, seed=3
    )
    for epoch in (0, 1):
        pairs = [cell for batch in an_epoch(loader, epoch) for row in pairs_of(batch) for cell in row]
        lines = {int(line[0]): line.tolist() for line in np.split(sequences.ids, sequences.offsets[1:-1])}
        firsts = [i for i, _, _ in pairs if i in lines]
        assert sorted(firsts) == sorted(lines)
        if not shuffle:
            assert firsts == list(lines)
        expected = [(i, t, at == 0) for first in firsts for at, (i, t) in enumerate(itertools.pairwise(lines[first]))]
        assert [(i, t, r or n % length == 0) for n, (i, t, r) in enumerate(expected)] == pairs


@settings(deadline=None)
@given(LINES, st.sampled_from(["padded", "packed"]))
def test_an_epoch_has_every_line_once_and_another_order_than_the_next(sizes, layout):
    sequences = lines_of_sizes(sizes * 4)
    loader = LineLoader(sequences, length=7, batch_size=1, layout=layout, seed=1, pad=True)
    orders = []
    for epoch in (0, 1, 0):
        inputs = [i for batch in an_epoch(loader, epoch) for row in pairs_of(batch) for i, _, _ in row]
        assert sorted(inputs) == sorted(set(sequences.ids.tolist()) - set((sequences.offsets[1:] - 1).tolist()))
        orders.append(inputs)
    assert orders[0] == orders[2]
    if len(sizes) > 2:
        assert orders[0] != orders[1]


def test_a_step_is_the_same_in_any_order_and_for_any_loader():
    sequences = lines_of_sizes([3, 5, 2, 7, 4, 6])
    for layout in ("padded", "packed"):
        one, other = (LineLoader(sequences, length=4, batch_size=2, layout=layout, seed=5) for _ in range(2))
        ahead = [one(step) for step in range(8)]
        for step in reversed(range(8)):
            for a, b in zip(ahead[step], other(step), strict=True):
                np.testing.assert_array_equal(a, b)


def test_what_is_not_read_is_told():
    sequences = lines_of_sizes([3, 5, 2, 7, 4])
    padded = LineLoader(sequences, length=4, batch_size=2, seed=0)
    assert padded.left_out == (
        "1 of 5 lines (fewer than a batch; other ones each time), 2 of 16 tokens (1 lines are longer than 4)"
    )
    packed = LineLoader(sequences, length=3, batch_size=2, layout="packed", shuffle=False)
    assert packed.steps_per_epoch == 2
    assert packed.left_out == "4 of 16 tokens (fewer than a batch; the last)"
    assert not packed.masked
    assert LineLoader(sequences, length=6, batch_size=5, pad=True).left_out == ""
    assert LineLoader(sequences, length=3, batch_size=2, layout="packed", pad=True).left_out == ""


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([3], {"length": 0}, "length is 0"),
        ([3], {"batch_size": 0}, "batch_size is 0"),
        ([3, 1], {}, "1 of 2 lines have fewer than 2 tokens"),
        ([3], {"batch_size": 2}, "a batch of 2 lines is more than the 1 there are"),
        ([3], {"layout": "packed"}, "a batch of 1 rows of 4 tokens is more than the 2 there are"),
        ([3], {"layout": "rows"}, "layout is 'rows': give padded or packed"),
    ],
)
def test_what_makes_no_batch_is_refused(sizes, options, message):
    with pytest.raises(InputError, match=message):
        LineLoader(lines_of_sizes(sizes), **{"length": 4, "batch_size": 1, **options})


def test_steps_count_from_0():
    with pytest.raises(ValueError, match="step is -1"):
        LineLoader(lines_of_sizes([3]), length=4, batch_size=1)(-1)
