"""The highest logits of many rows, exactly, without a sort of the vocabulary."""

import jax
import jax.numpy as jnp
from jax import Array


def top_tokens(logits: Array, count: int) -> tuple[Array, Array]:
    """The `count` highest of logits [..., v] and their ids, both [..., count], highest first, of equals the lowest id.

    `count` is at most v. The highest numbers lie in the blocks with the highest maxima: a block that is left out
    has `count` blocks before it, and in each of these a number that comes before all of its own.
    """
    size = logits.shape[-1]
    width = 1 << ((size // count).bit_length() // 2)
    if size <= 2 * count * width:
        return jax.lax.top_k(logits, count)
    whole = size - size % width
    maxima = logits[..., :whole].reshape(*logits.shape[:-1], -1, width).max(-1)
    if whole < size:
        maxima = jnp.concatenate([maxima, logits[..., whole:].max(-1, keepdims=True)], axis=-1)
    # Sorted, so that of equals the lowest is first. Only what is chosen is read again: no copy of all is made.
    chosen = jnp.sort(jax.lax.top_k(maxima, count)[1], axis=-1)
    ids = (chosen[..., None] * width + jnp.arange(width, dtype=chosen.dtype)).reshape(*logits.shape[:-1], -1)
    within = jnp.take_along_axis(logits, jnp.minimum(ids, size - 1), axis=-1)
    values, at = jax.lax.top_k(jnp.where(ids < size, within, -jnp.inf), count)
    return values, jnp.take_along_axis(ids, at, axis=-1)
