"""A causal body and a vocabulary head make a language model."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float32, Int

from jaxseq.nn.heads import HeadWeights, VocabularyHead
from jaxseq.nn.sequence import CausalBody
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array


class DecodingWeights(NamedTuple):
    """Weights of `LanguageModel.decode_step`."""

    body: Any
    head: HeadWeights


class LanguageModel(nn.Module):
    """Logits of the next token after each token, and the body's carry.

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
        return jnp.dtype(self.body.dtype)

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
        tokens: Int[Array, "b t"],
        carry: Any = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> tuple[Float32[Array, "b t {self.vocabulary_size}"], Any]:
        """Logits of the token after each of tokens, zero where masked; and the carry."""
        features, carry = self.body(tokens, carry, mask=mask, reset=reset, train=train)
        logits = self.head(features)
        return (logits if mask is None else jnp.where(mask[:, :, None], logits, 0)), carry

    def loss(
        self,
        tokens: Int[Array, "b t"],
        targets: Int[Array, "b t"],
        carry: Any = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Tally], Any]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets, and the carry.

        The same as from the logits, without ever holding those of the whole batch; in training what the head takes in
        their place.
        """
        # Where every token counts, what is not finite makes the sum of their losses so, whichever it reaches.
        guard = mask is not None or reset is not None
        features, carry = self.body(tokens, carry, mask=mask, reset=reset, train=train, guard=guard)
        if self.predict == "last":
            features, targets = features[:, -1:], targets[:, -1:]
            mask = None if mask is None else mask[:, -1:]
        flat_mask = None if mask is None else self._flat(mask)
        loss, hits = self.head.cross_entropy(self._flat(features), self._flat(targets), flat_mask, train=train)
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
    def decode_step(
        self, weights: DecodingWeights, tokens: Int[Array, " b"], carry: Any
    ) -> tuple[Float32[Array, "b {self.vocabulary_size}"], Any]:
        """Logits of the token after each row's, and the carry."""
        features, carry = self.body.step(weights.body, tokens, carry)
        return self.head.step(weights.head, features), carry
