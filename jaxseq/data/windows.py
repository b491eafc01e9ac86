"""Windows, rows and splits of a sequence: pure functions that return views wherever a view serves.

Series are [n] token ids or [n, d] features; a window keeps the trailing axes.
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxseq.errors import InputError


def require_positive(**sizes: int) -> None:
    """Raises InputError naming the first size that is not above 0."""
    for name, size in sizes.items():
        if size <= 0:
            raise InputError(f"{name} is {size}: give a number above 0")


def sliding_windows(series: np.ndarray, *, length: int, shift: int = 1) -> np.ndarray:
    """Every window of `length` values, `shift` apart: [n] or [n, d] -> [w, length] or [w, length, d], a read-only view.

    There are (n - length) // shift + 1 of them; values after the last whole window are left out.

    Raises:
        InputError: a size is not above 0, or the series is shorter than a window.

    >>> sliding_windows(np.arange(6), length=3, shift=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    require_positive(length=length, shift=shift)
    if len(series) < length:
        raise InputError(
            f"a window of {length} needs as many values, the series has {len(series)}: shorten it or add data"
        )
    return np.moveaxis(sliding_window_view(series, length, axis=0), -1, 1)[::shift]


def next_token_windows(ids: np.ndarray, *, length: int, shift: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Windows and the same windows one token later: [n] -> inputs, targets, each [w, length], read-only views.

    There are (n - length - 1) // shift + 1 pairs, as `targets[:, -1]` must exist; tokens after the last are left out.

    Raises:
        InputError: a size is not above 0, or the corpus is shorter than a window and its last target.
    """
    require_corpus(len(ids), length=length)
    windows = sliding_windows(ids, length=length + 1, shift=shift)
    return windows[:, :-1], windows[:, 1:]


def require_corpus(count: int, *, length: int) -> None:
    """Raises InputError unless a corpus of `count` tokens holds a window of `length` and the token after it."""
    require_positive(length=length)
    if count <= length:
        raise InputError(
            f"window length {length} needs at least {length + 1} tokens, the corpus has {count}: "
            "lower --data.length or add text"
        )


def forecast_windows(
    series: np.ndarray, *, length: int, horizon: int = 1, shift: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Windows and the `horizon` values that follow each: [n(, d)] -> [w, length(, d)], [w, horizon(, d)], views.

    Values after the last whole pair are left out. Forecasting one of several features needs no option: take
    `targets[..., column]`.

    Raises:
        InputError: a size is not above 0, or the series is shorter than a window with its horizon.

    >>> inputs, targets = forecast_windows(np.arange(6), length=3, horizon=2)
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2], [1, 2, 3]], [[3, 4], [4, 5]])
    """
    require_positive(length=length, horizon=horizon)
    windows = sliding_windows(series, length=length + horizon, shift=shift)
    return windows[:, :length], windows[:, length:]


def window_starts(lengths: Sequence[int], *, length: int, shift: int = 1) -> np.ndarray:
    """Where windows begin in series of these lengths laid end to end, none crossing into the next series: [w] int64.

    A series shorter than a window has none. `gather_windows` cuts them out.

    Raises:
        InputError: a size is not above 0, or no series is as long as a window.

    >>> window_starts([4, 2, 3], length=3).tolist()
    [0, 1, 6]
    """
    require_positive(length=length, shift=shift)
    offsets = np.cumsum([0, *lengths])[:-1]
    starts = [offset + np.arange(0, n - length + 1, shift) for offset, n in zip(offsets, lengths, strict=True)]
    if not any(map(len, starts)):
        longest = max(lengths, default=0)
        raise InputError(f"a window of {length} needs as many values, the longest series has {longest}: shorten it")
    return np.concatenate(starts)


def gather_windows(series: np.ndarray, starts: np.ndarray, *, length: int) -> np.ndarray:
    """The windows that begin at `starts` [m]: [n(, d)] -> [m, length(, d)], a copy of these windows alone."""
    return sliding_windows(series, length=length)[starts]


def forecast_windows_of(
    series: Sequence[np.ndarray], *, length: int, horizon: int = 1, shift: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """`forecast_windows` of several series, one after the other; no window crosses from one series into the next.

    Returns:
        inputs [w, length(, d)] and targets [w, horizon(, d)], views of one new array that holds every window.

    Raises:
        InputError: a size is not above 0, or no series is as long as a window with its horizon.
    """
    require_positive(length=length, horizon=horizon)
    starts = window_starts([len(one) for one in series], length=length + horizon, shift=shift)
    windows = gather_windows(np.concatenate(list(series)), starts, length=length + horizon)
    return windows[:, :length], windows[:, length:]


def row_bounds(count: int, rows: int) -> np.ndarray:
    """Bounds of `rows` stretches of `count` things whose lengths differ by one at most, longer ones first: [rows+1].

    >>> row_bounds(8, 3).tolist()
    [0, 3, 6, 8]
    """
    short, longer = divmod(count, rows)
    index = np.arange(rows + 1)
    return index * short + np.minimum(index, longer)


def contiguous_rows(ids: np.ndarray, rows: int) -> np.ndarray:
    """The corpus cut into `rows` stretches of equal length: [n] -> [rows, n // rows], a view.

    Row i + 1 goes on where row i ends; the last n % rows tokens are left out.

    Raises:
        InputError: `rows` is not above 0, or there are more rows than tokens.

    >>> contiguous_rows(np.arange(7), 2).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    require_positive(rows=rows)
    length = len(ids) // rows
    if length == 0:
        raise InputError(f"{rows} rows need as many tokens, the corpus has {len(ids)}: use fewer rows or add text")
    return ids[: rows * length].reshape(rows, length, *ids.shape[1:])


def split_bounds(count: int, shares: Sequence[float]) -> list[int]:
    """Where the parts of `count` things begin and end when cut in order by `shares`: len(shares) + 1 numbers.

    Shares count as the fractions they stand for (0.29 as 29/100, 1/3 as a third), and bounds are rounded down: 0.9 of
    1,115,394 ends at 1,003,854.

    Raises:
        InputError: a share is negative, or they do not add up to 1.

    >>> split_bounds(10, (0.75, 0.25))
    [0, 7, 10]
    """
    if any(share < 0 for share in shares) or not math.isclose(sum(shares), 1.0):
        raise InputError(f"the shares of a split are {tuple(shares)}: give shares of 0 or more that add up to 1")
    ends = itertools.accumulate(Fraction(share).limit_denominator(10**6) for share in shares[:-1])
    return [0, *(min(count, math.floor(count * end)) for end in ends), count]


def split(ids: np.ndarray, shares: Sequence[float]) -> tuple[np.ndarray, ...]:
    """The corpus cut in order by `shares`: [n] -> one view for each share.

    Raises:
        InputError: a share is negative, or they do not add up to 1.

    >>> [part.tolist() for part in split(np.arange(5), (0.6, 0.2, 0.2))]
    [[0, 1, 2], [3], [4]]
    """
    bounds = split_bounds(len(ids), shares)
    return tuple(ids[start:stop] for start, stop in itertools.pairwise(bounds))
