"""Lengths of texts: how many tokens a batch is given, and what that costs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.windows import require_positive

_CANDIDATES = 256


class LengthReport(NamedTuple):
    """What becomes of texts that are all given one length."""

    texts: int
    truncated: int
    """Texts that are longer, of which tokens are left out."""
    padded: int
    """Texts that are shorter."""
    exact: int
    mean_length: float
    """Tokens in a text, before anything is left out; 0 where there is no text."""
    longest: int
    tokens_left_out: int


def length_report(lengths: np.ndarray, length: int) -> LengthReport:
    """What becomes of texts of `lengths` [n] tokens that are truncated and padded to `length`."""
    require_positive(length=length)
    counts = np.asarray(lengths, np.int64)
    return LengthReport(
        texts=len(counts),
        truncated=int((counts > length).sum()),
        padded=int((counts < length).sum()),
        exact=int((counts == length).sum()),
        mean_length=float(counts.mean()) if len(counts) else 0.0,
        longest=int(counts.max(initial=0)),
        tokens_left_out=int(np.maximum(counts - length, 0).sum()),
    )


def choose_lengths(
    lengths: Sequence[int] | np.ndarray, *, count: int, longest: int | None = None, multiple: int = 8
) -> tuple[int, ...]:
    """At most `count` lengths, ascending, with which texts of `lengths` [n] tokens have the least padding.

    Each is compiled for once, so they are to be few. They are multiples of `multiple`, or of as much more as there are
    over 256 of, and the last one has room for every text, or is `longest`.

    Args:
        longest: what longer texts are truncated to; None truncates none.

    Raises:
        InputError: a size is not above 0.
    """
    require_positive(count=count, multiple=multiple)
    if longest is not None:
        require_positive(longest=longest)
    needed = np.maximum(np.asarray(lengths, np.int64), 1)
    top = int(needed.max(initial=1)) if longest is None else longest
    needed = np.minimum(needed, top)
    grid = coarse_multiple(top, multiple)
    rounded = -(-needed // grid) * grid
    if longest is not None:
        rounded = np.minimum(rounded, longest)
    candidates, rows = np.unique(rounded, return_counts=True)
    if not len(candidates):
        return (top,)
    return tuple(candidates[cheapest_cuts(candidates, rows, count)].tolist())


def coarse_multiple(longest: int, multiple: int) -> int:
    """`multiple`, or as much more as there are over 256 of up to `longest`."""
    return multiple * max(1, -(-longest // (multiple * _CANDIDATES)))


def cheapest_cuts(candidates: np.ndarray, rows: np.ndarray, count: int) -> list[int]:
    """Which of ascending `candidates` [m] to keep, at most `count` with the last one, so that `rows` [m] take the
    fewest cells: their places.

    Shortest paths with at most `count` edges: the edge from i to j stands for the rows above i padded to candidate j.
    """
    size = len(candidates)
    below = np.concatenate([[0], np.cumsum(rows)])
    cells = np.full((size + 1, size + 1), np.inf)
    i, j = np.triu_indices(size + 1, 1)
    cells[i, j] = (below[j] - below[i]) * candidates[j - 1]
    best, came_from = cells[0], []
    for _ in range(min(count, size) - 1):
        through = best[:, None] + cells
        came_from.append(through.argmin(axis=0))
        best = through.min(axis=0)
    at, kept = size, [size]
    for previous in reversed(came_from):
        at = int(previous[at])
        kept.append(at)
    return [at - 1 for at in reversed(kept)]
