"""Pictures with what a model says of them, and the weights by which it does."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.reporting.pictures import new_figure, png_of

EXAMPLES, WEIGHTS = "recognition.png", "weights.png"
"""Names of their files."""
_COLUMNS, _INCHES = 4, 2.9
"""Pictures in a row, and how wide each is."""
_WIDEST = 400
"""Pixels of a picture that is shown, about."""
_RIGHT, _WRONG = "#2a7f3f", "#b3261e"


def examples_picture(
    pictures: NDArray[np.uint8], verdicts: Sequence[str], right: Sequence[bool], *, title: str = ""
) -> bytes:
    """A PNG of pictures [n, h, w, 3], each with a verdict above it: green where that is right, else red."""
    height, width = pictures.shape[1:3]
    rows = math.ceil(len(pictures) / _COLUMNS)
    tall = _INCHES * height / width + 0.3
    with new_figure(EXAMPLES, size=(_COLUMNS * _INCHES, rows * tall + 0.5)) as figure:
        grid = figure.subplots(rows, _COLUMNS, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, picture, verdict, is_right in zip(grid.flat, pictures, verdicts, right, strict=False):
            axes.imshow(_smaller(picture))
            axes.set_title(verdict, fontsize=10, color=_RIGHT if is_right else _WRONG, parse_math=False)
        figure.suptitle(title, parse_math=False)
        return png_of(figure)


def weights_picture(weights: NDArray[np.floating], *, title: str = "") -> bytes:
    """A PNG of weights [h, w, f] of a unit over places: above 0 red, below blue, a map for each of the filters."""
    height, width, filters = weights.shape
    columns = min(_COLUMNS, filters)
    rows = math.ceil(filters / columns)
    limit = float(np.quantile(np.abs(weights), 0.99)) or 1.0
    with new_figure(WEIGHTS, size=(columns * _INCHES + 1, rows * _INCHES * height / width + 0.6)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        image = None
        for at, axes in enumerate(grid.flat[:filters]):
            image = axes.imshow(weights[:, :, at], cmap="RdBu_r", vmin=-limit, vmax=limit)
        if image is not None:
            figure.colorbar(image, ax=grid, shrink=0.8)
        figure.suptitle(title, parse_math=False)
        return png_of(figure)


def _smaller(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] of about `_WIDEST` columns, or fewer: means of squares."""
    by = max(1, round(picture.shape[1] / _WIDEST))
    height, width = (side // by for side in picture.shape[:2])
    if by == 1 or not height:
        return picture
    squares = picture[: height * by, : width * by].reshape(height, by, width, by, -1)
    return np.rint(squares.mean(axis=(1, 3))).astype(np.uint8)
