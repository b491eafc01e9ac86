"""What a masked language model computes, as functions that are exported."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import example_ids, example_mask, open_sizes
from jaxseq.nn.masked_language_model import MaskedLanguageModel
from jaxseq.ops.shapes import Array
from jaxseq.tasks.task import Variables


def masked_functions(model: MaskedLanguageModel) -> dict[str, ExportedFunction]:
    """What such a model is run with; b, t and k are open, t up to the learned positions where there are such.

    logits     tokens [b, t] int32, mask [b, t] bool, positions [b, k] int32 -> logits [b, k, v] of the tokens there
    relation   tokens, mask -> logit [b] of whether the second text follows; where the model tells that
    features   tokens, mask -> features [b, t, d]

    Where texts have segments, segments [b, t] int32 come behind the mask.
    """
    body: Any = model.body
    most = {"t": body.context} if body.positions == "learned" else {}
    b, t, k = open_sizes("b, t, k", **most)
    steps = min([8, *most.values()])
    ids = jax.ShapeDtypeStruct((b, t), jnp.int32)
    inputs = {"tokens": ids, "mask": jax.ShapeDtypeStruct((b, t), jnp.bool_)}
    example = {"tokens": example_ids(model.vocabulary_size, steps=steps), "mask": example_mask(steps=steps)}
    if body.segments:
        inputs["segments"] = ids
        example["segments"] = np.sort(example_ids(body.segments, steps=steps), axis=1)
    at = {"positions": jax.ShapeDtypeStruct((b, k), jnp.int32)}
    where = {"positions": np.array([[0, steps - 1]] * len(example["tokens"]), np.int32)}

    def features(variables: Variables, tokens: Array, mask: Array, segments: Array | None = None) -> Array:
        found: Any = model.apply(variables, tokens, mask=mask, segments=segments, method="features")
        return found

    def both(variables: Variables, tokens: Array, mask: Array, segments: Array | None, positions: Array) -> Any:
        return model.apply(variables, tokens, positions, mask=mask, segments=segments)

    def logits(variables: Variables, tokens: Array, mask: Array, *others: Array) -> Array:
        *segments, positions = others
        return both(variables, tokens, mask, segments[0] if segments else None, positions)[0]

    def relation(variables: Variables, tokens: Array, mask: Array, segments: Array | None = None) -> Array:
        return both(variables, tokens, mask, segments, jnp.zeros((tokens.shape[0], 1), jnp.int32))[1]

    found = {"logits": ExportedFunction(logits, inputs | at, ("logits",), example | where, most)}
    if model.pairs:
        found["relation"] = ExportedFunction(relation, inputs, ("logits",), example, most)
    return found | {"features": ExportedFunction(features, inputs, ("features",), example, most)}
