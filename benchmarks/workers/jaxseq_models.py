"""The classifiers in jaxseq's layers, and what `training.loop.fit` wants to know of them."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.works import Model
from jaxseq.nn import GRU, LSTM, POOLINGS, Bidirectional, Embedding
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossFn, LossOutput


class Classifier(nn.Module):
    """tokens [b, t] int32, 0 on padding -> logits [b]: embedding, recurrent layers, pooling, a linear logit."""

    model: Model

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        model, mask = self.model, tokens != 0
        kind = LSTM if model.family == "lstm" else GRU
        x = Embedding(model.vocabulary, model.embedding)(tokens, mask=mask)
        for _ in range(model.layers):
            directions = [kind(model.features) for _ in range(model.directions)]
            layer = Bidirectional(*directions) if model.directions == 2 else directions[0]
            x, _ = layer(x, mask=mask)
        pooled = POOLINGS["ends" if model.directions == 2 else "last"]()(x, mask=mask)
        return nn.Dense(1)(pooled)[:, 0]


def classifier_loss(model: Classifier) -> LossFn:
    """Binary cross-entropy of a batch of (tokens [b, t], labels [b])."""

    def loss(variables, carry, batch, context) -> LossOutput:
        tokens, labels = batch
        logits = model.apply(variables, tokens)
        nats = jnp.logaddexp(0.0, logits) - labels * logits
        return LossOutput({"loss": Tally(nats.sum(), jnp.float32(len(labels)))})

    return loss


class Texts(NamedTuple):
    """A loader that goes round in the batches it has."""

    inputs: np.ndarray
    """[n, b, t] int32."""
    labels: np.ndarray
    """[n, b] int32."""

    @property
    def uniform(self) -> bool:
        return True

    @property
    def steps_per_epoch(self) -> int:
        return len(self.inputs)

    @property
    def batch_size(self) -> int:
        return self.inputs.shape[1]

    def __call__(self, step: int, /) -> tuple[np.ndarray, np.ndarray]:
        return self.inputs[step % len(self.inputs)], self.labels[step % len(self.labels)]
