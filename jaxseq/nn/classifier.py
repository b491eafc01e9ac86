"""From a body's features along time to the logits of classes."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.pooling import POOLINGS
from jaxseq.ops.dropout import dropout
from jaxseq.ops.finite import product


def logits_of(classes: int) -> int:
    """How many logits there are to learn: of two classes that of the second, that of the first is 0."""
    return 1 if classes == 2 else classes


class Dense(nn.Module):
    """x [b, d] times kernel [d, features], plus bias [features], float32; products in `dtype`."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        return product(x, kernel, dtype=self.dtype) + self.param(
            "bias", nn.initializers.zeros, (self.features,), jnp.float32
        )


class Bias(nn.Module):
    """x [b, d] plus bias [d], float32."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x.astype(jnp.float32) + self.param("bias", nn.initializers.zeros, x.shape[-1:], jnp.float32)


class Classifier(nn.Module):
    """Logits [b, classes] of tokens [b, t]: a body, poolings side by side, a hidden layer with ReLU if there is one,
    and a linear layer.

    Two classes have one logit, that of the second; that of the first is 0.

    Attributes:
        body: `(tokens, mask=, train=) -> (features [b, t, d], carry)`.
        pooling: Names in `nn.pooling.POOLINGS`.
        hidden: Width of the hidden layer; 0 for none.
        dropout: Rate of dropout on what is pooled.
        linear: Without it what is pooled, or the hidden layer, is the logits but for their bias: it must be
            `logits_of(classes)` wide.
        dtype: Type of products.
    """

    body: Any
    classes: int
    pooling: tuple[str, ...] = ("mean",)
    hidden: int = 0
    dropout: float = 0.0
    linear: bool = True
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        self.poolings = [POOLINGS[name](name=f"pooling_{name}") for name in self.pooling]
        self.hidden_layer = Dense(self.hidden, dtype=self.dtype) if self.hidden else None
        self.head = Dense(logits_of(self.classes), dtype=self.dtype) if self.linear else Bias()

    def __call__(self, tokens: Array, *, mask: Array | None = None, train: bool = False) -> Array:
        """Logits [b, classes] float32; those of a row that is all padding follow from the biases."""
        x = self._pooled(tokens, mask, train)
        if train and self.dropout > 0:
            x = dropout(x, self.dropout, self.make_rng("dropout"))
        if self.hidden_layer is not None:
            x = nn.relu(self.hidden_layer(x))
        logits = self.head(x).astype(jnp.float32)
        return jnp.pad(logits, ((0, 0), (1, 0))) if self.classes == 2 else logits

    def _pooled(self, tokens: Array, mask: Array | None, train: bool) -> Array:
        if self.pooling == ("mean",) and hasattr(self.body, "mean"):  # without the vectors in memory
            return self.body.mean(tokens, mask=mask)
        features, _ = self.body(tokens, mask=mask, train=train)
        return jnp.concatenate([pooling(features, mask=mask) for pooling in self.poolings], axis=-1)
