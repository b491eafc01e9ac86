"""Scaled dot-product attention with its gradient written out (Vaswani et al. 2017)."""

import jax
import jax.numpy as jnp
from jax import Array


def attend(
    query: Array, key: Array, value: Array, *, visible: Array | None = None, factors: Array | None = None
) -> Array:
    """Values weighed by softmax(query . key / sqrt(k)), [b, q, h, k].

    Args:
        query: [b, q, h, k].
        key: [b, s, h, k].
        value: [b, s, h, k].
        visible: [b or 1, q, s] bool, True where a query may look; None for everywhere. A query that may look nowhere
            gets zeros, never NaN.
        factors: [b, h, q, s], multiplied into the weights: dropout.

    Products take the type of `query` and add up in float32; the softmax is float32. Only reverse-mode differentiation
    is defined.
    """
    return _attend(query, key, value, visible, factors)


def _product(equation: str, a: Array, b: Array) -> Array:
    return jnp.einsum(equation, a, b, preferred_element_type=jnp.float32)


@jax.custom_vjp
def _attend(query: Array, key: Array, value: Array, visible: Array | None, factors: Array | None) -> Array:
    return _forward(query, key, value, visible, factors)[0]


def _forward(query, key, value, visible, factors):
    scores = _product("bqhk,bshk->bhqs", query, key) * query.shape[-1] ** -0.5
    if visible is not None:
        visible = visible[:, None]
        scores = jnp.where(visible, scores, -jnp.inf)
        # A row that sees nothing has the maximum -inf; any finite one keeps NaN out.
        highest = jnp.maximum(scores.max(axis=-1, keepdims=True), jnp.finfo(jnp.float32).min)
    else:
        highest = scores.max(axis=-1, keepdims=True)
    weights = jnp.exp(scores - highest)
    weights = weights / jnp.maximum(weights.sum(axis=-1, keepdims=True), jnp.finfo(jnp.float32).tiny)
    used = (weights if factors is None else weights * factors).astype(value.dtype)
    output = _product("bhqs,bshk->bqhk", used, value).astype(query.dtype)
    return output, (query, key, value, weights, factors, output)


def _backward(saved, d_output):
    query, key, value, weights, factors, output = saved
    used = weights if factors is None else weights * factors
    d_value = _product("bhqs,bqhk->bshk", used.astype(value.dtype), d_output)
    d_weights = _product("bqhk,bshk->bhqs", d_output, value)
    d_weights = d_weights if factors is None else d_weights * factors
    # The sum over s of weights times d_weights is the product of output and its gradient.
    along = (d_output.astype(jnp.float32) * output.astype(jnp.float32)).sum(axis=-1)
    d_scores = weights * (d_weights - jnp.swapaxes(along, 1, 2)[..., None]) * query.shape[-1] ** -0.5
    d_scores = d_scores.astype(query.dtype)
    d_query = _product("bhqs,bshk->bqhk", d_scores, key)
    d_key = _product("bhqs,bqhk->bshk", d_scores, query)
    return d_query.astype(query.dtype), d_key.astype(key.dtype), d_value.astype(value.dtype), None, None


_attend.defvjp(_forward, _backward)
