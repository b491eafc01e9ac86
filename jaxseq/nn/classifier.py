"""A body, poolings side by side and a head make a classifier."""

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.heads import ClassificationHead
from jaxseq.nn.pooling import POOLINGS
from jaxseq.ops.shapes import Array


class Classifier(nn.Module):
    """Logits of texts.

    Attributes:
        body: `(tokens, mask=, train=) -> (features [b, t, d], carry)`, any of `jaxseq.models`.
        pooling: Names in `nn.pooling.POOLINGS`: what of the features along time the head sees, side by side.
        length: Tokens of the longest text, for the pooling "flatten".
        padding: The side on which shorter ones are padded, for the same.
    """

    body: Any
    head: ClassificationHead
    pooling: tuple[str, ...] = ("mean",)
    length: int = 0
    padding: Literal["pre", "post"] = "post"

    @property
    def classes(self) -> int:
        """How many there are."""
        return self.head.classes

    @property
    def dtype(self) -> jnp.dtype:
        """The type of activations and of matrix products."""
        return jnp.dtype(self.body.dtype)

    def setup(self) -> None:
        places = {"flatten": {"length": self.length, "padding": self.padding}}
        self.poolings = [POOLINGS[name](name=f"pooling_{name}", **places.get(name, {})) for name in self.pooling]

    def __call__(
        self, tokens: Int[Array, "b t"], *, mask: Bool[Array, "b t"] | None = None, train: bool = False
    ) -> Float32[Array, "b {self.classes}"]:
        """Logits; those of a row that is all padding follow from the biases."""
        return self.from_pooled(self.pooled(tokens, mask=mask, train=train), train=train)

    def from_pooled(self, pooled: Float[Array, "b d"], *, train: bool = False) -> Float32[Array, "b {self.classes}"]:
        """The same logits, of what `pooled` gives."""
        return self.head(pooled.astype(self.dtype), train=train)

    def pooled(
        self, tokens: Int[Array, "b t"], *, mask: Bool[Array, "b t"] | None = None, train: bool = False
    ) -> Float[Array, "b d"]:
        """What the head sees of texts."""
        if self.pooling == ("mean",) and hasattr(self.body, "mean"):  # without the vectors in memory
            return self.body.mean(tokens, mask=mask)
        features, _ = self.body(tokens, mask=mask, train=train)
        return jnp.concatenate([pooling(features, mask=mask) for pooling in self.poolings], axis=-1)
