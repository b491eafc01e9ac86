"""A classifier's matrix of confusion and its calibration as pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jaxseq.metrics.classification import Reliability
from jaxseq.reporting.pictures import lettering_for, new_figure, png_of, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFUSION, CALIBRATION = "confusion.png", "calibration.png"
"""Names of their files."""
_BLUE, _ORANGE, _EMPTY = "#4c72b0", "#dd8452", "#eeeeee"
_MOST_WITH_SHARES, _MOST_WITH_COUNTS = 12, 20
"""Classes up to which cells hold their share of the row, their count."""
_LONGEST_NAME = 24


def confusion_picture(matrix: NDArray[np.int64], names: Sequence[str], *, title: str = "") -> bytes:
    """A matrix of confusion [c, c] as a PNG: the darker a cell, the larger its share of the true class.

    Names and title are plain text, in an installed font that has their characters; long names are cut.
    """
    count = len(names)
    side = min(max(0.62 * count, 3.4), 8.4)
    with new_figure(CONFUSION, size=(side + 3, side + 2)) as figure:
        from matplotlib.colors import LinearSegmentedColormap, PowerNorm

        axes = figure.add_subplot()
        colors = LinearSegmentedColormap.from_list("shares", ["white", _BLUE, "#2c4a7c"]).with_extremes(bad=_EMPTY)
        of_class = matrix.sum(axis=1, keepdims=True)
        shares = np.divide(matrix, of_class, out=np.full(matrix.shape, np.nan), where=of_class > 0)
        # Without numbers in them, cells of a few mistakes have to differ from empty ones.
        even = count <= _MOST_WITH_SHARES
        norm = PowerNorm(1 if even else 0.5, vmin=0, vmax=1)
        image = axes.imshow(shares, cmap=colors, norm=norm)
        bar = figure.colorbar(
            image,
            ax=axes,
            shrink=0.8,
            ticks=[0, 0.25, 0.5, 0.75, 1] if even else [0, 0.05, 0.2, 0.5, 1],
            format="{x:.0%}",
        )
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
        _write_cells(axes, matrix, shares)
        _name_axes(axes, names, room=side / count)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(count - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(count - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="#dddddd", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        set_title(axes, title)
        return png_of(figure)


def _write_cells(axes: "Axes", matrix: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    count = len(matrix)
    if count > _MOST_WITH_COUNTS:
        return
    size = 11 if count <= 4 else 8 if count <= _MOST_WITH_SHARES else 7
    for (row, column), texts in np.ndenumerate(matrix):
        share = shares[row, column]
        label = f"{texts:,}"
        if count <= _MOST_WITH_SHARES and np.isfinite(share):
            label += f"\n{share:.1%}" if count <= 4 else f"\n{share:.0%}"
        color = "white" if share > 0.35 else "#bbbbbb" if texts == 0 else "black"
        axes.text(column, row, label, ha="center", va="center", fontsize=size, color=color)


def _name_axes(axes: "Axes", names: Sequence[str], *, room: float) -> None:
    """Names rows and columns; columns across where `room`, the inches that one has, does not suffice."""
    count = len(names)
    letters = lettering_for("".join(name[:_LONGEST_NAME] for name in names))
    shown = [letters.shown(name, most=_LONGEST_NAME) for name in names]
    font = letters.font(10 if count <= _MOST_WITH_SHARES else 8 if count <= 25 else 6)
    places = np.arange(count)
    axes.set_xticks(places, shown, fontproperties=font, parse_math=False)
    axes.set_yticks(places, shown, fontproperties=font, parse_math=False)
    if count > _MOST_WITH_SHARES:
        axes.tick_params(axis="x", rotation=90)
    elif max(map(len, shown)) > 11 * room:
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")


def calibration_picture(found: Reliability, *, title: str = "") -> bytes:
    """Accuracy over confidence as a PNG, with the diagonal on which a model is right as often as it says, and below it
    how many texts there are of each confidence."""
    bins = len(found.support)
    edges = np.linspace(0, 1, bins + 1)
    with new_figure(CALIBRATION, size=(6.4, 6.4)) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        filled = found.support > 0
        place = {"width": 1 / bins, "align": "edge", "edgecolor": "white", "linewidth": 0.8}
        left, accuracy, gap = edges[:-1][filled], found.accuracy[filled], (found.confidence - found.accuracy)[filled]
        above.bar(left, accuracy, color=_BLUE, label="accuracy", **place)
        above.bar(
            left, gap, bottom=accuracy, color=_ORANGE, alpha=0.5, label="from there to the mean confidence", **place
        )
        above.plot([0, 1], [0, 1], color="#555555", linestyle="--", linewidth=1, label="as often right as it says")
        above.set_ylabel("accuracy")
        above.set_ylim(0, 1.02)
        above.set_xlim(0, 1)
        above.legend(
            loc="upper left", edgecolor="none", framealpha=0.9, title=f"calibration error {found.expected_error:.2%}"
        )
        below.bar(edges[:-1], found.support, color="#999999", **place)
        below.set_ylabel("texts")
        below.set_xlabel("confidence: probability of the predicted class")
        below.yaxis.set_major_formatter("{x:,.0f}")
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3)
            axes.set_axisbelow(True)
        above.xaxis.set_major_formatter("{x:.0%}")
        above.yaxis.set_major_formatter("{x:.0%}")
        set_title(above, title)
        return png_of(figure)
