"""Scaled dot-product attention with its gradient written out (Vaswani et al. 2017)."""

import functools
import operator

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32

from jaxseq.ops.finite import poison
from jaxseq.ops.shapes import Array


def attend(
    query: Float[Array, "b t h k"],
    key: Float[Array, "b s h k"],
    value: Float[Array, "b s h f"],
    *,
    visible: Bool[Array, "#b #t s"] | None = None,
    factors: Float[Array, "b h t s"] | None = None,
    guard: bool = True,
) -> Float[Array, "b t h f"]:
    """Values weighed by softmax(query . key / sqrt(k)).

    Args:
        visible: True where a query may look; None for everywhere. A query that may look nowhere gets zeros, never NaN.
        factors: Multiplied into the weights: dropout.
        guard: Whether keys and values that are not finite are kept from the queries that do not see them. Without it,
            which is for decoding, they reach all.

    A query that is not finite itself, or sees what is not, gets NaN. Products take the type of `query` and add up in
    float32; the softmax is float32. Only reverse-mode differentiation is defined.
    """
    if not query.shape[1] or not key.shape[1]:
        return jnp.zeros((*query.shape[:3], value.shape[3]), query.dtype)
    if not guard:
        return _attend(query, key, value, visible, factors)
    sound_query = jnp.isfinite(query).all(axis=(2, 3))
    sound_slot = (jnp.isfinite(key) & jnp.isfinite(value)).all(axis=(2, 3))
    spoilt = ~sound_slot[:, None]
    sound = sound_query & ~(spoilt if visible is None else visible & spoilt).any(axis=2)
    key, value = (jnp.where(sound_slot[..., None, None], x, 0) for x in (key, value))
    query = jnp.where(sound_query[..., None, None], query, 0)
    return poison(_attend(query, key, value, visible, factors), sound[..., None, None])


def visibility(
    queries: int,
    keys: int,
    *,
    causal: bool = False,
    key_mask: Bool[Array, "b {keys}"] | None = None,
    visible: Bool[Array, "#b #t {keys}"] | None = None,
) -> Bool[Array, "#b #t {keys}"] | None:
    """Where queries may look by all that is given, for `attend`; None for everywhere.

    Args:
        causal: Query i sees the keys 0 to i.
        key_mask: False at keys that are padding.
        visible: Anything else.
    """
    parts = [] if visible is None else [visible]
    if causal:
        parts.append((jnp.arange(queries)[:, None] >= jnp.arange(keys))[None])
    if key_mask is not None:
        parts.append(key_mask[:, None])
    return functools.reduce(operator.and_, parts) if parts else None


def attention_weights(
    query: Float[Array, "b t h k"],
    key: Float[Array, "b s h k"],
    *,
    visible: Bool[Array, "#b #t s"] | None = None,
) -> Float32[Array, "b h t s"]:
    """The weights that `attend` without `factors` gives the values: to be shown, or counted. They have no gradient."""
    if not key.shape[1]:
        return jnp.zeros((query.shape[0], query.shape[2], query.shape[1], 0), jnp.float32)
    return jax.lax.stop_gradient(_weights(query, key, visible))


def _product(equation: str, a: Array, b: Array) -> Array:
    return jnp.einsum(equation, a, b, preferred_element_type=jnp.float32)


@jax.custom_vjp
def _attend(query: Array, key: Array, value: Array, visible: Array | None, factors: Array | None) -> Array:
    return _forward(query, key, value, visible, factors)[0]


def masked_softmax(scores: Float[Array, "*n s"], visible: Bool[Array, "*#n s"] | None = None) -> Float32[Array, "*n s"]:
    """Softmax over what is visible; zeros where nothing is."""
    scores = scores.astype(jnp.float32)
    if visible is not None:
        scores = jnp.where(visible, scores, -jnp.inf)
        # A row that sees nothing has the maximum -inf; any finite one keeps NaN out.
        highest = jnp.maximum(scores.max(axis=-1, keepdims=True), jnp.finfo(jnp.float32).min)
    else:
        highest = scores.max(axis=-1, keepdims=True)
    weights = jnp.exp(scores - jax.lax.stop_gradient(highest))
    return weights / jnp.maximum(weights.sum(axis=-1, keepdims=True), jnp.finfo(jnp.float32).tiny)


def _weights(query: Array, key: Array, visible: Array | None) -> Array:
    """[b, h, t, s]: the softmax."""
    scores = _product("bqhk,bshk->bhqs", query, key) * query.shape[-1] ** -0.5
    return masked_softmax(scores, None if visible is None else visible[:, None])


def _forward(query, key, value, visible, factors):
    weights = _weights(query, key, visible)
    used = (weights if factors is None else weights * factors).astype(value.dtype)
    output = _product("bhqs,bshk->bqhk", used, value).astype(query.dtype)
    return output, (query, key, value, weights, factors)


def _backward(saved, d_output):
    query, key, value, weights, factors = saved
    used = weights if factors is None else weights * factors
    d_value = _product("bhqs,bqhk->bshk", used.astype(value.dtype), d_output)
    d_weights = _product("bqhk,bshk->bhqs", d_output, value)
    d_weights = d_weights if factors is None else d_weights * factors
    # d_weights less their weighted mean. Where one weight is nearly 1 that difference is of the size of its rounding
    # error, hence twice. (The product of output and its gradient, the same in exact numbers, has other errors yet.)
    for _ in range(2):
        d_weights = d_weights - (weights * d_weights).sum(axis=-1, keepdims=True)
    d_scores = weights * d_weights * query.shape[-1] ** -0.5
    d_scores = d_scores.astype(query.dtype)
    d_query = _product("bhqs,bshk->bqhk", d_scores, key)
    d_key = _product("bhqs,bqhk->bshk", d_scores, query)
    return d_query.astype(query.dtype), d_key.astype(key.dtype), d_value.astype(value.dtype), None, None


_attend.defvjp(_forward, _backward)
