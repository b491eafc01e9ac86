"""One vector a row from vectors along time: x [b, t, d] and a mask (None for all True) to [b, d].

Padding is kept out by `where`, never by a product, so what it holds reaches neither values nor gradients. A row without
a real token gives zeros, and no gradient. Sums are float32, the result has the type of x.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float

from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.row_tables import RowTable
from jaxseq.ops.shapes import Array, is_open

TOGETHER = 4096
"""Tokens looked up at a time: their vectors stay in cache."""


def summed(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The sum of the real tokens."""
    return _kept(x, mask).sum(axis=1, dtype=jnp.float32).astype(x.dtype)


def mean(x: Float[Array, "b t d"] | Lookup, mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The mean of the real tokens.

    Of a `Lookup`, float32, the vectors are added up as they are looked up and never all in memory, unless it is in a
    `RowTable`; its scale has no gradient then.
    """
    if isinstance(x, Lookup):
        total = _sum_of_rows(x, mask)
        count = x.shape[1] if mask is None else mask.sum(axis=1, keepdims=True, dtype=jnp.float32)
        return total / jnp.maximum(count, 1)
    total = _kept(x, mask).sum(axis=1, dtype=jnp.float32)
    count = x.shape[1] if mask is None else mask.sum(axis=1, keepdims=True, dtype=jnp.float32)
    return (total / jnp.maximum(count, 1)).astype(x.dtype)


def sqrt_mean(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The sum of the real tokens over the square root of how many they are, as TensorFlow's "sqrtn": of independent
    vectors the length does not depend on their number."""
    total = _kept(x, mask).sum(axis=1, dtype=jnp.float32)
    count = x.shape[1] if mask is None else mask.sum(axis=1, keepdims=True, dtype=jnp.float32)
    return (total / jnp.sqrt(jnp.maximum(count, 1))).astype(x.dtype)


def maximum(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """Each element's greatest value among the real tokens; of equals the first has the gradient."""
    if not x.shape[1]:
        return _zeros(x)
    candidates = x if mask is None else jnp.where(mask[:, :, None], x, -jnp.inf)
    # By its place, so that the gradient goes there and is multiplied by nothing.
    place = jnp.argmax(jax.lax.stop_gradient(candidates), axis=1, keepdims=True)
    return _of_real_rows(jnp.take_along_axis(x, place, axis=1)[:, 0], mask)


def first(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The first real token's vector."""
    if not x.shape[1]:
        return _zeros(x)
    return x[:, 0] if mask is None else _at(x, jnp.argmax(mask, axis=1), mask)


def last(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The last real token's vector: of a recurrent layer, its state after the text."""
    if not x.shape[1]:
        return _zeros(x)
    return x[:, -1] if mask is None else _at(x, x.shape[1] - 1 - jnp.argmax(mask[:, ::-1], axis=1), mask)


def ends(x: Float[Array, "b t d"], mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
    """The first half of the last real token's vector and the second half of the first one's: of two directions of one
    width side by side, the state in which each has read the whole text."""
    half = x.shape[-1] // 2
    return jnp.concatenate([last(x[..., :half], mask), first(x[..., half:], mask)], axis=-1)


def attention(
    x: Float[Array, "b t d"], scores: Float[Array, "b t"], mask: Bool[Array, "b t"] | None = None
) -> Float[Array, "b d"]:
    """The mean of the real tokens weighed by the softmax of their scores."""
    if not x.shape[1]:
        return _zeros(x)
    scores = scores.astype(jnp.float32)
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    # A row without a real token has the maximum -inf; any finite one keeps NaN out.
    highest = jnp.maximum(scores.max(axis=1, keepdims=True), jnp.finfo(jnp.float32).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(highest))
    weights = weights / jnp.maximum(weights.sum(axis=1, keepdims=True), jnp.finfo(jnp.float32).tiny)
    vectors, sound = finite_rows(_kept(x, mask))
    pooled = jnp.einsum("bt,btd->bd", weights, vectors.astype(jnp.float32)).astype(x.dtype)
    return poison(pooled, sound.all(axis=1, keepdims=True))


def _sum_of_rows(x: Lookup, mask: Array | None) -> Array:
    if x.table is None or isinstance(x.table, RowTable) or is_open(*x.ids.shape) or not x.ids.size:
        return _kept(x.vectors(mask), mask).sum(axis=1)
    # Past the table's end: nothing is added there.
    ids = x.ids if mask is None else jnp.where(mask, x.ids, len(x.table))
    rows, steps = ids.shape
    length = min(steps, max(1, TOGETHER // rows))
    padded = jnp.pad(ids, ((0, 0), (0, -steps % length)), constant_values=len(x.table))
    scale = None if x.scale is None else jnp.pad(x.scale, ((0, 0), (0, -steps % length)))
    pieces = (None if part is None else _pieces(part, length) for part in (padded, scale))
    return _sum_in_pieces(jnp.asarray(x.table), *pieces)  # NumPy's, as a checkpoint has them, know no tracers


def _pieces(x: Array, length: int) -> Array:
    """[b, n * length] as [n, b, length]."""
    return jnp.swapaxes(x.reshape(len(x), -1, length), 0, 1)


@jax.custom_vjp
def _sum_in_pieces(table: Array, ids: Array, scale: Array | None) -> Array:
    """[b, d] float32: rows of table [v, d] by ids [n, b, c], each times scale; nothing for the id v."""

    def add(total: Array, piece: tuple[Array, Array | None]) -> tuple[Array, None]:
        chosen, factor = piece
        vectors = jnp.where((chosen < len(table))[..., None], table[chosen], 0)
        vectors = vectors if factor is None else vectors * factor[..., None]
        return total + vectors.sum(axis=1, dtype=jnp.float32), None

    return lax.scan(add, jnp.zeros((ids.shape[1], table.shape[1]), jnp.float32), (ids, scale))[0]


def _sum_forward(table: Array, ids: Array, scale: Array | None) -> tuple[Array, tuple[Array, Array, Array | None]]:
    return _sum_in_pieces(table, ids, scale), (table, ids, scale)


def _sum_backward(saved: tuple[Array, Array, Array | None], d: Array) -> tuple[Array, None, None]:
    table, ids, scale = saved

    def add(gradient: Array, piece: tuple[Array, Array | None]) -> tuple[Array, None]:
        chosen, factor = piece
        rows = jnp.broadcast_to(d[:, None], (*chosen.shape, d.shape[1]))
        rows = rows if factor is None else rows * factor[..., None]
        return gradient.at[chosen].add(rows, mode="drop"), None

    gradient, _ = lax.scan(add, jnp.zeros(table.shape, jnp.float32), (ids, scale))
    return gradient.astype(table.dtype), None, None


_sum_in_pieces.defvjp(_sum_forward, _sum_backward)


def _kept(x: Array, mask: Array | None) -> Array:
    return x if mask is None else jnp.where(mask[:, :, None], x, 0)


def _at(x: Array, place: Array, mask: Array) -> Array:
    return _of_real_rows(jnp.take_along_axis(x, place[:, None, None], axis=1)[:, 0], mask)


def _of_real_rows(pooled: Array, mask: Array | None) -> Array:
    """Zeros where a row has no real token."""
    return pooled if mask is None else jnp.where(mask.any(axis=1, keepdims=True), pooled, 0)


def _zeros(x: Array) -> Array:
    """Of no tokens at all."""
    return jnp.zeros((x.shape[0], x.shape[-1]), x.dtype)
