"""Where a model looks while it names the digits of made scenes, which are known to lie where they lie.

The cells of a digit are those of the grid whose centre lies in the box around its ink, and the one that the centre of
this box lies in, so that every digit has one, a narrow one too. For each numeral, the word that names a digit, two
things are asked: what share of its attention lies on the cells of that digit, and whether the cell with the largest
weight is one of them. ("small" before it tells of the digit too, and is not asked: which digit comes next is known
then, and no look at it is needed.)

Captions are those that the model wrote by itself. A numeral counts where the caption has the very word at its place;
where it has another, or none, nothing of its attention was on the digit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.digit_scenes import Scenes
from jaxseq.metrics.metric import Metric
from jaxseq.nn.picture_decoder import Grid
from jaxseq.tasks.captioning.caption_scores import Asked

ATTENTION_METRICS = (
    Metric("attention_mass", "% on the digit named, free-running", better="higher", form=".2f"),
    Metric("attention_hits", "% of largest weights on the digit named, free-running", better="higher", form=".2f"),
)


class SceneAttention(NamedTuple):
    """Over all numerals, in percent."""

    mass: float
    """Mean share of a numeral's attention that lies on the digit it names."""
    hits: float
    """Share of numerals whose largest weight does."""

    def summary(self) -> dict[str, float]:
        """The numbers by the names of `ATTENTION_METRICS`."""
        return {"attention_mass": self.mass, "attention_hits": self.hits}


def cells_of(box: Sequence[int] | NDArray[np.int32], grid: Grid) -> NDArray[np.bool_]:
    """The cells [rows, columns] of a digit with this box: top, left, bottom and right."""
    top, left, bottom, right = (float(edge) for edge in box)
    rows, columns = ((np.arange(count) + 0.5) * grid.side for count in grid[:2])
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    row, column = (
        min(int(middle / 2 // grid.side), count - 1)
        for middle, count in zip((top + bottom, left + right), grid[:2], strict=True)
    )
    inside[row, column] = True
    return inside


def measure_attention(
    scenes: Scenes,
    asked: Sequence[Asked],
    written: Sequence[str],
    looked: Sequence[NDArray[np.float32]],
    grid: Grid,
) -> SceneAttention:
    """How much of the attention lies where it should.

    Args:
        asked, written: the captions of scenes, by their number.
        looked: where each word of what was written looked, [words, rows, columns].
    """
    masses, hits = [], []
    for one, text, maps in zip(asked, written, looked, strict=True):
        captions = scenes.captions[one.picture]
        number = next(at for at, (language, _) in enumerate(captions) if language == one.language)
        words, names = captions[number][1].split(), scenes.named[one.picture][number]
        for at, (word, digit) in enumerate(zip(words, names, strict=True)):
            if digit < 0 or names[at + 1 : at + 2] == [digit]:
                continue
            mass, hit = 0.0, False
            if text.split()[at : at + 1] == [word]:
                cells = cells_of(scenes.boxes[one.picture, digit], grid)
                mass, hit = float(maps[at][cells].sum()), bool(cells.flat[maps[at].argmax()])
            masses.append(mass)
            hits.append(hit)
    return SceneAttention(100 * float(np.mean(masses)), 100 * float(np.mean(hits)))
