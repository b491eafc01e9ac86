"""Pictures, and what is said of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Picture(NamedTuple):
    """A picture, and what it is called."""

    name: str
    pixels: NDArray[np.uint8]
    """[h, w, c]."""


class Caption(NamedTuple):
    """What a model says of a picture, one of several."""

    text: str
    score: float
    """What captions are ranked by, the highest first."""
    log_probability: float
    """In nats, of all its tokens, that of its end included."""
    certified: bool
    """Whether nothing that the search did not look at can beat it."""
    attention: NDArray[np.float32] | None = None
    """[words, rows, columns]: where each word of the text, part between spaces, looked when it was written, as weights
    of the cells of a grid over the picture; None where nobody asks, or where the model has no attention."""


class Described(NamedTuple):
    """What a model says of a picture."""

    picture: Picture
    captions: Mapping[str, Sequence[Caption]]
    """By language, best first."""
    side: int
    """Pixels of the side of a cell of the grid that words look at."""


class PictureSize(NamedTuple):
    """Of what form pictures are read."""

    height: int
    width: int
    channels: int
    """3 for colour, 1 for grey."""
    resize: bool
    """Whether those of another size are brought to this one, as those were that were trained on."""
