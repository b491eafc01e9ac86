"""How well pictures come back: losses of pixels."""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array
from jaxseq.ops.word_prediction import softplus


def pixel_losses(
    logits: Float[Array, "n h w c"], pictures: Float[Array, "n h w c"], valid: Bool[Array, " n"] | None = None
) -> tuple[Tally, Tally]:
    """Cross-entropy in nats and squared error of pictures in 0 to 1, each the mean over a picture's pixels, which the
    sigmoid of `logits` stands for; counted in pictures.

    A pixel x has the loss -x log(p) - (1 - x) log(1 - p), which for x between 0 and 1 is never 0: see
    `jaxseq.data.pixel_entropy`. Where `valid` is False neither logits nor pixels are looked at.
    """
    logits = logits.astype(jnp.float32)
    if valid is not None:
        logits = jnp.where(valid[:, None, None, None], logits, 0)
        pictures = jnp.where(valid[:, None, None, None], pictures, 0)
    losses = _means(softplus(logits) - pictures * logits)
    small = jnp.exp(-jnp.abs(logits))
    errors = _means(jnp.square(jnp.where(logits >= 0, 1, small) / (1 + small) - pictures))
    if valid is None:
        count = jnp.float32(len(logits))
        return Tally(losses.sum(), count), Tally(errors.sum(), count)
    count = valid.sum(dtype=jnp.float32)
    return Tally(jnp.where(valid, losses, 0).sum(), count), Tally(jnp.where(valid, errors, 0).sum(), count)


def _means(x: Float[Array, "n h w c"]) -> Float[Array, " n"]:
    """Of each picture."""
    # As a product: in a sum XLA on CPU works out the exponentials one by one, which takes ten times as long.
    rows = x.reshape(len(x), -1)
    return jnp.dot(rows, jnp.ones(rows.shape[1], x.dtype), precision="highest") / rows.shape[1]
