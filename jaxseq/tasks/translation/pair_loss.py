"""The loss of pairs: the next token of a target, the tokens before it being the true ones or the model's own."""

from typing import Any

from jaxseq.config import TranslationConfig
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.nn.scheduled_sampling import own_inputs
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.truth_share import truth_share
from jaxseq.tasks.task import Variables

PLAIN = TranslationConfig()
"""The decoder reads the true tokens."""


def pair_loss(model: EncoderDecoder, task: TranslationConfig = PLAIN) -> LossFn:
    """The loss for batches of `jaxseq.data.pair_batches`: cross-entropy in nats ("loss") and hits ("accuracy").

    Args:
        task: what the decoder reads in training; all else is the model's.
    """

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        tallies: Any = model.apply(
            variables,
            batch.source,
            _inputs(model, task, variables, batch, context),
            batch.targets,
            source_mask=batch.source_mask,
            mask=batch.mask,
            train=context.train,
            rngs=context.rngs("dropout", "samples"),
            method="loss",
        )
        return LossOutput(tallies)

    return loss_fn


def _inputs(
    model: EncoderDecoder, task: TranslationConfig, variables: Variables, batch: Any, context: LossContext
) -> Any:
    """What the decoder reads."""
    rngs = context.rngs("teacher")
    if task.teacher == "forced" or context.step is None or rngs is None:
        return batch.inputs
    share = truth_share(context.step, decay=task.teacher, steps=task.teacher_steps, least=task.teacher_least)
    return own_inputs(
        model,
        variables["params"],
        batch.source,
        batch.inputs,
        source_mask=batch.source_mask,
        share=share,
        key=rngs["teacher"],
    )
