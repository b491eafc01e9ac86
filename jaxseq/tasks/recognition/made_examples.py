"""From the data section of a configuration to examples by their numbers."""

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import HandsConfig, RectanglesConfig
from jaxseq.data import hands, rectangles
from jaxseq.data.example_batches import Examples
from jaxseq.tasks.picture_form import PictureForm

MadeConfig = RectanglesConfig | HandsConfig
_FORM_PICTURES, _FORM_EVERY = 32, 4
"""Pictures whose pixels are scaled to mean 0 and deviation 1, and of which rows and columns."""


def classes_of(data: MadeConfig) -> tuple[str, str]:
    """Names of the classes 0 and 1."""
    return rectangles.KINDS if isinstance(data, RectanglesConfig) else hands.KINDS


def examples_of(data: MadeConfig, split: str, *, seed: int) -> Examples:
    """Those of a split: corners [n, 4, 2] float32 or pictures [n, h, w, 3] uint8."""
    if isinstance(data, HandsConfig):
        options = {"size": data.size, "alike": data.alike, "halves": data.halves}
        return partial(hands.make_hands, split=split, seed=seed, **options)
    return partial(_rectangles, data, split, seed)


def count_of(data: MadeConfig, split: str) -> int:
    """How many examples a split has."""
    return data.examples if split == "train" else data.held_out


def form_of(data: HandsConfig, *, seed: int) -> PictureForm:
    """Of pictures; mean and deviation are those of every fourth pixel across and down in the first 32 to train on."""
    numbers = np.arange(min(data.examples, _FORM_PICTURES))
    pictures, _ = examples_of(data, "train", seed=seed)(numbers)
    found = PictureForm.of(pictures[:, ::_FORM_EVERY, ::_FORM_EVERY])
    return found._replace(height=data.size[0], width=data.size[1])


def _rectangles(
    data: RectanglesConfig, split: str, seed: int, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    made = _all_rectangles(data, split, seed)
    return made.corners[numbers], made.labels[numbers]


@lru_cache(maxsize=8)
def _all_rectangles(data: RectanglesConfig, split: str, seed: int) -> rectangles.Rectangles:
    return rectangles.make_rectangles(
        split,
        count_of(data, split),
        seed=seed,
        shortest=data.shortest,
        longest=data.longest,
        margin=data.margin,
        shift=data.shift,
    )
