"""Where a model looked in a picture, word by word."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reporting.pictures import PNG, Lettering, lettering_for, new_figure, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "jaxseq picture of words and where they looked"
"""What the picture says it is."""
_PANEL = 1.5
"""Inches of a panel's side."""
_COLUMNS = 8
"""Panels in a row, at the most."""
MOST_WORDS = 64
"""Words that can be told apart."""
_LONGEST_WORD, _LONGEST_CAPTION = 16, 100


class Looked(NamedTuple):
    """A caption, and where each of its words looked."""

    words: Sequence[str]
    maps: NDArray[np.floating]
    """[words, rows, columns]: weights of the cells of a grid over the picture, those of a word in sum 1."""
    side: int
    """Pixels of a cell's side."""
    title: str = ""


def caption_picture(picture: NDArray[np.uint8], captions: Sequence[Looked], *, name: str) -> bytes:
    """A PNG of the picture [h, w, c], once for each word with where that looked: the brighter a cell, the more weight
    has it, the brightest being the word's own largest; what was not looked at stays dark. Captions stand below each
    other, each after the picture as it is.

    Args:
        name: of the PNG, for messages.

    Raises:
        InputError: there is no word, or there are too many; a weight is none; or Matplotlib does not start.
    """
    for caption in captions:
        _check(caption, name)
    if not captions:
        raise InputError(f"{name} would show nothing: give a caption")
    letters = lettering_for("".join(word for caption in captions for word in (*caption.words, caption.title)))
    columns = min(_COLUMNS, 1 + max(len(caption.words) for caption in captions))
    rows = [math.ceil((1 + len(caption.words)) / columns) for caption in captions]
    height = sum(rows) * (_PANEL + 0.3) + 0.3 * len(captions)
    with new_figure(name, size=(columns * _PANEL + 0.3, height)) as figure:
        parts = figure.subfigures(len(captions), 1, squeeze=False, height_ratios=rows)[:, 0]
        for part, caption, count in zip(parts, captions, rows, strict=True):
            grid = part.subplots(count, columns, squeeze=False).ravel()
            title = letters.shown(caption.title or " ".join(caption.words), most=_LONGEST_CAPTION)
            part.suptitle(title, fontproperties=letters.font(10), parse_math=False)
            _draw(grid[0], picture, None)
            for axes, word, weights in zip(grid[1:], caption.words, caption.maps, strict=False):
                _draw(axes, picture, _spread(weights, picture.shape[:2], caption.side))
                _name(axes, word, letters)
            for axes in grid[1 + len(caption.words) :]:
                axes.set_axis_off()
        return png_of(figure, Title=_TITLE)


def is_caption_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `caption_picture`."""
    return begin.startswith(PNG) and b"tEXtTitle\0" + _TITLE.encode() in begin


def _draw(axes: "Axes", picture: NDArray[np.uint8], shade: NDArray[np.floating] | None) -> None:
    """The picture, darker where `shade` [h, w] is below 1."""
    grey = picture.shape[-1] == 1
    shown = picture.repeat(3, axis=2) / 255 if grey else picture / 255
    if shade is not None:
        # Mixed with dark blue, so that black grounds show too what was looked at.
        ground = np.array([0.05, 0.05, 0.25])
        lit = shown + (1 - shown) * 0.35 if shown.mean() < 0.5 else shown
        shown = shade[..., None] * lit + (1 - shade[..., None]) * (0.35 * shown + 0.65 * ground)
    axes.imshow(np.clip(shown, 0, 1), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#bbbbbb")


def _name(axes: "Axes", word: str, letters: Lettering) -> None:
    axes.set_title(letters.shown(word, most=_LONGEST_WORD), fontproperties=letters.font(9), parse_math=False, pad=3)


def _spread(weights: NDArray[np.floating], size: tuple[int, ...], side: int) -> NDArray[np.floating]:
    """Weights of cells as shades from 0 to 1 of the pixels [h, w] that they lie over."""
    shades = weights / max(float(weights.max()), 1e-12)
    pixels = shades.repeat(side, axis=0).repeat(side, axis=1)[: size[0], : size[1]]
    missing = [(0, length - there) for length, there in zip(size, pixels.shape, strict=True)]
    return np.pad(pixels, missing)


def _check(caption: Looked, name: str) -> None:
    maps = np.asarray(caption.maps)
    if maps.ndim != 3 or len(maps) != len(caption.words) or not maps.size:
        raise InputError(
            f"{name} has weights of shape {list(maps.shape)} for {len(caption.words)} words: give [words, rows, "
            "columns]"
        )
    if len(caption.words) > MOST_WORDS:
        raise InputError(f"{name} would show {len(caption.words):,} words: give captions of at most {MOST_WORDS}")
    if not ((maps >= -1e-3) & (maps <= 1 + 1e-2)).all():  # NaN is none of both; those in bfloat16 pass 1
        raise InputError(f"{name} has weights that are not between 0 and 1: give those of a softmax")
