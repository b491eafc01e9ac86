"""Convolutional encoders of pictures: features of a grid, and the states a recurrent decoder begins with."""

from itertools import chain
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxseq.nn.picture_decoder import Grid
from jaxseq.nn.picture_stack import PictureStack
from jaxseq.nn.recurrent import GRUCarry, LSTMCarry
from jaxseq.ops.cells import State
from jaxseq.ops.dropout import dropout
from jaxseq.ops.linear import linear
from jaxseq.ops.picture_layers import Convolution, Layer, MaxPool, output_shapes
from jaxseq.ops.shapes import Array

_CARRIES = {"lstm": LSTMCarry, "gru": GRUCarry}
"""By the name of a cell."""
_SPREAD = nn.initializers.normal(0.1)
"""Of what tells where a cell lies, beside features of about 1."""


class PictureEncoder(nn.Module):
    """Features of the cells of a grid over pictures, and states to begin with. A `nn.picture_decoder.PictureReader`.

    A 3 x 3 convolution with relu for each of `filters`, with max-pooling that halves the sides behind the first
    `poolings` of them. States are tanh of a linear function of the mean over the grid (Xu et al. 2015, with one layer).

    Parameters: those of a `nn.PictureStack`, stack; start_kernel [d, f * (states of all layers)] and start_bias; with
    learned positions positions [s, d], with coordinates position_kernel [2, d].

    Attributes:
        filters: The last is the width d of the features.
        channels: Of a picture.
        positions: What is added to the features of a cell to tell where it lies: a vector for each cell, or a linear
            function of its row and column, from -1 to 1.
        dropout: Rate, on the features.
        features, layers, cell: Of the decoder.
    """

    filters: tuple[int, ...] = (16, 32, 64, 64)
    poolings: int = 2
    channels: int = 1
    positions: Literal["none", "learned", "coordinates"] = "learned"
    dropout: float = 0.0
    features: int = 256
    layers: int = 1
    cell: Literal["lstm", "gru"] = "lstm"
    dtype: DTypeLike = jnp.float32

    @property
    def picture_layers(self) -> tuple[Layer, ...]:
        """From pictures to the grid."""
        stages = (
            (Convolution(features), MaxPool(2)) if number < self.poolings else (Convolution(features),)
            for number, features in enumerate(self.filters)
        )
        return tuple(chain.from_iterable(stages))

    @nn.nowrap
    def grid(self, height: int, width: int) -> Grid:
        """As `nn.picture_decoder.PictureReader` has it."""
        rows, columns, _ = output_shapes(self.picture_layers, (height, width, self.channels))[-1]
        return Grid(rows, columns, 2**self.poolings)

    @nn.compact
    def __call__(
        self, pictures: Float[Array, "b h w {self.channels}"], *, train: bool = False
    ) -> tuple[Float[Array, "b s d"], tuple[State, ...]]:
        """Features of all cells, and a state for each layer."""
        maps, _ = PictureStack(self.picture_layers, self.channels, self.dtype, name="stack")(pictures)
        b, rows, columns, d = maps.shape
        grid = maps.reshape(b, rows * columns, d)
        if self.positions != "none":
            grid = grid + self._places(rows, columns, d)
        if train and self.dropout > 0:
            grid = dropout(grid, self.dropout, self.make_rng("dropout"))
        grid = grid.astype(self.dtype)
        return grid, self._states(grid)

    def _places(self, rows: int, columns: int, d: int) -> Array:
        """What is added to the features, [s, d]."""
        if self.positions == "learned":
            return self.param("positions", _SPREAD, (rows * columns, d), jnp.float32)
        kernel = self.param("position_kernel", _SPREAD, (2, d), jnp.float32)
        down, right = ((2 * jnp.arange(n) + 1) / n - 1 for n in (rows, columns))
        places = jnp.stack(jnp.broadcast_arrays(down[:, None], right), axis=-1)
        return places.reshape(-1, 2) @ kernel

    def _states(self, grid: Array) -> tuple[State, ...]:
        carry = _CARRIES[self.cell]
        count = self.layers * len(carry._fields)
        shape = (grid.shape[-1], count * self.features)
        kernel = self.param("start_kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        bias = self.param("start_bias", nn.initializers.zeros, shape[1:], jnp.float32)
        mean = jnp.mean(grid, axis=1, dtype=jnp.float32).astype(self.dtype)
        start: Any = linear(mean, kernel, bias)
        parts = jnp.split(jnp.tanh(start.astype(jnp.float32)), count, axis=-1)
        size = len(carry._fields)
        return tuple(carry(*parts[at : at + size]) for at in range(0, count, size))
