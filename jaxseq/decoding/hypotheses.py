"""What beam search gives, and how it keeps the best of what it has found."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Hypotheses(NamedTuple):
    """The best hypotheses of each row, best first. Where a row has fewer, the rest have length 0 and score -inf."""

    tokens: Array
    """[b, n, t] int32, `<end>` among them; the padding id behind."""
    lengths: Array
    """[b, n] int32: |y|, `<end>` counts."""
    scores: Array
    """[b, n] float32: what they are ranked by."""
    log_probabilities: Array
    """[b, n] float32: the sum over their tokens, of the model's own distribution."""
    ended: Array
    """[b, n] bool: with `<end>`, not cut at the maximum length."""
    certified: Array
    """[b, n] bool: no hypothesis that there could be and that is not returned scores higher, pruned ones included."""


class Found(NamedTuple):
    """The best complete hypotheses so far, best first, of equals the one found first. All are [b, n]."""

    scores: Array
    """-inf where there is none."""
    log_probabilities: Array
    lengths: Array
    last: Array
    """The last token."""
    parents: Array
    """Its place in the beam, of the tokens before it."""
    ended: Array

    @classmethod
    def none(cls, rows: int, count: int) -> "Found":
        number = jnp.full((rows, count), -jnp.inf, jnp.float32)
        index = jnp.zeros((rows, count), jnp.int32)
        return cls(number, number, index, index, index, index > 0)

    def merged(self, others: "Found") -> "Found":
        """As many as there are here, the best of these and `others` [b, m]."""
        both = Found(*(jnp.concatenate(pair, axis=1) for pair in zip(self, others, strict=True)))
        scores, at = jax.lax.top_k(both.scores, self.scores.shape[1])
        return Found(scores, *(jnp.take_along_axis(field, at, axis=1) for field in both[1:]))


def traced_back(found: Found, tokens: Array, parents: Array, *, padding: Array | int) -> Array:
    """The tokens [b, n, t] of what was found, from those of the beam at every step and whom they follow, [t, b, k]."""
    real = found.scores > -jnp.inf

    def back(places: Array, step: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        time, tokens, parents = step
        is_last = time == found.lengths - 1
        made = jnp.where(is_last, found.last, jnp.take_along_axis(tokens, places, axis=1))
        before = jnp.where(is_last, found.parents, jnp.take_along_axis(parents, places, axis=1))
        inside = real & (time < found.lengths)
        return jnp.where(inside, before, places), jnp.where(inside, made, padding)

    times = jnp.arange(len(tokens), dtype=jnp.int32)
    _, made = jax.lax.scan(back, jnp.zeros_like(found.parents), (times, tokens, parents), reverse=True)
    return jnp.moveaxis(made, 0, -1)
