"""What came back of pictures, below the pictures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from jaxseq.reporting.pictures import new_figure, png_of, set_title

RECONSTRUCTIONS = "reconstructions.png"
"""Name of the file."""
_INCHES = 0.9
"""Of a picture, unless there are many."""
_WIDEST = 14.0
"""Inches of a row."""
_GAP = 1 / 14
"""Between two pictures, as a share of one."""


def reconstructions_picture(rows: Mapping[str, NDArray[np.floating]], *, title: str = "") -> bytes:
    """A PNG of rows of pictures [n, h, w, c] with pixels in 0 to 1, by what they are called; c is 1 or 3."""
    tiles = [_row(np.asarray(pictures, np.float64)) for pictures in rows.values()]
    heights = [len(tile) for tile in tiles]
    count = max(map(len, rows.values()))
    width = min(_INCHES * count, _WIDEST)
    height = width * sum(heights) / tiles[0].shape[1]
    with new_figure(RECONSTRUCTIONS, size=(width + 1.3, height + 0.5)) as figure:
        axes = figure.add_subplot()
        axes.imshow(np.concatenate(tiles), vmin=0, vmax=1, interpolation="nearest")
        middles = np.cumsum(heights) - np.array(heights) / 2 - 0.5
        axes.set_yticks(middles, list(rows))
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        set_title(axes, title)
        return png_of(figure)


def _row(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pictures side by side, white between them, in red, green and blue: [h, w, 3]."""
    pictures = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    gap = max(1, round(_GAP * pictures.shape[2]))
    padded = np.pad(pictures, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1)
    return np.concatenate(list(padded), axis=1)
