"""Words and those around them: sums and products over the places that surround each centre.

Rows have s = t + w - 1 words, of which the t in the middle are centres. Around a centre are w = 2 window + 1 places in
the order of the text, itself in the middle one: in place p of centre i stands word i + p of the row.

Sums are taken place by place, of whole rows, which on a CPU takes half the time of a product with a banded matrix. The
products of centres with the words around them are a band of what short blocks of them have with all words near.
"""

from collections.abc import Callable
from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int, Int32, Shaped

from jaxseq.ops.shapes import Array

BLOCK = 32
"""Centres whose products with all words near them are one matrix."""
AT_ONCE = 32
"""Places, at the most, that are added up in one pass over the vectors: of more XLA makes a pass for each."""


def in_context(left: Int[Array, "b t"], right: Int[Array, "b t"], window: int) -> Bool[Array, "b t {2*window+1}"]:
    """Whether a place is among the `left` before a centre, or among the `right` behind it."""
    distances = jnp.arange(-window, window + 1)
    left, right = jnp.asarray(left)[..., None], jnp.asarray(right)[..., None]
    return (distances != 0) & (distances >= -left) & (distances <= right)


def around(rows: Shaped[Array, "b s"], length: int) -> Shaped[Array, "b {length} w"]:
    """What stands in the places around each of `length` centres."""
    places = rows.shape[1] - length + 1
    return jnp.stack([rows[:, place : place + length] for place in range(places)], axis=-1)


def occurrences(context: Int[Array, "b n i w"], words: Int[Array, "b n k"]) -> Int32[Array, "b n i k"]:
    """How often each of a block's `words` is in the context of each of its centres."""
    context, words = jnp.asarray(context), jnp.asarray(words)

    def term(place: int | Array) -> Array:
        return (lax.dynamic_slice_in_dim(context, place, 1, axis=3) == words[:, :, None, :]).astype(jnp.int32)

    return _total(term, context.shape[3])


@jax.custom_vjp
def context_sums(weights: Float[Array, "b t w"], vectors: Float[Array, "b s d"]) -> Float32[Array, "b t d"]:
    """Sums of the vectors around each centre, each times the weight of its place."""
    length, places = weights.shape[1:]

    def term(place: int | Array) -> Array:
        weight = lax.dynamic_slice_in_dim(weights, place, 1, axis=2)
        return weight.astype(jnp.float32) * lax.dynamic_slice_in_dim(vectors, place, length, axis=1)

    return _where_any(weights, lambda: _total(term, places))


@jax.custom_vjp
def context_products(centres: Float[Array, "b t d"], vectors: Float[Array, "b s d"]) -> Float32[Array, "b t w"]:
    """Dot products of each centre with the vectors around it."""
    batch, length, depth = centres.shape
    places = vectors.shape[1] - length + 1
    blocks, near = -(-length // BLOCK), BLOCK + places - 1
    missing = [(0, 0), (0, blocks * BLOCK - length), (0, 0)]
    cut = jnp.pad(centres, missing).reshape(batch, blocks, BLOCK, depth)
    vectors = jnp.pad(vectors, missing)
    windows = jnp.stack([vectors[:, at * BLOCK : at * BLOCK + near] for at in range(blocks)], axis=1)
    products = jnp.einsum("bnid,bnjd->bnij", cut, windows, preferred_element_type=jnp.float32)
    # Laid out in rows that are one longer, what was in column i + p of row i is in column p.
    flat = jnp.pad(products.reshape(batch, blocks, BLOCK * near), [(0, 0), (0, 0), (0, BLOCK)])
    return flat.reshape(batch, blocks * BLOCK, near + 1)[:, :length, :places]


def _spread(weights: Float[Array, "b t w"], centres: Float[Array, "b t d"]) -> Float32[Array, "b s d"]:
    """To each word what the centres around it give, each times the weight of the word's place there."""
    length, places = weights.shape[1:]
    beyond = [(0, 0), (places - 1, places - 1), (0, 0)]
    weights, centres = jnp.pad(weights, beyond), jnp.pad(centres, beyond)

    def term(place: int | Array) -> Array:
        start, words = places - 1 - place, length + places - 1
        weight = lax.dynamic_slice(weights, (0, start, place), (len(weights), words, 1))
        return weight.astype(jnp.float32) * lax.dynamic_slice_in_dim(centres, start, words, axis=1)

    return _where_any(weights, lambda: _total(term, places))


def _where_any(weights: Array, sums: Callable[[], Array]) -> Array:
    """Sums, zeros without a weight.

    What enters a branch, and leaves it, lies in memory. Else XLA would look vectors up and compute weights within the
    sum, for each place anew, and the sum within whatever uses it.
    """
    shape = jax.eval_shape(sums)
    return lax.cond((weights != 0).any(), sums, lambda: jnp.zeros(shape.shape, shape.dtype))


def _total(term: Callable[[int | Array], Array], places: int) -> Array:
    """The sum of the terms of all places."""
    groups, rest = divmod(places, AT_ONCE)
    terms = [term(place) for place in range(places - rest, places)]
    if groups == 0:
        return reduce(add, terms)

    def group(number: int | Array, total: Array) -> Array:
        return reduce(add, (term(number * AT_ONCE + i) for i in range(AT_ONCE)), total)

    zeros = jnp.zeros_like(term(0))
    return reduce(add, terms, lax.fori_loop(0, groups, group, zeros))


def _sums_forward(weights, vectors):
    return context_sums(weights, vectors), (weights, vectors)


def _sums_backward(kept, d_sums):
    weights, vectors = kept
    d_weights = context_products(d_sums.astype(vectors.dtype), vectors)
    return d_weights.astype(weights.dtype), _spread(weights, d_sums).astype(vectors.dtype)


def _products_forward(centres, vectors):
    return context_products(centres, vectors), (centres, vectors)


def _products_backward(kept, d_products):
    centres, vectors = kept
    d_centres, d_vectors = context_sums(d_products, vectors), _spread(d_products, centres)
    return d_centres.astype(centres.dtype), d_vectors.astype(vectors.dtype)


context_sums.defvjp(_sums_forward, _sums_backward)
context_products.defvjp(_products_forward, _products_backward)
