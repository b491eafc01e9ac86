"""Made-up rectangles of two kinds, wide ones and tall ones, by their four corners."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.corpus import SPLITS
from jaxseq.errors import InputError

KINDS = ("tall", "wide")
"""Names of the labels 0 and 1."""
_DRAWS = 5
"""Numbers that a rectangle takes."""
_ROUND = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
"""Corners of the unit square, one after the other."""


class Rectangles(NamedTuple):
    """n rectangles with upright sides."""

    corners: NDArray[np.float32]
    """[n, 4, 2]: x and y of each corner, one after the other, from any of the four on and either way round: each of
    these 8 orders as often as another, so that a corner's place in the list tells nothing."""
    labels: NDArray[np.int32]
    """[n]: 1 where the rectangle is wider than tall, else 0; as often one as the other."""


def make_rectangles(
    split: str,
    count: int,
    *,
    seed: int,
    shortest: float = 0.5,
    longest: float = 2.0,
    margin: float = 0.25,
    shift: float = 0.0,
) -> Rectangles:
    """`count` rectangles of a split; each follows from the arguments and its number alone.

    Width and height are drawn from `shortest` to `longest`, each as often as any other pair that differs by `margin` at
    least. Centres lie at (`shift`, 0).

    Raises:
        InputError: there is no such split, or no such pair.
    """
    if split not in SPLITS:
        raise InputError(f"the split is {split!r}: choose {', '.join(SPLITS)}")
    if not 0 <= margin < longest - shortest:
        raise InputError(
            f"margin is {margin:g}: give a number from 0 to below the {longest - shortest:g} that sides can differ by"
        )
    raw = np.random.Philox(np.random.SeedSequence([seed, SPLITS.index(split)])).random_raw(count * _DRAWS)
    drawn = (raw >> np.uint64(11)).reshape(count, _DRAWS) * 2.0**-53
    # Sorted, two numbers are a point that may lie anywhere in half of a square; moved apart by the margin, a pair.
    short, long = np.sort(drawn[:, :2] * (longest - shortest - margin) + shortest).T
    long = long + margin
    labels = (drawn[:, 2] < 0.5).astype(np.int32)
    sides = np.where(labels[:, None], np.stack([long, short], axis=1), np.stack([short, long], axis=1))
    start = (drawn[:, 3] * 4).astype(np.int64)
    way = np.where(drawn[:, 4] < 0.5, 1, -1)
    order = (start[:, None] + way[:, None] * np.arange(4)) % 4
    corners = _ROUND[order] * sides[:, None] + (shift, 0)
    return Rectangles(corners.astype(np.float32), labels)
