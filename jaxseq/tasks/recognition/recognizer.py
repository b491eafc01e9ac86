"""What a model makes of examples, however they are put in batches."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxseq.config import CornersConfig, DetectorConfig
from jaxseq.data.example_batches import NumberedLoader
from jaxseq.models import Corners, Detector
from jaxseq.ops.logistic_loss import logistic_loss
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.pixel_convolution import PixelScale
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel
from jaxseq.signals import Poll, never
from jaxseq.tasks.picture_form import PictureForm
from jaxseq.tasks.task import Variables

_FEWEST_ROWS = 8
"""Rows that a device is worth taking for."""


def build_recognizer(
    config: CornersConfig | DetectorConfig, form: PictureForm | None = None, *, dtype: str = "float32"
) -> nn.Module:
    """The module that `config` describes.

    Args:
        form: of pictures, for a detector.
    """
    if isinstance(config, CornersConfig):
        return Corners(config.points, config.activation, config.bias, dtype=jnp.dtype(dtype))
    if form is None:
        raise ValueError("a detector reads pictures: give their form")
    return Detector(
        PixelScale(form.mean, form.deviation),
        filters=config.filters,
        kernel=config.kernel,
        stride=config.stride,
        padding=config.padding,
        pool=config.pool,
        places=config.places,
        bias=config.bias,
        dtype=jnp.dtype(dtype),
    )


@dataclass(frozen=True)
class Recognizer:
    """`model` over batches of `jaxseq.data.example_batches`."""

    model: nn.Module

    def loss(self) -> LossFn:
        """Logistic loss in nats ("loss") and hits ("accuracy") of each example."""
        return partial(_loss, self)

    def logits(
        self, variables: Variables, loader: NumberedLoader, *, poll: Poll = never
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Of all examples of an epoch and their classes, [n] each, in the order of the batches.

        Args:
            poll: called before each batch.
        """
        parallel = DataParallel.sharing(loader.batch_size, fewest=_FEWEST_ROWS)
        variables = parallel.put(variables)
        made, labels = [], []
        for step in range(loader.steps_per_epoch):
            poll()
            batch = loader(step)
            found = _logits(self, variables, parallel.put(batch.inputs, SHARDED), parallel=parallel)
            made.append(np.asarray(found)[batch.valid])
            labels.append(batch.labels[batch.valid])
        return np.concatenate(made), np.concatenate(labels)


def _loss(recognizer: Recognizer, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
    logits: Any = recognizer.model.apply(variables, batch.inputs)
    loss, hits = logistic_loss(logits, batch.labels, batch.valid)
    return LossOutput({"loss": loss, "accuracy": hits})


@partial(jax.jit, static_argnums=0, static_argnames="parallel")
def _logits(recognizer: Recognizer, variables: Variables, inputs: Array, *, parallel: DataParallel) -> Array:
    return parallel.shard(recognizer.model.apply, in_specs=(REPLICATED, SHARDED), out_specs=SHARDED)(variables, inputs)
