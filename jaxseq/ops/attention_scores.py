"""Attention of recurrent decoders: how well a state and a place of the source go together, as a number or by a layer.

Without parameters of their own the scores are those of Keras's `Attention` and `AdditiveAttention`, whose `scale` is
learned too.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32

from jaxseq.ops.attention import masked_softmax
from jaxseq.ops.shapes import Array


def dot_scores(
    query: Float[Array, "b t d"], key: Float[Array, "b s d"], scale: Float[Array, ""] | None = None
) -> Float32[Array, "b t s"]:
    """query . key, times scale (Luong et al. 2015; keys times a matrix are their "general" form)."""
    scores = jnp.einsum("btd,bsd->bts", query.astype(key.dtype), key, preferred_element_type=jnp.float32)
    return scores if scale is None else scores * scale


def additive_scores(
    query: Float[Array, "b t d"], key: Float[Array, "b s d"], scale: Float[Array, " d"] | None = None
) -> Float32[Array, "b t s"]:
    """The sum of scale * tanh(query + key) (Bahdanau et al. 2015)."""
    return _additive_scores(query, key, scale)


@jax.checkpoint  # [b, t, s, d] numbers are sooner computed again than kept
def _additive_scores(query: Array, key: Array, scale: Array | None) -> Array:
    together = jnp.tanh(query.astype(jnp.float32)[:, :, None] + key.astype(jnp.float32)[:, None])
    return (together if scale is None else together * scale).sum(axis=-1)


def weighted(
    scores: Float32[Array, "b t s"], value: Float[Array, "b s f"], visible: Bool[Array, "#b #t s"] | None = None
) -> tuple[Float32[Array, "b t f"], Float32[Array, "b t s"]]:
    """Values weighed by the softmax of scores over what is visible, and the weights; zeros where nothing is."""
    weights = masked_softmax(scores, visible)
    return jnp.einsum("bts,bsf->btf", weights.astype(value.dtype), value, preferred_element_type=jnp.float32), weights
