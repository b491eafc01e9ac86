"""The shapes that batches of pairs have: how many tokens a source and a target are given, and what that costs."""

from collections.abc import Sequence

import numpy as np

from jaxseq.data.lengths import cheapest_cuts, coarse_multiple
from jaxseq.data.windows import require_positive
from jaxseq.errors import InputError

PairShape = tuple[int, int]
"""Tokens of a source and of a target."""


def choose_shapes(
    source_lengths: np.ndarray, target_lengths: np.ndarray, *, count: int, multiple: int = 4
) -> tuple[PairShape, ...]:
    """At most `count` shapes, each with room for all before it, in which pairs of so many tokens [n] have little
    padding; the last one has room for every pair.

    Pairs are put in order by the longer of their sides, each measured by how long that side is on average; a shape
    holds all pairs up to a place in this order, and the places are those that leave the fewest cells (`cheapest_cuts`).

    Args:
        multiple: lengths are multiples of this, or of more where there are over 256 of, but for those of the longest.

    Raises:
        InputError: a size is not above 0.
    """
    require_positive(count=count, multiple=multiple)
    sides = [np.maximum(np.asarray(lengths, np.int64), 1) for lengths in (source_lengths, target_lengths)]
    if not len(sides[0]):
        return ((1, 1),)
    longer = np.maximum(*(side / side.mean() for side in sides))
    order = np.argsort(longer, kind="stable")
    most = np.stack([np.maximum.accumulate(side[order]) for side in sides], axis=1)
    grid = [coarse_multiple(longest, multiple) for longest in most[-1].tolist()]
    rounded = np.minimum(-(-most // grid) * grid, most[-1])
    shapes, rows = np.unique(rounded, axis=0, return_counts=True)  # ascending in both, as both accumulate
    return tuple((int(s), int(t)) for s, t in shapes[cheapest_cuts(shapes.sum(axis=1), rows, count)])


def with_room(
    shapes: Sequence[PairShape], source_lengths: np.ndarray, target_lengths: np.ndarray, *, multiple: int = 4
) -> tuple[PairShape, ...]:
    """`shapes`, and where pairs of so many tokens [n] are longer than the last of them one more that has room for all.

    Splits that are measured share the shapes of the pairs to train on, and what is compiled for them.
    """
    longest = [int(lengths.max(initial=1)) for lengths in (source_lengths, target_lengths)]
    if all(length <= room for length, room in zip(longest, shapes[-1], strict=True)):
        return tuple(shapes)
    s, t = (
        room if length <= room else -(-length // multiple) * multiple
        for length, room in zip(longest, shapes[-1], strict=True)
    )
    return (*shapes, (s, t))


def buckets_of(shapes: Sequence[PairShape], source_lengths: np.ndarray, target_lengths: np.ndarray) -> np.ndarray:
    """The number [k] of the first shape that has room for each pair.

    Raises:
        InputError: shapes do not ascend, or the last one is too small for a pair.
    """
    table = np.asarray(shapes, np.int64).reshape(-1, 2)
    if not len(table) or table.min() < 1 or (np.diff(table, axis=0) < 0).any():
        raise InputError(f"shapes are {list(shapes)}: give pairs of lengths above 0, each with room for all before it")
    found = [np.searchsorted(table[:, side], lengths) for side, lengths in enumerate((source_lengths, target_lengths))]
    buckets = np.maximum(*found)
    if (buckets == len(table)).any():
        at = int(np.flatnonzero(buckets == len(table))[0])
        raise InputError(
            f"pair {at + 1:,} has {source_lengths[at]} and {target_lengths[at]} tokens, and the largest shape is "
            f"{tuple(table[-1].tolist())}: leave it out, or give one that has room for it"
        )
    return buckets
