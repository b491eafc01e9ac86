"""Label smoothing: another loss in training for a vocabulary head that is there."""

from jaxtyping import Bool, Float, Int

from jaxseq.nn.training_head import TrainingHead
from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.shapes import Array


class SmoothedHead(TrainingHead):
    """A vocabulary head whose targets in training are smoothed (Szegedy et al. 2016).

    Attributes:
        smoothing: The share of a target's probability that all words are given alike, the target among them.
    """

    smoothing: float

    def training_loss(
        self, x: Float[Array, "n d"], targets: Int[Array, " n"], mask: Bool[Array, " n"] | None
    ) -> tuple[Tally, Tally]:
        """Loss and hits of smoothed targets."""
        kernel, bias = self.full.loss_weights(x.shape[-1])
        transposed = self.full.TRANSPOSED
        return linear_cross_entropy(x, kernel, bias, targets, mask, transposed=transposed, smoothing=self.smoothing)
