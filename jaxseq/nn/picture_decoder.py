"""An encoder of pictures, a decoder and a vocabulary head make a model that writes what a picture shows."""

from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Float

from jaxseq.nn.target_model import TargetModel
from jaxseq.ops.shapes import Array


class Grid(NamedTuple):
    """Cells over a picture."""

    rows: int
    columns: int
    side: int
    """Pixels of a cell's side: what the cell in row i and column j sees has its centre in the middle of the square that
    begins at pixel i * side, j * side."""


class PictureReader(Protocol):
    """A Linen module that reads pictures whole."""

    def __call__(self, pictures: Float[Array, "b h w c"], *, train: bool = False) -> tuple[Float[Array, "b s d"], Any]:
        """Features of the cells of a grid over each picture, row by row from the top, and what the decoder begins
        with."""
        ...

    def grid(self, height: int, width: int) -> Grid:
        """That over pictures of this size; s is the number of its cells. Marked `flax.linen.nowrap`.

        Raises:
            ValueError: pictures are too small.
        """
        ...


class PictureDecoder(TargetModel):
    """Logits of the next token of a text about a picture.

    Sources are pictures [b, h, w, c], and have no mask: uint8 as files hold them, which are scaled here, or floats
    that are so already.

    Attributes:
        encoder: Reads pictures, a `PictureReader`.
        mean, deviation: Of the pixels from 0 to 1, a number for each channel: what is read has the one taken off and
            is divided by the other.
    """

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    def _encode(self, source: Array, mask: Array | None, *, train: bool, guard: bool) -> tuple[Array, Any]:
        if mask is not None:
            raise ValueError("a picture has no mask: give none")
        return self.encoder(self._scaled(source), train=train)

    def _scaled(self, pictures: Array) -> Array:
        if pictures.dtype != jnp.uint8:
            return pictures
        mean, deviation = (jnp.asarray(each, jnp.float32) for each in (self.mean, self.deviation))
        return (pictures.astype(jnp.float32) / 255 - mean) / deviation
