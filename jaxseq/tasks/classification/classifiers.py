"""Classifiers of any family, and their loss."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import BagConfig, ClassificationConfig, EncoderConfig, ModelConfig, NBSVMConfig, RNNConfig
from jaxseq.errors import ConfigError
from jaxseq.memory import Part as MemoryPart
from jaxseq.models import NBSVM, Bag, Recurrent, TransformerEncoder
from jaxseq.nn.classifier import Classifier
from jaxseq.nn.heads import ClassificationHead
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.losses import cross_entropy
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.row_tables import without_gradient
from jaxseq.tasks.task import Variables

_BODIES = {RNNConfig: Recurrent, BagConfig: Bag, EncoderConfig: TransformerEncoder, NBSVMConfig: NBSVM}


def build_classifier(
    task: ClassificationConfig,
    model: ModelConfig,
    *,
    vocabulary_size: int,
    classes: int,
    length: int = 0,
    padding: Literal["pre", "post"] = "post",
    dtype: str = "float32",
) -> Classifier:
    """The classifier that both sections describe.

    Args:
        length: tokens of the longest text, and with `padding` the side on which shorter ones are padded: for the
            pooling "flatten".
        dtype: the type of activations.

    Raises:
        ConfigError: a model of this kind is no body of a classifier, or the head does not fit what is pooled.
    """
    if type(model) not in _BODIES:
        choice = ", ".join(kind.kind for kind in _BODIES)
        raise ConfigError(f"model.kind is {model.kind!r}: a classifier is one of {choice}")
    head = ClassificationHead(classes, hidden=task.hidden, dropout=task.dropout, linear=task.head == "linear")
    # An NBSVM's one vector a token is its part of the logits.
    options = {"features": head.to_learn} if isinstance(model, NBSVMConfig) else dataclasses.asdict(model)
    if options.pop("tie_embedding", False):
        raise ConfigError("model.tie_embedding is True: a classifier has no output layer over words, leave it out")
    body = _BODIES[type(model)](vocabulary_size=vocabulary_size, dtype=jnp.dtype(dtype), **options)
    classifier = Classifier(body, head, task.pooling, length, padding)
    try:
        jax.eval_shape(lambda: init_classifier(classifier, jax.random.key(0)))
    except ValueError as error:
        if task.head != "bias":  # widths fit otherwise
            raise
        raise ConfigError(
            f"task.head is 'bias' and {error}: set task.hidden to that, or model.features with one task.pooling; or "
            "take the head linear"
        ) from error
    return classifier


def init_classifier(model: Classifier, key: jax.Array) -> Variables:
    """Fresh parameters, nested dicts of float32 arrays under "params"."""
    return jax.jit(model.init)(key, jnp.zeros((1, 1), jnp.int32))


def with_ratios(variables: Variables, ratios: np.ndarray) -> Variables:
    """The variables of a classifier whose body is `NBSVM`, with its log-count ratios [v, n]."""
    return {**variables, "statistics": {"body": {"ratios": jnp.asarray(ratios)}}}


def with_encoder(variables: Variables, params: Mapping[str, Any]) -> Variables:
    """The variables of a classifier whose body has these parameters."""
    body = jax.tree.map(jnp.asarray, dict(params))
    return {**variables, "params": {**variables["params"], "body": body}}


def memory_of_batches(classifier: Classifier, model: Any, *, rows: int, length: int, batches: int) -> list[MemoryPart]:
    """`batches` batches of so many rows and tokens, and what the body of section `model` makes of one."""
    lower = "lower data.batch_size, data.length or the size of the model"
    width = getattr(model, "layers", 0) * getattr(model, "features", 0)
    outputs = rows * length * width * classifier.dtype.itemsize
    return [
        MemoryPart("the outputs of the layers", outputs, lower),
        MemoryPart(f"{batches:,} batches for one dispatch", batches * rows * (5 * length + 5), lower),
    ]


def classification_loss(
    model: Classifier, *, masked: bool = True, word_dropout: float = 0.0, frozen: bool = False
) -> LossFn:
    """The loss for batches of `jaxseq.data.examples`: cross-entropy in nats ("loss") and hits ("accuracy").

    Args:
        masked: pass over padding; without it padding is read as the token 0.
        word_dropout: share of the tokens that training passes over as if they were padding.
        frozen: the embedding has no gradient.
    """

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        variables = _with_frozen_embedding(variables) if frozen else variables
        mask = batch.mask if masked else None
        words = context.rngs("words")
        if mask is not None and words is not None and word_dropout:
            mask &= dropout_mask(words["words"], word_dropout, mask.shape) > 0
        logits: Any = model.apply(variables, batch.inputs, mask=mask, train=context.train, rngs=context.rngs("dropout"))
        loss, hits = cross_entropy(logits, batch.labels, batch.valid)
        return LossOutput({"loss": loss, "accuracy": hits})

    return loss_fn


def _with_frozen_embedding(variables: Variables) -> Variables:
    """The variables of a classifier, without a gradient for its embedding."""
    params = variables["params"]
    body = {**params["body"], "embedding": without_gradient(params["body"]["embedding"])}
    return {**variables, "params": {**params, "body": body}}
