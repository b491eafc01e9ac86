"""What a classifier computes, as functions that are exported."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import example_ids, example_mask, open_sizes
from jaxseq.nn.classifier import Classifier
from jaxseq.ops.shapes import Array
from jaxseq.tasks.classification.frozen_encoders import whole
from jaxseq.tasks.task import Variables


def classifier_functions(model: Classifier, *, masked: bool) -> dict[str, ExportedFunction]:
    """logits: tokens [b, t] int32, mask [b, t] bool -> logits [b, classes].

    Without `masked` there is no mask, and padding is read as the token 0. t goes up to the number of places that a
    model has, where it has a number of these (learned positions, the pooling "flatten").
    """
    body: Any = model.body
    places = [body.context] if getattr(body, "positions", "") == "learned" else []
    places += [model.length] if "flatten" in model.pooling else []
    most = {"t": min(places)} if places else {}
    shape = open_sizes("b, t", **most)
    steps = min([8, *places])
    inputs = {"tokens": jax.ShapeDtypeStruct(shape, jnp.int32)}
    example: dict[str, Any] = {"tokens": example_ids(body.vocabulary_size, steps=steps)}
    if masked:
        inputs["mask"] = jax.ShapeDtypeStruct(shape, jnp.bool_)
        example["mask"] = example_mask(steps=steps)

    def logits(variables: Variables, tokens: Array, mask: Array | None = None) -> Array:
        found: Any = model.apply(whole(variables), tokens, mask=mask)
        return found

    return {"logits": ExportedFunction(logits, inputs, ("logits",), example, most)}
