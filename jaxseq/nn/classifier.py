"""A body, poolings side by side and a head make a classifier."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.heads import ClassificationHead
from jaxseq.nn.pooling import POOLINGS


class Classifier(nn.Module):
    """Logits [b, classes] of tokens [b, t].

    Attributes:
        body: `(tokens, mask=, train=) -> (features [b, t, d], carry)`, any of `jaxseq.models`.
        pooling: Names in `nn.pooling.POOLINGS`: what of the features along time the head sees, side by side.
    """

    body: Any
    head: ClassificationHead
    pooling: tuple[str, ...] = ("mean",)

    @property
    def classes(self) -> int:
        """How many there are."""
        return self.head.classes

    @property
    def dtype(self) -> jnp.dtype:
        """The type of activations and of matrix products."""
        return self.body.dtype

    def setup(self) -> None:
        self.poolings = [POOLINGS[name](name=f"pooling_{name}") for name in self.pooling]

    def __call__(self, tokens: Array, *, mask: Array | None = None, train: bool = False) -> Array:
        """Logits [b, classes] float32; those of a row that is all padding follow from the biases."""
        return self.head(self._pooled(tokens, mask, train).astype(self.dtype), train=train)

    def _pooled(self, tokens: Array, mask: Array | None, train: bool) -> Array:
        if self.pooling == ("mean",) and hasattr(self.body, "mean"):  # without the vectors in memory
            return self.body.mean(tokens, mask=mask)
        features, _ = self.body(tokens, mask=mask, train=train)
        return jnp.concatenate([pooling(features, mask=mask) for pooling in self.poolings], axis=-1)
