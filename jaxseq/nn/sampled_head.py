"""The sampled softmax: another loss in training for a vocabulary head that is there."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Bool, Float, Int

from jaxseq.nn.heads import HeadWeights, VocabularyHead
from jaxseq.ops.losses import Tally
from jaxseq.ops.proposals import Proposal
from jaxseq.ops.sampled_softmax import sampled_cross_entropy
from jaxseq.ops.shapes import Array


class SampledHead(VocabularyHead):
    """A vocabulary head that in training compares with words drawn from a proposal.

    Parameters, logits, steps and the loss outside of training are those of `full`, and so are their names.
    """

    full: VocabularyHead
    proposal: Proposal

    @property
    def BESIDE_BODY(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As that head has it."""
        return self.full.BESIDE_BODY

    def setup(self) -> None:
        nn.share_scope(self, self.full)

    def weights(self, features: int) -> HeadWeights:
        """Those of the full softmax."""
        return self.full.weights(features)

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> HeadWeights:
        """Those of the full softmax."""
        return self.full.weights_in(params)

    def cross_entropy(
        self,
        x: Float[Array, "n d"],
        targets: Int[Array, " n"],
        mask: Bool[Array, " n"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Tally, Tally]:
        """Loss and hits; in training among the target and the words drawn, by the stream "samples"."""
        if not train:
            return self.full.cross_entropy(x, targets, mask)
        sampled = self.proposal.draw(self.make_rng("samples"))
        kernel, bias = self.full.loss_weights(x.shape[-1])
        log_expected, transposed = self.proposal.log_expected(), self.full.TRANSPOSED
        return sampled_cross_entropy(x, kernel, bias, targets, sampled, log_expected, mask, transposed=transposed)
