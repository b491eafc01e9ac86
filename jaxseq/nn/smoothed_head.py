"""Label smoothing: another loss in training for a vocabulary head that is there."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Bool, Float, Int

from jaxseq.nn.heads import HeadWeights, VocabularyHead
from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.shapes import Array


class SmoothedHead(VocabularyHead):
    """A vocabulary head whose targets in training are smoothed (Szegedy et al. 2016).

    Parameters, logits, steps and the loss outside of training are those of `full`, and so are their names.

    Attributes:
        smoothing: The share of a target's probability that all words are given alike, the target among them.
    """

    full: VocabularyHead
    smoothing: float

    @property
    def BESIDE_BODY(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As that head has it."""
        return self.full.BESIDE_BODY

    def setup(self) -> None:
        nn.share_scope(self, self.full)

    def weights(self, features: int) -> HeadWeights:
        """Those of that head."""
        return self.full.weights(features)

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> HeadWeights:
        """Those of that head."""
        return self.full.weights_in(params)

    def cross_entropy(
        self,
        x: Float[Array, "n d"],
        targets: Int[Array, " n"],
        mask: Bool[Array, " n"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Tally, Tally]:
        """Loss and hits; in training the loss of smoothed targets."""
        if not train:
            return self.full.cross_entropy(x, targets, mask)
        kernel, bias = self.full.loss_weights(x.shape[-1])
        transposed = self.full.TRANSPOSED
        return linear_cross_entropy(x, kernel, bias, targets, mask, transposed=transposed, smoothing=self.smoothing)
