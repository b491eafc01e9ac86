"""A causal body and a vocabulary head make a language model."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.heads import HeadWeights, VocabularyHead
from jaxseq.nn.sequence import CausalBody
from jaxseq.ops.losses import Tally


class DecodingWeights(NamedTuple):
    """Weights of `LanguageModel.decode_step`."""

    body: Any
    head: HeadWeights


class LanguageModel(nn.Module):
    """Logits of the next token after each of tokens [b, t], and the body's carry.

    The body's parameters are the model's own, under the same names; the head's stand below "head", unless it puts them
    beside those of the body. `predict="last"` trains on the token after a window only.
    """

    body: CausalBody
    head: VocabularyHead
    predict: Literal["every", "last"] = "every"

    @property
    def vocabulary_size(self) -> int:
        """Tokens that have a logit."""
        return self.head.vocabulary_size

    @property
    def dtype(self) -> jnp.dtype:
        """The type of activations and of matrix products."""
        return self.body.dtype

    def setup(self) -> None:
        body: Any = self.body
        nn.share_scope(self, body)
        if self.head.BESIDE_BODY:
            nn.share_scope(self, self.head)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        """The body's."""
        return self.body.initial_carry(batch_size)

    def __call__(
        self,
        tokens: Array,
        carry: Any = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[Array, Any]:
        """Logits [b, t, v] float32 of the token after each of tokens [b, t], and the carry; zero where masked."""
        features, carry = self.body(tokens, carry, mask=mask, reset=reset, train=train)
        logits = self.head(features)
        return (logits if mask is None else jnp.where(mask[:, :, None], logits, 0)), carry

    def loss(
        self,
        tokens: Array,
        targets: Array,
        carry: Any = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Tally], Any]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets [b, t], and the carry.

        The same as from the logits, without ever holding those of the whole batch.
        """
        # Where every token counts, what is not finite makes the sum of their losses so, whichever it reaches.
        guard = mask is not None or reset is not None
        features, carry = self.body(tokens, carry, mask=mask, reset=reset, train=train, guard=guard)
        if self.predict == "last":
            features, targets = features[:, -1:], targets[:, -1:]
            mask = None if mask is None else mask[:, -1:]
        flat_mask = None if mask is None else self._flat(mask)
        loss, hits = self.head.cross_entropy(self._flat(features), self._flat(targets), flat_mask)
        return {"loss": loss, "accuracy": hits}, carry

    @nn.nowrap
    def _flat(self, x: Array) -> Array:
        """x [b, t, ...] as [b * t, ...], in the order that features lie in memory."""
        x = jnp.swapaxes(x, 0, 1) if self.body.TIME_FIRST else x
        return x.reshape(-1, *x.shape[2:])

    @nn.nowrap
    def decoding_weights(self, params: Mapping[str, Any]) -> DecodingWeights:
        """The parameters as `decode_step` wants them, made once before many steps."""
        own = params if self.head.BESIDE_BODY else params["head"]
        return DecodingWeights(self.body.prepare(params), self.head.prepare(own))

    @nn.nowrap
    def decode_step(self, weights: DecodingWeights, tokens: Array, carry: Any) -> tuple[Array, Any]:
        """Logits [b, v] float32 of the token after tokens [b], and the carry."""
        features, carry = self.body.step(weights.body, tokens, carry)
        return self.head.step(weights.head, features), carry
