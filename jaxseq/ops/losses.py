"""Losses and metrics as sums with their counts."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.ops.chunks import over_chunks
from jaxseq.ops.shapes import Array
from jaxseq.ops.vocabulary_loss import blockwise_cross_entropy


class Tally(NamedTuple):
    """A sum and how much it is the sum of; two of them add up, across batches and across devices.

    A mean of means weighs a half-empty batch like a full one. A sum and a count do not.
    """

    total: Float32[Array, ""]
    """Sum over the items counted: nats for a loss, hits for an accuracy."""
    count: Float32[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]  tuple.count is of no use here
    """Number of items."""

    def add(self, other: "Tally") -> "Tally":
        """The tally of the items of both."""
        return Tally(self.total + other.total, self.count + other.count)


CHUNK = 1024
"""Tokens whose logits exist at one time in `linear_cross_entropy`, at the most."""
LOGITS = 2**22
"""Logits that exist at one time in it, where that leaves chunks with more tokens than features."""

LARGE = 16_384
"""Words from which a vocabulary is large: the bias's gradient is a product, and blocks of words may be worth while."""
WIDE = 400
"""Features up to which, in float32, computing logits twice costs less than keeping those of a large vocabulary."""


def cross_entropy(
    logits: Float[Array, "*n v"], targets: Int[Array, "*n"], mask: Bool[Array, "*n"] | None = None
) -> tuple[Tally, Tally]:
    """Loss in nats and hits of the likeliest symbol.

    Of several likeliest symbols the one with the lowest id is the prediction. A NaN among the logits is no hit.
    Where the mask is False neither the logits nor the target is looked at, NaN and out-of-range ids included.
    """
    logits = logits.astype(jnp.float32)
    if mask is not None:
        logits, targets = jnp.where(mask[..., None], logits, 0), jnp.where(mask, targets, 0)
    target_logits = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses = jax.nn.logsumexp(logits, axis=-1) - target_logits
    hits = _hits(logits, logits.max(axis=-1, keepdims=True), targets, target_logits)
    if mask is None:
        count = jnp.float32(targets.size)
        return Tally(losses.sum(), count), Tally(hits.sum(dtype=jnp.float32), count)
    count = mask.sum(dtype=jnp.float32)
    return Tally(jnp.where(mask, losses, 0).sum(), count), Tally((hits & mask).sum(dtype=jnp.float32), count)


def linear_cross_entropy(
    features: Float[Array, "n d"],
    kernel: Float[Array, "d v"] | Float[Array, "v d"],
    bias: Float[Array, " v"] | None,
    targets: Int[Array, " n"],
    mask: Bool[Array, " n"] | None = None,
    *,
    transposed: bool = False,
    smoothing: float = 0.0,
) -> tuple[Tally, Tally]:
    """`cross_entropy` of features times kernel plus bias; a `transposed` kernel is [v, d].

    With `smoothing` the loss is that of targets whose probability is 1 - smoothing for the word itself, and smoothing
    shared by all words alike (Szegedy et al. 2016; PyTorch's `label_smoothing`).

    The logits of the whole batch never exist: the tokens go by in chunks, where the vocabulary is large and the
    features are narrow its words in blocks, and the gradient is taken on the way forward, while logits are at hand.
    Products take the features' type and add up in float32.
    """
    if not targets.size:
        return Tally(jnp.float32(0), jnp.float32(0)), Tally(jnp.float32(0), jnp.float32(0))
    if mask is None:
        count = jnp.float32(targets.size)
    else:
        count = mask.sum(dtype=jnp.float32)
        features = jnp.where(mask[:, None], features, 0)
        targets = jnp.where(mask, targets, 0)
    is_narrow = features.shape[1] <= WIDE or features.dtype.itemsize < 4
    if kernel.shape[int(not transposed)] >= LARGE and is_narrow:
        loss, hits = blockwise_cross_entropy(
            features, kernel, bias, targets, mask, transposed=transposed, smoothing=smoothing
        )
    else:
        kernel = (kernel.T if transposed else kernel).astype(features.dtype)
        sums: Any = _fused(smoothing, features, kernel, bias, targets, mask)
        loss, hits = sums
    return Tally(loss, count), Tally(lax.stop_gradient(hits), count)


def _chunk(features, kernel):
    """Tokens of a chunk.

    Few enough that their logits stay in the cache for all that is done with them, where the chunk's part of the
    kernel's gradient, which is added up in memory, is smaller than these.
    """
    most = min(CHUNK, max(LOGITS // kernel.shape[1], 2 * kernel.shape[0]))
    return -(-len(features) // -(-len(features) // most))  # as equal as can be


def _hits(logits, highest, targets, target_logits):
    """Whether the target is the first of the highest logits; a comparison with NaN is False."""
    index = lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1)
    is_before = (logits == highest) & (index < targets[..., None])
    return (target_logits >= highest[..., 0]) & ~is_before.any(axis=-1)


def _chunk_loss(smoothing, kernel, bias, features, targets, mask):
    """Loss and hits of one chunk, and the gradient of the loss with respect to its logits."""
    logits = jnp.matmul(features, kernel, preferred_element_type=jnp.float32)
    logits = logits if bias is None else logits + bias
    highest = logits.max(axis=-1, keepdims=True)
    weights = jnp.exp(logits - highest)
    sums = weights.sum(axis=-1, keepdims=True)
    is_target = lax.broadcasted_iota(jnp.int32, logits.shape, 1) == targets[:, None]
    target_logits = jnp.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    losses = jnp.log(sums[:, 0]) + highest[:, 0] - target_logits
    hits = _hits(logits, highest, targets, target_logits)
    d_logits = weights / sums - is_target
    if smoothing:
        losses = losses + smoothing * (target_logits - logits.mean(axis=-1))
        d_logits = d_logits + smoothing * (is_target - 1 / logits.shape[1])
    if mask is not None:
        losses, hits, d_logits = jnp.where(mask, losses, 0), hits & mask, jnp.where(mask[:, None], d_logits, 0)
    return losses.sum(), hits.sum(dtype=jnp.float32), d_logits


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _fused(smoothing, features, kernel, bias, targets, mask):
    def step(sums, xs):
        loss, hits, _ = _chunk_loss(smoothing, kernel, bias, *xs)
        return (sums[0] + loss, sums[1] + hits), None

    size = _chunk(features, kernel)
    sums, _ = over_chunks(step, (jnp.float32(0), jnp.float32(0)), (features, targets, mask), size=size)
    return sums


def _column_sums(x):
    # XLA on CPU adds up columns one by one, which for many takes longer than all products. One more of them adds in
    # another order: results that were published with few words keep their last bit.
    return jnp.ones(len(x), x.dtype) @ x if x.shape[1] >= LARGE else x.sum(0)


def _fused_forward(smoothing, features, kernel, bias, targets, mask):
    def step(sums, xs):
        loss, hits, d_logits = _chunk_loss(smoothing, kernel, bias, *xs)
        narrow = d_logits.astype(features.dtype)
        d_features = jnp.matmul(narrow, kernel.T, preferred_element_type=jnp.float32).astype(features.dtype)
        d_kernel = jnp.matmul(xs[0].T, narrow, preferred_element_type=jnp.float32)
        d_bias = None if bias is None else sums[3] + _column_sums(d_logits)
        return (sums[0] + loss, sums[1] + hits, sums[2] + d_kernel, d_bias), d_features

    d_kernel = jnp.zeros(kernel.shape, jnp.float32)
    d_bias = None if bias is None else jnp.zeros(bias.shape, jnp.float32)
    start = (jnp.float32(0), jnp.float32(0), d_kernel, d_bias)
    (loss, hits, d_kernel, d_bias), d_features = over_chunks(
        step, start, (features, targets, mask), size=_chunk(features, kernel)
    )
    return (loss, hits), (d_features, d_kernel.astype(kernel.dtype), d_bias)


def _fused_backward(smoothing, residuals, gradients):
    d_features, d_kernel, d_bias = jax.tree.map(lambda x: (x * gradients[0]).astype(x.dtype), residuals)
    return d_features, d_kernel, d_bias, None, None


_fused.defvjp(_fused_forward, _fused_backward)
