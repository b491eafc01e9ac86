"""The sampled softmax: another loss in training for a vocabulary head that is there."""

from jaxtyping import Bool, Float, Int

from jaxseq.nn.training_head import TrainingHead
from jaxseq.ops.losses import Tally
from jaxseq.ops.proposals import Proposal
from jaxseq.ops.sampled_softmax import sampled_cross_entropy
from jaxseq.ops.shapes import Array


class SampledHead(TrainingHead):
    """A vocabulary head that in training compares with words drawn from a proposal."""

    proposal: Proposal

    def training_loss(
        self, x: Float[Array, "n d"], targets: Int[Array, " n"], mask: Bool[Array, " n"] | None
    ) -> tuple[Tally, Tally]:
        """Loss and hits among the target and the words drawn, by the stream "samples"."""
        sampled = self.proposal.draw(self.make_rng("samples"))
        kernel, bias = self.full.loss_weights(x.shape[-1])
        log_expected, transposed = self.proposal.log_expected(), self.full.TRANSPOSED
        return sampled_cross_entropy(x, kernel, bias, targets, sampled, log_expected, mask, transposed=transposed)
