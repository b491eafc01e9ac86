"""The loss of text vectors: of those that are trained, and of those that are found for new texts."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxseq.config import TextVectorsConfig
from jaxseq.models.text_vectors import TextTables
from jaxseq.ops.negative_sampling import middle
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.word_prediction import own_prediction, shared_prediction
from jaxseq.tasks.vectors.negative_sampling import Negatives, negatives_of

BLOCK = 32
"""Words, at the most, whose predictions share negatives."""


def text_vector_loss(task: TextVectorsConfig, model: TextTables, counts: np.ndarray) -> LossFn:
    """The loss for batches of `jaxseq.data.text_windows`: nats a word ("loss"), with negatives drawn by the numbers
    that a batch brings along.

    Args:
        counts: how often each word occurs [v].

    Raises:
        ConfigError: `task.shared` words cannot be drawn from so few.
    """
    proposal, _, weights = Negatives.of(counts, negatives=task.negatives, shared=task.shared)

    def loss_fn(variables: Mapping[str, Any], carry: Any, batch: Any, context: LossContext) -> LossOutput:
        bound: Any = model.bind(variables)
        words, there = batch.words, batch.texts >= 0
        # The number behind the last text: a place without a word is none of a row's occurrences.
        texts = bound.text_vectors(jnp.where(there, batch.texts, model.texts))
        vectors = bound.predictors(texts, words.tokens, words.left, words.right)
        predicted = middle(words.tokens, words.left)
        outputs, length = bound.outputs(predicted), predicted.shape[1]
        if task.shared:
            drawn, negatives = negatives_of(bound, proposal, words.draws, (-(-length // BLOCK),))
            weighed = jnp.asarray(weights)[drawn]
            tally = shared_prediction(vectors, outputs, negatives, predicted, there, drawn, weighed)
        else:
            drawn, negatives = negatives_of(bound, proposal, words.draws, (length, task.negatives))
            tally = own_prediction(vectors, outputs, negatives[..., 0, :], predicted, there, drawn[..., 0])
        return LossOutput({"loss": tally})

    return loss_fn
