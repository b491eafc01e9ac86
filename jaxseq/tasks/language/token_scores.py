"""What a language model says of each token of a split, for what is not a mean: mixtures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.models.ngram import NGram
from jaxseq.nn.language_model import LanguageModel
from jaxseq.signals import Poll
from jaxseq.tasks.language.token_splits import TextLoader


def token_log_probabilities(
    model: LanguageModel | NGram, variables: Any, loader: TextLoader, *, poll: Poll
) -> np.ndarray:
    """Log probabilities [n] float32 of all that a pass over a split predicts, row by row: in the order of the text."""
    carried = loader.carried
    model = model.clone(predict="every")

    @jax.jit
    def scored(variables: Any, carry: Any, batch: Any) -> tuple[jax.Array, Any]:
        flags = {"mask": batch.mask, "reset": batch.reset}
        if isinstance(model, NGram):
            return model.apply(variables, batch.inputs, batch.targets, carry, method="log_probability", **flags)
        logits, carry = model.apply(variables, batch.inputs, carry, **flags)
        logs = jax.nn.log_softmax(logits)
        return jnp.take_along_axis(logs, batch.targets[..., None], axis=-1)[..., 0], carry

    carry = model.initial_carry(loader.batch_size)
    rows: list[list[np.ndarray]] = [[] for _ in range(loader.batch_size)]
    batches: list[np.ndarray] = []
    for step in range(loader.steps_per_epoch):
        poll()
        batch = loader(step)
        logs, after = scored(variables, carry, batch)
        carry = after if carried else carry
        kept = [row[mask] for row, mask in zip(np.asarray(logs), batch.mask, strict=True)]
        if carried:
            for row, more in zip(rows, kept, strict=True):
                row.append(more)
        else:
            batches += kept
    return np.concatenate([each for row in rows for each in row] if carried else batches)
