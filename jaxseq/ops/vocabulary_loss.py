"""Cross-entropy of a linear layer to a large vocabulary, a block of words at a time.

The first pass over the vocabulary finds what the softmax is divided by, the second computes the logits again and makes
gradients of them. A block's logits stay in the cache, so that, unless the features are wide, computing them twice costs
less than writing those of all words to memory and reading them back.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.ops.chunks import over_chunks
from jaxseq.ops.shapes import Array

BLOCK = 2048
"""Words whose logits exist at one time."""
CHUNK = 1024
"""Tokens whose logits exist at one time."""


def blockwise_cross_entropy(
    features: Float[Array, "n d"],
    kernel: Float[Array, "d v"] | Float[Array, "v d"],
    bias: Float[Array, " v"] | None,
    targets: Int[Array, " n"],
    mask: Bool[Array, " n"] | None,
    *,
    transposed: bool,
    smoothing: float = 0.0,
) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
    """Summed loss in nats, and hits, of features times kernel plus bias; a `transposed` kernel is [v, d].

    `smoothing` as `losses.linear_cross_entropy` has it. Where the mask is False features must be finite and targets
    ids. Products take the features' type and add up in float32. Gradients are made on the way forward;
    there are none of the hits.
    """
    sums: Any = _summed(_How(transposed, smoothing), features, kernel.astype(features.dtype), bias, targets, mask)
    loss, hits = sums
    return loss, lax.stop_gradient(hits)


class _How(NamedTuple):
    """What is known when compiling."""

    transposed: bool
    smoothing: float

    @property
    def axis(self) -> int:
        """Along which the kernel's words lie."""
        return int(not self.transposed)


class _Words(NamedTuple):
    """A block of the vocabulary."""

    start: Any
    kernel: Array
    bias: Array | None


class _Found(NamedTuple):
    """What the first pass finds, [n] each."""

    highest: Array
    """The highest logit, -inf before the first block."""
    total: Array
    """Sum of exp(logit - highest)."""
    target: Array
    """The target's logit."""
    before: Array
    """The highest logit of the words with lower ids than the target's."""
    sum: Array
    """Sum of the logits."""


class _Tokens(NamedTuple):
    """A chunk of tokens."""

    features: Array
    targets: Array
    mask: Array | None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _summed(
    how: _How, features: Array, kernel: Array, bias: Array | None, targets: Array, mask: Array | None
) -> tuple[Array, Array]:
    def step(sums: tuple[Array, Array], tokens: tuple) -> tuple[tuple[Array, Array], None]:
        loss, hits, _ = _chunk_loss(_Tokens(*tokens), kernel, bias, how)
        return (sums[0] + loss, sums[1] + hits), None

    sums, _ = over_chunks(step, (jnp.float32(0), jnp.float32(0)), (features, targets, mask), size=_size(features))
    return sums


def _size(features: Array) -> int:
    """Tokens of a chunk: all chunks but the last have as many, the last nearly."""
    return -(-len(features) // -(-len(features) // CHUNK))


def _over_blocks(step: Callable, state: Any, kernel: Array, bias: Array | None, axis: int) -> Any:
    """The last of state = step(state, block), words at the end that fill no block as one of their own."""
    size = kernel.shape[axis]
    block = min(BLOCK, size)

    def words(start: Any, count: int) -> _Words:
        own = lax.dynamic_slice_in_dim(kernel, start, count, axis)
        return _Words(start, own, None if bias is None else lax.dynamic_slice_in_dim(bias, start, count))

    whole = size // block
    state = lax.fori_loop(0, whole, lambda i, state: step(state, words(i * block, block)), state)
    return step(state, words(whole * block, size % block)) if size % block else state


def _logits(features: Array, words: _Words, axis: int) -> Array:
    logits = lax.dot_general(
        features, words.kernel, (((1,), (1 - axis,)), ((), ())), preferred_element_type=jnp.float32
    )
    return logits if words.bias is None else logits + words.bias


def _chunk_loss(tokens: _Tokens, kernel: Array, bias: Array | None, how: _How) -> tuple[Array, Array, _Found]:
    """Loss and hits of a chunk, and what the first pass found."""
    features, targets, mask = tokens
    axis, smoothing = how.axis, how.smoothing

    def look(found: _Found, words: _Words) -> _Found:
        logits = _logits(features, words, axis)
        place = targets - words.start
        index = lax.broadcasted_iota(jnp.int32, logits.shape, 1)
        highest = jnp.maximum(found.highest, logits.max(axis=1))
        # -inf less -inf is no number; without a finite logit so far there is no sum yet.
        shift = jnp.where(highest == -jnp.inf, 0, highest)
        total = found.total * jnp.exp(found.highest - shift) + jnp.exp(logits - shift[:, None]).sum(axis=1)
        there = (place >= 0) & (place < logits.shape[1])
        own = jnp.take_along_axis(logits, jnp.clip(place, 0, logits.shape[1] - 1)[:, None], axis=1)[:, 0]
        before = jnp.where(index < place[:, None], logits, -jnp.inf).max(axis=1)
        sums = found.sum + logits.sum(axis=1) if smoothing else found.sum
        return _Found(highest, total, jnp.where(there, own, found.target), jnp.maximum(found.before, before), sums)

    nothing = jnp.full(targets.shape, -jnp.inf, jnp.float32)
    zeros = jnp.zeros_like(nothing)
    found = _over_blocks(look, _Found(nothing, zeros, zeros, nothing, zeros), kernel, bias, axis)
    losses = jnp.log(found.total) + found.highest - found.target
    if smoothing:
        losses = losses + smoothing * (found.target - found.sum / kernel.shape[axis])
    # The first of the highest logits; a comparison with NaN is False.
    hits = (found.target >= found.highest) & (found.target > found.before)
    if mask is not None:
        losses, hits = jnp.where(mask, losses, 0), hits & mask
    return losses.sum(), hits.sum(dtype=jnp.float32), found


def _chunk_gradients(
    tokens: _Tokens, kernel: Array, bias: Array | None, found: _Found, sums: tuple, how: _How
) -> tuple[Array, Array, Array | None]:
    """Gradient by a chunk's features; and sums, those by kernel and bias so far, with what the chunk adds to them."""
    features, targets, mask = tokens
    axis, smoothing = how.axis, how.smoothing

    def emit(state: tuple, words: _Words) -> tuple:
        d_features, d_kernel, d_bias = state
        logits = _logits(features, words, axis)
        is_target = lax.broadcasted_iota(jnp.int32, logits.shape, 1) == (targets - words.start)[:, None]
        d_logits = jnp.exp(logits - found.highest[:, None]) / found.total[:, None] - is_target
        if smoothing:
            d_logits = d_logits + smoothing * (is_target - 1 / kernel.shape[axis])
        if mask is not None:
            d_logits = jnp.where(mask[:, None], d_logits, 0)
        narrow = d_logits.astype(features.dtype)
        d_features += lax.dot_general(
            narrow, words.kernel, (((1,), (axis,)), ((), ())), preferred_element_type=jnp.float32
        )
        if axis == 0:
            own = lax.dot_general(narrow, features, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)
        else:
            own = jnp.matmul(features.T, narrow, preferred_element_type=jnp.float32)
        d_kernel = _add_at(d_kernel, own, words.start, axis)
        if d_bias is not None:
            # A sum over rows as a product: XLA on CPU sums columns one by one.
            d_bias = _add_at(d_bias, jnp.ones(len(targets), jnp.float32) @ d_logits, words.start, 0)
        return d_features, d_kernel, d_bias

    return _over_blocks(emit, (jnp.zeros(features.shape, jnp.float32), *sums), kernel, bias, axis)


def _add_at(whole: Array, part: Array, start: Any, axis: int) -> Array:
    there = lax.dynamic_slice_in_dim(whole, start, part.shape[axis], axis)
    return lax.dynamic_update_slice_in_dim(whole, there + part, start, axis)


def _forward(
    how: _How, features: Array, kernel: Array, bias: Array | None, targets: Array, mask: Array | None
) -> tuple[tuple[Array, Array], tuple[Array, Array, Array | None]]:
    def step(state: tuple, tokens: tuple) -> tuple[tuple, Array]:
        chunk = _Tokens(*tokens)
        loss, hits, found = _chunk_loss(chunk, kernel, bias, how)
        d_features, *sums = _chunk_gradients(chunk, kernel, bias, found, state[2:], how)
        return (state[0] + loss, state[1] + hits, *sums), d_features.astype(features.dtype)

    d_bias = None if bias is None else jnp.zeros(bias.shape, jnp.float32)
    start = (jnp.float32(0), jnp.float32(0), jnp.zeros(kernel.shape, jnp.float32), d_bias)
    state, d_features = over_chunks(step, start, (features, targets, mask), size=_size(features))
    loss, hits, d_kernel, d_bias = state
    return (loss, hits), (d_features, d_kernel.astype(kernel.dtype), d_bias)


def _backward(
    how: _How, residuals: tuple[Array, Array, Array | None], gradients: tuple[Array, Array]
) -> tuple[Array, Array, Array | None, None, None]:
    d_features, d_kernel, d_bias = jax.tree.map(lambda x: (x * gradients[0]).astype(x.dtype), residuals)
    return d_features, d_kernel, d_bias, None, None


_summed.defvjp(_forward, _backward)
