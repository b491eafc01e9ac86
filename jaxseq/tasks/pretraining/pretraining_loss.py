"""The loss of hidden tokens and of pairs together."""

from typing import Any

from jaxseq.nn.masked_language_model import MaskedLanguageModel
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.task import Variables


def pretraining_loss(model: MaskedLanguageModel, *, pair_weight: float = 1.0) -> LossFn:
    """The loss for batches of `jaxseq.data.masked_batches.MaskedLoader`.

    "loss" is minimised: nats of each hidden token, and of each pair times `pair_weight`, over the number of hidden
    tokens. So pairs count as in BERT, which adds the means of both, where that is how many tokens of an example are
    hidden; and unlike a sum of means it is the same however a batch is shared among devices. "masked_loss" and
    "accuracy" are of hidden tokens alone, "pair_loss" and "pair_accuracy" of pairs.
    """

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        found: Any = model.apply(
            variables,
            batch.tokens,
            batch.positions,
            batch.targets,
            batch.chosen,
            segments=batch.segments if model.pairs else None,
            mask=batch.mask,
            is_next=batch.is_next,
            valid=batch.valid,
            train=context.train,
            rngs=context.rngs("dropout"),
            method="losses",
        )
        tallies = {"loss": found.tokens, "masked_loss": found.tokens, "accuracy": found.hits}
        if model.pairs:
            total = found.tokens.total + pair_weight * found.pairs.total
            tallies["loss"] = Tally(total, found.tokens.count)
            tallies |= {"pair_loss": found.pairs, "pair_accuracy": found.pair_hits}
        return LossOutput(tallies)

    return loss_fn
