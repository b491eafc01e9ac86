"""The loss of one unit that tells two classes apart."""

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array
from jaxseq.ops.word_prediction import softplus


def logistic_loss(
    logits: Float[Array, " n"], labels: Int[Array, " n"], mask: Bool[Array, " n"] | None = None
) -> tuple[Tally, Tally]:
    """Loss in nats and hits of class 1, whose probability is the sigmoid of the logit, and class 0.

    A logit above 0 says 1, any other 0; NaN is no hit. Where the mask is False neither logit nor label is looked at.
    """
    logits, positive = logits.astype(jnp.float32), labels == 1
    if mask is not None:
        logits = jnp.where(mask, logits, 0)
    losses = softplus(jnp.where(positive, -logits, logits))
    hits = jnp.where(positive, logits > 0, logits <= 0)
    if mask is None:
        count = jnp.float32(labels.size)
        return Tally(losses.sum(), count), Tally(hits.sum(dtype=jnp.float32), count)
    count = mask.sum(dtype=jnp.float32)
    return Tally(jnp.where(mask, losses, 0).sum(), count), Tally((hits & mask).sum(dtype=jnp.float32), count)
