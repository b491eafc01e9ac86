"""Vocabulary heads that are another one with another loss in training."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Bool, Float, Int

from jaxseq.nn.heads import HeadWeights, VocabularyHead
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array


class TrainingHead(VocabularyHead):
    """A vocabulary head that is `full`, but for its loss in training, which those derived from it have.

    Parameters, logits, steps and the loss outside of training are those of `full`, and so are their names.
    """

    full: VocabularyHead

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
        """Loss and hits; in training those of `training_loss`."""
        return self.training_loss(x, targets, mask) if train else self.full.cross_entropy(x, targets, mask)

    def training_loss(
        self, x: Float[Array, "n d"], targets: Int[Array, " n"], mask: Bool[Array, " n"] | None
    ) -> tuple[Tally, Tally]:
        """Loss and hits in training."""
        raise NotImplementedError
