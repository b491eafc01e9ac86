"""Linear layers that look at a figure by its corners."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Float32

from jaxseq.nn.layers import Linear
from jaxseq.ops.shapes import Array

SLOPE = 0.3
"""Of "leaky_relu" below zero, as in Keras 3; PyTorch's default is 0.01."""


class Corners(nn.Module):
    """Logits of figures: the same layers for every corner, and a last one that sees what they make of all.

    Attributes:
        points: Widths of the layers for a corner.
        activation: Behind each of these but the last one of several: a last one is read as it is.
        bias: Of all layers.
    """

    points: tuple[int, ...] = (3, 1)
    activation: Literal["leaky_relu", "relu", "none"] = "leaky_relu"
    bias: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, corners: Float[Array, "b corners coordinates"]) -> Float32[Array, " b"]:
        x = corners
        for at, width in enumerate(self.points):
            x = Linear(width, self.bias, initial_scale=None, dtype=self.dtype, name=f"point_{at}")(x)
            if at == 0 or at < len(self.points) - 1:
                x = self._activated(x)
        figure = Linear(1, self.bias, initial_scale=None, dtype=self.dtype, name="figure")
        return figure(x.reshape(x.shape[0], -1))[:, 0].astype(jnp.float32)

    def _activated(self, x: Array) -> Array:
        if self.activation == "none":
            return x
        return nn.leaky_relu(x, SLOPE) if self.activation == "leaky_relu" else nn.relu(x)
