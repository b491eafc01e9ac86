"""The table of an autoencoder's layers, which run all at once, so that no trace could tell them apart."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.models import Autoencoder
from jaxseq.nn.picture_stack import layer_kind, layer_names
from jaxseq.ops.picture_layers import Convolution, Shape
from jaxseq.tasks.layer_table import LayerOutputs


def layer_rows(model: Autoencoder, init: Callable[[Any], Any], shape: Shape, *, rows: int) -> LayerOutputs:
    """For `rows` pictures of this shape [h, w, c]."""
    params = jax.eval_shape(init, jax.random.key(0))["params"]
    ordered: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    kinds: dict[str, str] = {}
    products: dict[str, int] = {}
    before = shape
    parts = {"encoder": model.encoder_layers, "decoder": model.decoder_layers}
    for (part, layers), shapes in zip(parts.items(), model.shapes(*shape[:2]), strict=True):
        ordered[part], outputs[part] = {}, {}
        for name, layer, after in zip(layer_names(layers), layers, shapes, strict=True):
            kinds[f"{part}/{name}"] = layer_kind(layer)
            outputs[part][name] = {"__call__": (jax.ShapeDtypeStruct((rows, *after), jnp.float32),)}
            ordered[part][name] = params[part].get(name, {})
            products[f"{part}/{name}"] = 0
            if isinstance(layer, Convolution):
                # A kernel goes to every place of what comes out; a transposed one to those of what comes in.
                places = min(before[0] * before[1], after[0] * after[1]) if layer.transposed else after[0] * after[1]
                products[f"{part}/{name}"] = layer.kernel**2 * before[2] * after[2] * places
            before = after
    return LayerOutputs(ordered, outputs, kinds, lambda: products)
