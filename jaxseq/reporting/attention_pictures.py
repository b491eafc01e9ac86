"""What a model looked at: weights of attention between the words of two texts."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reporting.pictures import PNG, Lettering, lettering_for, new_figure, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "jaxseq picture of attention"
"""What the picture says it is."""
_LONGEST_WORD = 16
_CELL = 0.28
"""Inches of a word, unless there are many."""
_SMALLEST, _LARGEST = 2.0, 9.0
"""Inches of the weights of one head, along the longer side."""
_WIDEST = 16.0
"""Inches of the heads of a row."""
MOST_WORDS = 200
"""Words on an axis that can be told apart."""


def attention_picture(
    weights: NDArray[np.floating],
    *,
    source: Sequence[str],
    target: Sequence[str],
    name: str,
    titles: Sequence[str] = (),
) -> bytes:
    """A PNG of weights [t, s], or of those of several heads [h, t, s] in a grid: a row for each word of `target`, a
    column for each of `source`; white is 0, dark 1, whatever the largest weight is.

    Args:
        name: of the picture, for messages.
        titles: of the heads; by default "head 1" and so on, where there are several.

    Raises:
        InputError: words and weights do not fit, a weight is none, there are too many words to draw, or Matplotlib does
            not start.
    """
    weights = _checked(np.asarray(weights), source=source, target=target, name=name)
    h, t, s = weights.shape
    if not titles:
        titles = [f"head {at + 1}" for at in range(h)] if h > 1 else [""]
    if len(titles) != h:
        raise InputError(f"{name} has {len(titles)} titles for {h} heads: give one for each")
    letters = lettering_for("".join(word[:_LONGEST_WORD] for word in [*source, *target, *titles]))
    width, height = _size(s, t)
    columns = min(math.ceil(math.sqrt(h)), max(1, int(_WIDEST / (width + 1))))
    rows = math.ceil(h / columns)
    with new_figure(name, size=(columns * (width + 1) + 0.6, rows * (height + 1))) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        image = None
        for axes, head, title in zip(grid, weights, titles, strict=False):
            image = axes.imshow(head, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            _write_words(axes, letters, source=source, target=target, cell=min(width / s, height / t))
            if title:
                axes.set_title(letters.shown(title, most=40), fontproperties=letters.font(9), parse_math=False)
        for axes in grid[h:]:
            axes.set_axis_off()
        assert image is not None
        figure.colorbar(image, ax=list(grid), shrink=min(1, 2.5 / (rows * height)), aspect=14, label="weight")
        return png_of(figure, Title=_TITLE)


def is_attention_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `attention_picture`."""
    return begin.startswith(PNG) and b"tEXtTitle\0" + _TITLE.encode() in begin


def _size(s: int, t: int) -> tuple[float, float]:
    """Width and height in inches of the weights of a head."""
    scale = min(1, _LARGEST / (_CELL * max(s, t)))
    return max(_SMALLEST, _CELL * s * scale), max(_SMALLEST, _CELL * t * scale)


def _write_words(
    axes: "Axes", letters: Lettering, *, source: Sequence[str], target: Sequence[str], cell: float
) -> None:
    """The source above, as it is read first, the target on the left."""
    font = letters.font(min(9, max(2, cell * 72 * 0.75)))
    axes.set_xticks(range(len(source)), [_shown(letters, word) for word in source], rotation=90)
    axes.set_yticks(range(len(target)), [_shown(letters, word) for word in target])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_fontproperties(font)
        label.set_parse_math(False)
    axes.spines[:].set_color("#bbbbbb")


def _shown(letters: Lettering, word: str) -> str:
    return letters.shown(word if word.strip() else repr(word), most=_LONGEST_WORD)


def _checked(
    weights: NDArray[np.floating], *, source: Sequence[str], target: Sequence[str], name: str
) -> NDArray[np.floating]:
    """The weights as [h, t, s]."""
    if weights.ndim == 2:
        weights = weights[None]
    expected = (len(target), len(source))
    if weights.ndim != 3 or weights.shape[1:] != expected or not weights.size:
        raise InputError(
            f"{name} has weights of shape {list(weights.shape)} for {expected[0]} words of a target and {expected[1]} "
            "of a source: give [t, s], or [h, t, s] of several heads"
        )
    if max(expected) > MOST_WORDS:
        raise InputError(f"{name} would show {max(expected):,} words in a row: give texts of at most {MOST_WORDS}")
    weights = weights.astype(np.float64)
    if not ((weights >= -1e-3) & (weights <= 1 + 1e-2)).all():  # NaN is none of both; those in bfloat16 pass 1
        raise InputError(f"{name} has weights that are not between 0 and 1: give those of a softmax")
    return weights
