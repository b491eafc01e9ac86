"""Cross-entropy against a sample of the vocabulary."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

from jaxseq.ops.losses import Tally
from jaxseq.ops.row_tables import RowTable
from jaxseq.ops.shapes import Array


def sampled_cross_entropy(
    features: Float[Array, "n d"],
    kernel: Float[Array, "d v"] | Float[Array, "v d"] | RowTable,
    bias: Float[Array, " v"] | None,
    targets: Int[Array, " n"],
    sampled: Int[Array, " samples"],
    log_expected: Float[Array, " v"],
    mask: Bool[Array, " n"] | None = None,
    *,
    transposed: bool = False,
) -> tuple[Tally, Tally]:
    """Loss in nats among the target and the sampled words, and hits among them.

    Each word's logit is lessened by its `log_expected`, the logarithm of its expected count in a sample (Bengio and
    Senecal 2008; Jean et al. 2015): the loss teaches the logits of the full softmax, which it becomes where all words
    are sampled. Where a row's target is sampled it is left out of that row's sample. A hit is a target that is ahead of
    all sampled words by the logits as they are: among all words there are at most as many.

    All rows share one sample. A `transposed` kernel is [v, d], and quicker: what is read of it lies together.
    Where the mask is False neither features nor target are looked at.
    """
    if not targets.size:
        return Tally(jnp.float32(0), jnp.float32(0)), Tally(jnp.float32(0), jnp.float32(0))
    if mask is not None:
        features, targets = jnp.where(mask[:, None], features, 0), jnp.where(mask, targets, 0)
    sampled, log_expected = jnp.asarray(sampled), jnp.asarray(log_expected)
    # One gather, so that there is one scatter on the way back.
    ids = jnp.concatenate([sampled, targets])
    kernel = kernel if isinstance(kernel, RowTable) else jnp.asarray(kernel)
    rows = (kernel[ids] if transposed else kernel[:, ids].T).astype(features.dtype)
    negative = lax.dot_general(
        features, rows[: len(sampled)], (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32
    )
    positive = jnp.sum(features.astype(jnp.float32) * rows[len(sampled) :].astype(jnp.float32), axis=-1)
    if bias is not None:
        added = jnp.asarray(bias)[ids]
        negative, positive = negative + added[: len(sampled)], positive + added[len(sampled) :]
    others = sampled != targets[:, None]
    corrected = positive - log_expected[targets]
    against = jnp.where(others, negative - log_expected[sampled], -jnp.inf)
    losses = jax.nn.logsumexp(jnp.concatenate([corrected[:, None], against], axis=1), axis=1) - corrected
    # Comparisons with NaN are False; of equal logits the one with the lowest id is ahead.
    behind = jnp.where(sampled < targets[:, None], negative < positive[:, None], negative <= positive[:, None])
    hits = lax.stop_gradient((behind | ~others).all(axis=1) & ~jnp.isnan(positive))
    if mask is None:
        count = jnp.float32(targets.size)
        return Tally(losses.sum(), count), Tally(hits.sum(dtype=jnp.float32), count)
    count = mask.sum(dtype=jnp.float32)
    return Tally(jnp.where(mask, losses, 0).sum(), count), Tally((hits & mask).sum(dtype=jnp.float32), count)
