"""The classifiers in jaxseq's layers, what `training.loop.fit` wants to know of them, and one as a run has it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.works import Model
from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, RNNConfig
from jaxseq.nn import GRU, LSTM, POOLINGS, Bidirectional, Embedding
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossFn, LossOutput
from jaxseq.tasks.classification.classification import Classification
from jaxseq.tasks.classification.remembered import CLASSES, TOKENIZER
from jaxseq.text import WordTokenizer


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


def restored(model: Model, *, length: int) -> Classification:
    """The task of a run as `jaxseq predict` restores it: configs/imdb_birnn.py, but for the pooling of `Classifier`."""
    experiment = ExperimentConfig(
        task=ClassificationConfig(pooling=("ends",)),
        data=LabelledConfig(length=length, lengths=8),
        model=RNNConfig(cell="lstm", features=model.features, bidirectional=True, embedding=model.embedding),
    )
    tokenizer = WordTokenizer(tuple(f"word{i}" for i in range(model.vocabulary - 2)))  # padding and unknown words
    artifacts = {TOKENIZER: tokenizer.to_json(), CLASSES: ["negative", "positive"]}
    return Classification.restore(experiment, {name: json.dumps(tree).encode() for name, tree in artifacts.items()})


def loaded(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The parameters of `benchmarks.data.weights`, as the model of `restored` has them."""

    def layer(direction: str) -> dict[str, Any]:
        names = {"input_kernel": "input", "recurrent_kernel": "recurrent", "bias": "bias"}
        return {name: weights[f"{direction}_{part}"] for name, part in names.items()}

    body = {"embedding": weights["embedding"], "layer_0": {way: layer(way) for way in ("forward", "backward")}}
    head = {"output": {"kernel": weights["head_kernel"], "bias": weights["head_bias"]}}
    return jax.device_put({"params": {"body": body, "head": head}})
