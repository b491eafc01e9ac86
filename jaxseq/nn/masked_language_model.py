"""An encoder that finds hidden tokens, and tells whether the second of two texts follows the first."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm, Linear
from jaxseq.ops.activations import gelu
from jaxseq.ops.logistic_loss import logistic_loss
from jaxseq.ops.losses import Tally
from jaxseq.ops.masked_loss import gather_positions, masked_cross_entropy
from jaxseq.ops.shapes import Array


class Pretraining(NamedTuple):
    """Sums and counts of the two tasks."""

    tokens: Tally
    """Loss in nats of the hidden tokens."""
    hits: Tally
    """Of them, those that are found."""
    pairs: Tally | None
    """Loss in nats of whether the second text follows; None without that task."""
    pair_hits: Tally | None


class MaskedLanguageModel(nn.Module):
    """What BERT (Devlin et al. 2019) learns before it has a task.

    Hidden tokens: a linear layer, GELU and a norm, then the body's embedding [v, d] as the output layer, with a bias of
    its own. Pairs: the feature of the first token, [CLS], through a linear layer and tanh, and one unit, whose logit is
    above 0 where the second text follows the first.

    Parameters: those of the body below body; transform, transform_norm, output_bias [v]; with `pairs` pooler and
    relation.

    Attributes:
        body: `(tokens, segments=, mask=, train=) -> (features [b, t, d], carry)`, with its embedding [v, d] as an
            attribute and tokens that see both sides: `jaxseq.models.TransformerEncoder`.
        pairs: Whether it tells if the second of two texts follows the first.
    """

    body: Any
    pairs: bool = False

    def setup(self) -> None:
        normed = {"bias": True, "epsilon": self.body.epsilon}
        self.transform = Linear(self.body.features, dtype=self.body.dtype)
        self.transform_norm = LayerNorm(**normed)
        self.output_bias = self.param("output_bias", nn.initializers.zeros, (self.vocabulary_size,), jnp.float32)
        if self.pairs:
            self.pooler = Linear(self.body.features, dtype=self.body.dtype)
            self.relation = Linear(1, initial_scale=WEIGHT_SCALE)

    @property
    def vocabulary_size(self) -> int:
        """Tokens that have a logit."""
        return self.body.vocabulary_size

    @property
    def dtype(self) -> jnp.dtype:
        """The type of activations and of matrix products."""
        return jnp.dtype(self.body.dtype)

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        positions: Int[Array, "b k"],
        *,
        segments: Int[Array, "b t"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> tuple[Float32[Array, "b k {self.vocabulary_size}"], Float32[Array, " b"] | None]:
        """Logits of the tokens in these columns, and of whether the second text follows; None without `pairs`."""
        features, _ = self.body(tokens, segments=segments, mask=mask, train=train)
        hidden = self._transformed(features, positions)
        table = self._table.astype(hidden.dtype)
        logits = jnp.einsum("bkd,vd->bkv", hidden, table, preferred_element_type=jnp.float32) + self.output_bias
        return logits, self._relation(features) if self.pairs else None

    def features(
        self,
        tokens: Int[Array, "b t"],
        *,
        segments: Int[Array, "b t"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b t d"]:
        """Those of the body, zero where masked."""
        return self.body(tokens, segments=segments, mask=mask, train=train)[0]

    def losses(
        self,
        tokens: Int[Array, "b t"],
        positions: Int[Array, "b k"],
        targets: Int[Array, "b k"],
        chosen: Bool[Array, "b k"],
        *,
        segments: Int[Array, "b t"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        is_next: Bool[Array, " b"] | None = None,
        valid: Bool[Array, " b"] | None = None,
        train: bool = False,
    ) -> Pretraining:
        """What a batch costs, without the logits of all tokens in memory; where nothing counts all are 0.

        Args:
            chosen: False where neither position nor target is looked at.
            is_next: whether the second text follows; needed with `pairs`.
            valid: False on rows that have no pair.

        Raises:
            ValueError: it has `pairs`, and `is_next` is None.
        """
        features, _ = self.body(tokens, segments=segments, mask=mask, train=train)
        hidden = self._transformed(features, positions)
        found = masked_cross_entropy(hidden, self._table, self.output_bias, targets, chosen, transposed=True)
        if not self.pairs:
            return Pretraining(*found, None, None)
        if is_next is None:
            raise ValueError("a model with pairs needs to be told whether they are: give is_next")
        return Pretraining(*found, *logistic_loss(self._relation(features), is_next.astype(jnp.int32), valid))

    @property
    def _table(self) -> Array:
        return self.body.embedding

    def _transformed(self, features: Array, positions: Array) -> Array:
        return self.transform_norm(gelu(self.transform(gather_positions(features, positions))))

    def _relation(self, features: Array) -> Array:
        pooled = jnp.tanh(self.pooler(features[:, 0]))
        return self.relation(pooled.astype(jnp.float32))[:, 0]
