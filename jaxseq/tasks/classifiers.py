"""Classifiers of any family, and their loss."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import BagConfig, ClassificationConfig, EncoderConfig, ModelConfig, NBSVMConfig, RNNConfig
from jaxseq.errors import ConfigError
from jaxseq.models import NBSVM, Bag, Recurrent, TransformerEncoder
from jaxseq.nn.classifier import Classifier, logits_of
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.task import Variables

_BODIES = {RNNConfig: Recurrent, BagConfig: Bag, EncoderConfig: TransformerEncoder, NBSVMConfig: NBSVM}


def build_classifier(
    task: ClassificationConfig, model: ModelConfig, *, vocabulary_size: int, classes: int, dtype: str = "float32"
) -> Classifier:
    """The classifier that both sections describe; `dtype` is the type of activations.

    Raises:
        ConfigError: a model of this kind is no body of a classifier, or the head does not fit what is pooled.
    """
    if type(model) not in _BODIES:
        choice = ", ".join(kind.kind for kind in _BODIES)
        raise ConfigError(f"model.kind is {model.kind!r}: a classifier is one of {choice}")
    kind = jnp.dtype(dtype)
    options = {"features": logits_of(classes)} if isinstance(model, NBSVMConfig) else dataclasses.asdict(model)
    classifier = Classifier(
        _BODIES[type(model)](vocabulary_size=vocabulary_size, dtype=kind, **options),
        classes,
        pooling=task.pooling,
        hidden=task.hidden,
        dropout=task.dropout,
        linear=task.head == "linear",
        dtype=kind,
    )
    if not classifier.linear:
        _require_logits(classifier)
    return classifier


def _require_logits(model: Classifier) -> None:
    params = jax.eval_shape(lambda: init_classifier(model, jax.random.key(0)))["params"]
    (width,), wanted = params["head"]["bias"].shape, logits_of(model.classes)
    if width != wanted:
        raise ConfigError(
            f"task.head is 'bias' and what it sees is {width} wide: {model.classes} classes have {wanted} to learn, "
            "set task.hidden to that, or model.features with one task.pooling; or take the head linear"
        )


def init_classifier(model: Classifier, key: jax.Array) -> Variables:
    """Fresh parameters, nested dicts of float32 arrays under "params"."""
    return jax.jit(model.init)(key, jnp.zeros((1, 1), jnp.int32))


def with_ratios(variables: Variables, ratios: np.ndarray) -> Variables:
    """The variables of a classifier whose body is `NBSVM`, with its log-count ratios [v, n]."""
    return {**variables, "statistics": {"body": {"ratios": jnp.asarray(ratios)}}}


def classification_loss(model: Classifier, *, masked: bool = True) -> LossFn:
    """The loss for batches of `jaxseq.data.examples`: cross-entropy in nats ("loss") and hits ("accuracy").

    Args:
        masked: pass over padding; without it padding is read as the token 0.
    """

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        mask = batch.mask if masked else None
        logits: Any = model.apply(variables, batch.inputs, mask=mask, train=context.train, rngs=context.rngs("dropout"))
        return LossOutput(tally_classes(logits, batch.labels, batch.valid))

    return loss_fn


def tally_classes(logits: jax.Array, labels: jax.Array, valid: jax.Array) -> dict[str, Tally]:
    """Cross-entropy in nats and hits of logits [b, c] float32 against labels [b], of the rows that are valid [b].

    A row that is not has no part in sums, counts and gradients, whatever it holds.
    """
    logits = jnp.where(valid[:, None], logits, 0)
    losses = jax.nn.logsumexp(logits, axis=1) - jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    hits = jnp.argmax(logits, axis=1) == labels
    count = valid.sum(dtype=jnp.float32)
    return {
        "loss": Tally(jnp.where(valid, losses, 0).sum(), count),
        "accuracy": Tally((hits & valid).sum(dtype=jnp.float32), count),
    }
