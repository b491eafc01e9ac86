"""Losses of hidden tokens: the head of a model looks at a few columns of each row, as many in all rows."""

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.shapes import Array


def gather_positions(x: Float[Array, "b t d"], positions: Int[Array, "b n"]) -> Float[Array, "b n d"]:
    """The vectors in these columns of each row."""
    return jnp.take_along_axis(x, positions[:, :, None], axis=1)


def masked_cross_entropy(
    features: Float[Array, "b n d"],
    kernel: Float[Array, "d v"] | Float[Array, "v d"],
    bias: Float[Array, " v"] | None,
    targets: Int[Array, "b n"],
    chosen: Bool[Array, "b n"],
    *,
    transposed: bool = False,
) -> tuple[Tally, Tally]:
    """Loss in nats and hits of the tokens that were hidden, by features times kernel plus bias, and their number; where
    none was, all are 0.

    A `transposed` kernel is [v, d]. Where `chosen` is False neither features nor targets are looked at.
    """
    flat = features.reshape(-1, features.shape[-1])
    return linear_cross_entropy(flat, kernel, bias, targets.reshape(-1), chosen.reshape(-1), transposed=transposed)
