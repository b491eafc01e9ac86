"""Scheduled sampling: in training, some inputs are what the model said itself (Bengio et al. 2015)."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, Int, PRNGKeyArray

from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.ops.shapes import Array


def own_inputs(
    model: EncoderDecoder,
    params: Mapping[str, Any],
    source: Int[Array, "b s"],
    inputs: Int[Array, "b t"],
    *,
    source_mask: Any,
    share: Float[Array, ""] | float,
    key: PRNGKeyArray,
) -> Int[Array, "b t"]:
    """`inputs`, each token but the first with a chance of 1 - share replaced by the likeliest one after those before
    it, as replaced: what the loss is then taken for. Each token has a coin of its own.

    The model reads step by step as it decodes, without dropout and without a gradient: choices have none. So a step
    of training costs a decoding more, for recurrent models and Transformers alike, and where the share is 1 none.
    """
    coins = jax.random.bernoulli(key, share, inputs.shape)

    def replaced() -> Array:
        weights, logits, carry = model.start(lax.stop_gradient(params), source, mask=source_mask)

        def step(state: Any, given: Any) -> Any:
            (logits, carry), (true, keep) = state, given
            token = jnp.where(keep, true, logits.argmax(axis=-1).astype(true.dtype))
            return model.decode_step(weights, token, carry), token

        rest = (inputs[:, 1:].T, coins[:, 1:].T)
        _, tokens = lax.scan(step, (logits, carry), rest)
        return jnp.concatenate([inputs[:, :1], tokens.T], axis=1)

    return lax.cond(coins[:, 1:].all(), lambda: jnp.asarray(inputs), replaced)
