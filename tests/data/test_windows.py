"""Windows, rows and splits against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import (
    contiguous_rows,
    forecast_windows,
    forecast_windows_of,
    gather_windows,
    next_token_windows,
    row_bounds,
    sliding_windows,
    split,
    split_bounds,
    window_starts,
)
from jaxseq.errors import InputError

SIZES = st.integers(1, 12)


def loop_windows(series, length, shift):
    return [series[at : at + length] for at in range(0, len(series) - length + 1, shift)]


@settings(deadline=None, max_examples=60)
@given(extra=st.integers(0, 30), length=SIZES, shift=SIZES)
def test_sliding_windows_equal_a_plain_loop_and_share_memory(extra, length, shift):
    ids = np.arange(length + extra)
    windows = sliding_windows(ids, length=length, shift=shift)
    assert windows.tolist() == [w.tolist() for w in loop_windows(ids, length, shift)]
    assert np.shares_memory(windows, ids)
    assert not windows.flags.writeable


def test_windows_of_features_keep_the_feature_axis_last():
    series = np.arange(40.0).reshape(20, 2)
    windows = sliding_windows(series, length=5, shift=3)
    np.testing.assert_array_equal(windows, np.stack(loop_windows(series, 5, 3)))
    assert np.shares_memory(windows, series)


@settings(deadline=None, max_examples=60)
@given(extra=st.integers(0, 30), length=SIZES, shift=SIZES)
def test_next_token_targets_are_the_inputs_one_later(extra, length, shift):
    ids = np.arange(length + 1 + extra)
    inputs, targets = next_token_windows(ids, length=length, shift=shift)
    starts = range(0, len(ids) - length, shift)
    assert inputs.tolist() == [ids[at : at + length].tolist() for at in starts]
    assert targets.tolist() == [ids[at + 1 : at + 1 + length].tolist() for at in starts]
    assert np.shares_memory(inputs, ids)
    assert np.shares_memory(targets, ids)


def loop_forecasts(series, length, horizon, shift):
    pairs = []
    for at in range(0, len(series), shift):
        if at + length + horizon <= len(series):
            pairs.append((series[at : at + length], series[at + length : at + length + horizon]))
    return pairs


@settings(deadline=None, max_examples=60)
@given(extra=st.integers(0, 20), length=SIZES, horizon=SIZES, shift=SIZES, features=st.integers(0, 3))
def test_forecasts_of_several_steps_equal_a_plain_loop(extra, length, horizon, shift, features):
    shape = (length + horizon + extra, features) if features else (length + horizon + extra,)
    series = np.random.default_rng(0).normal(size=shape)
    inputs, targets = forecast_windows(series, length=length, horizon=horizon, shift=shift)
    expected = loop_forecasts(series, length, horizon, shift)
    np.testing.assert_array_equal(inputs, np.stack([x for x, _ in expected]))
    np.testing.assert_array_equal(targets, np.stack([y for _, y in expected]))
    assert np.shares_memory(inputs, series)
    assert np.shares_memory(targets, series)


def test_one_step_forecasts_pair_windows_and_targets_as_keras_documents_it():
    # keras.utils.timeseries_dataset_from_array: "`targets[i]` should be the target corresponding to the window that
    # starts at index i"; its example takes data[:-10] and data[10:] for windows of 10.
    series = np.arange(100)
    inputs, targets = forecast_windows(series, length=10)
    data, aligned = series[:-10], series[10:]
    assert len(inputs) == len(aligned) == len(data)
    for start in range(len(inputs)):
        assert inputs[start].tolist() == series[start : start + 10].tolist()
        assert targets[start, 0] == aligned[start]


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 15), min_size=1, max_size=6), length=SIZES, horizon=st.integers(1, 4), shift=SIZES
)
def test_windows_never_cross_from_one_series_into_the_next(lengths, length, horizon, shift):
    series = [100 * i + np.arange(n) for i, n in enumerate(lengths)]
    expected = [pair for one in series for pair in loop_forecasts(one, length, horizon, shift)]
    if not expected:
        with pytest.raises(InputError, match="the longest series has"):
            forecast_windows_of(series, length=length, horizon=horizon, shift=shift)
        return
    inputs, targets = forecast_windows_of(series, length=length, horizon=horizon, shift=shift)
    assert inputs.tolist() == [x.tolist() for x, _ in expected]
    assert targets.tolist() == [y.tolist() for _, y in expected]


def test_several_series_with_features_are_gathered_by_their_starts():
    series = [np.random.default_rng(i).normal(size=(n, 2)) for i, n in enumerate((7, 3, 6))]
    starts = window_starts([7, 3, 6], length=4, shift=2)
    windows = gather_windows(np.concatenate(series), starts, length=4)
    np.testing.assert_array_equal(windows, np.stack([w for one in series for w in loop_windows(one, 4, 2)]))


@settings(deadline=None, max_examples=60)
@given(rows=SIZES, extra=st.integers(0, 40))
def test_contiguous_rows_are_a_view_that_goes_on_from_row_to_row(rows, extra):
    ids = np.arange(rows + extra)
    cut = contiguous_rows(ids, rows)
    assert cut.ravel().tolist() == ids[: cut.size].tolist()
    assert len(ids) - cut.size < rows
    assert np.shares_memory(cut, ids)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(0, 100), rows=SIZES)
def test_row_bounds_differ_by_one_at_most_and_miss_nothing(count, rows):
    bounds = row_bounds(count, rows)
    lengths = np.diff(bounds)
    assert (bounds[0], bounds[-1]) == (0, count)
    assert lengths.max() - lengths.min() <= 1
    assert (np.diff(lengths) <= 0).all()


@settings(deadline=None, max_examples=60)
@given(count=st.integers(0, 200), parts=st.lists(st.integers(0, 100), min_size=1, max_size=4).filter(sum))
def test_a_split_is_a_partition_in_order_without_copies(count, parts):
    ids = np.arange(count)
    cut = split(ids, [part / sum(parts) for part in parts])
    assert np.concatenate(cut).tolist() == ids.tolist()
    assert all(part.base is ids for part in cut)
    for part, share in zip(cut, parts, strict=True):
        assert abs(len(part) - count * share / sum(parts)) < 1


def test_shares_are_read_as_the_fractions_they_stand_for():
    assert split_bounds(100, (0.29, 0.71)) == [0, 29, 100]  # 100 * 0.29 is 28.999999999999996
    assert split_bounds(27, (1 / 3, 2 / 3)) == [0, 9, 27]
    assert split_bounds(1_115_394, (0.9, 0.05, 0.05))[:2] == [0, 1_003_854]  # nanoGPT's training part


@pytest.mark.parametrize("shares", [(0.9,), (0.9, 0.2), (1.5, -0.5), ()])
def test_shares_that_are_no_partition_are_refused(shares):
    with pytest.raises(InputError, match="add up to 1"):
        split_bounds(10, shares)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sliding_windows(np.arange(9), length=0), "length is 0: give a number above 0"),
        (lambda: sliding_windows(np.arange(9), length=3, shift=-2), "shift is -2: give a number above 0"),
        (lambda: sliding_windows(np.arange(9), length=10), "a window of 10 needs as many values, the series has 9"),
        (
            lambda: next_token_windows(np.arange(57), length=100),
            "window length 100 needs at least 101 tokens, the corpus has 57: lower --data.length or add text",
        ),
        (lambda: forecast_windows(np.arange(9), length=3, horizon=-1), "horizon is -1: give a number above 0"),
        (lambda: forecast_windows(np.arange(9), length=8, horizon=2), "a window of 10 needs as many values"),
        (lambda: window_starts([], length=2), "the longest series has 0"),
        (lambda: contiguous_rows(np.arange(9), -1), "rows is -1: give a number above 0"),
        (lambda: contiguous_rows(np.arange(9), 10), "10 rows need as many tokens, the corpus has 9"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_three_plays_come_to_the_published_number_of_windows(data_folder):
    files = sorted((data_folder / "gutenberg_plays").glob("*.txt"))
    text = "".join(file.read_text("latin-1") for file in files).lower()
    codes = np.frombuffer(text.encode("latin-1"), np.uint8)
    inputs, targets = next_token_windows(codes, length=40, shift=3)
    assert (len(text), len(set(text)), len(inputs)) == (375_542, 50, 125_168)
    # The tutorials' loop: text[i : i + 40] and the character after it, text[i + 40].
    assert targets[-1, -1] == codes[3 * 125_167 + 40]
    assert inputs[777].tobytes().decode("latin-1") == text[777 * 3 : 777 * 3 + 40]


def test_tiny_shakespeare_has_as_many_windows_as_a_plain_loop_counts(data_folder):
    text = (data_folder / "tinyshakespeare" / "input.txt").read_bytes()
    train = split(np.frombuffer(text, np.uint8), (0.9, 0.1))[0]
    counted = 0
    at = 0
    while at + 100 + 1 <= len(train):
        counted += 1
        at += 1
    inputs, _ = next_token_windows(train, length=100)
    assert len(inputs) == counted == 1_003_754
