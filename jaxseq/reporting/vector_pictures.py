"""Words as points of a picture, near to those that are alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jaxseq.reporting.pictures import PNG, Lettering, lettering_for, new_figure, png_of, set_title
from jaxseq.reporting.projections import Projection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_TITLE = "jaxseq map of words"
"""What the picture says it is."""
_GREY, _COLORS = "#888888", 10
_LONGEST_WORD = 24
_PLACES = ((4, 0, "left", "center"), (-4, 0, "right", "center"), (0, 4, "center", "bottom"), (0, -4, "center", "top"))
"""Of a label beside its point: how far in points, and how it is aligned."""


def words_picture(
    projection: Projection, words: Sequence[str], groups: Sequence[int | None], *, name: str, title: str = ""
) -> bytes:
    """A PNG of the words at their points [n, 2]. A word that has no room for its label beside the earlier ones is a
    point alone.

    Args:
        groups: of each word the number of its color; None is grey.
        name: of the picture, for messages.

    Raises:
        InputError: Matplotlib does not start.
    """
    size = 7 if len(words) <= 40 else 10
    with new_figure(name, size=(size * 1.25, size)) as figure:
        axes = figure.add_subplot(xlabel=projection.axes[0], ylabel=projection.axes[1])
        colors = [_GREY if group is None else f"C{group % _COLORS}" for group in groups]
        axes.scatter(*projection.points.T, s=14 if len(words) <= 200 else 5, c=colors, linewidths=0)
        axes.margins(0.08)
        axes.set_aspect("equal", adjustable="datalim")  # a distance is one in all directions
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
        set_title(axes, title)
        figure.draw_without_rendering()  # where points lie is known from here on
        _label(axes, projection.points, words, colors)
        return png_of(figure, Title=_TITLE)


def is_words_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `words_picture`."""
    return begin.startswith(PNG) and b"tEXtTitle\0" + _TITLE.encode() in begin


def _label(axes: "Axes", points: NDArray[np.float64], words: Sequence[str], colors: Sequence[str]) -> None:
    """Writes each word on the first side of its point where nothing has been written, and where it covers no point but
    its own."""
    letters = lettering_for("".join(word[:_LONGEST_WORD] for word in words))
    font = letters.font(9 if len(words) <= 200 else 7)
    dots = np.asarray(axes.transData.transform(points))
    taken: list[Bbox] = []
    for at, (word, color) in enumerate(zip(words, colors, strict=True)):
        for x, y, across, upright in _PLACES:
            label = axes.annotate(
                _shown(letters, word),
                points[at],
                xytext=(x, y),
                textcoords="offset points",
                ha=across,
                va=upright,
                fontproperties=font,
                color="black" if color == _GREY else color,
                parse_math=False,
            )
            box = label.get_window_extent()
            covered = ((dots > box.min) & (dots < box.max)).all(axis=1)
            if not box.count_overlaps(taken) and not covered.any():
                taken.append(box)
                break
            label.remove()


def _shown(letters: Lettering, word: str) -> str:
    return letters.shown(word if word.strip() else repr(word), most=_LONGEST_WORD)
