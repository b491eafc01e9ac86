"""The layers of a task's model as files of weights have them, in the order of their use."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.interop.layer_kinds import FORWARD, GATES
from jaxseq.interop.layer_matching import ModelLayer
from jaxseq.nn.classifier import Classifier
from jaxseq.tasks.layer_table import traced_layers
from jaxseq.tasks.task import Task

_OUTPUTS = ("linear", "softmax", "log_softmax", "sigmoid")
"""Activations that may stand behind the last layer elsewhere: here the loss has them."""


def model_layers(task: Task) -> list[ModelLayer]:
    """Those that have parameters; one that no file of layers has is of a kind of its own, its parameter's name."""
    model = getattr(task, "model", None)
    # A classifier's own table of layers is for batches of its data, which a restored one does not have.
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    found = traced_layers(model, tokens) if isinstance(model, Classifier) else task.layer_outputs()
    layers = list(_walked(found.shapes, "", found.kinds))
    classes = len(getattr(task, "classes", ()))
    return [_with_place(layer, is_last=layer is layers[-1], is_binary=classes == 2) for layer in layers]


def _walked(tree: Mapping[str, Any], path: str, kinds: Mapping[str, str]) -> Iterator[ModelLayer]:
    if kind := _kind(tree, kinds.get(path, "")):
        yield _layer(path, kind, {name: leaf.shape for name, leaf in tree.items()})
        return
    if set(tree) == {"forward", "backward"} and (kind := _kind(tree["forward"], "")) in GATES:
        shapes = {f"{side}/{name}": leaf.shape for side in tree for name, leaf in tree[side].items()}
        yield _layer(path, kind, dict(sorted(shapes.items(), key=lambda item: not item[0].startswith(FORWARD))))
        return
    for name, value in tree.items():
        inner = f"{path}/{name}".lstrip("/")
        if isinstance(value, Mapping):
            yield from _walked(value, inner, kinds)
        elif name in ("embedding", "table"):
            yield ModelLayer(inner, "embedding", {"table": value.shape}, {"table": inner})
        elif name == "head_kernel":
            yield ModelLayer(inner, "dense", {"kernel": value.shape}, {"kernel": inner})
        else:
            yield ModelLayer(inner, name.replace("_", " "), {name: value.shape}, {name: inner})


def _kind(tree: Mapping[str, Any], said: str) -> str:
    """The kind of the layer that has these parameters, "" for one that is none."""
    names = set(tree)
    if any(isinstance(value, Mapping) for value in tree.values()):
        return ""
    if "recurrent_kernel" in names:
        units, gates = tree["recurrent_kernel"].shape
        kinds = {count: kind for kind, count in GATES.items() if kind != "gru_reset_before"}
        kind = kinds.get(gates // units, "")
        return "gru_reset_before" if kind == "gru" and "recurrent_bias" not in names else kind
    if "scale" in names and names <= {"scale", "bias"}:
        return "norm"
    if "kernel" in names and names <= {"kernel", "bias"}:
        if len(tree["kernel"].shape) == 2:
            return "dense"
        return "conv_transpose" if said.startswith("transposed") else "conv"
    return ""


def _layer(path: str, kind: str, shapes: Mapping[str, tuple[int, ...]]) -> ModelLayer:
    return ModelLayer(path, kind, shapes, {name: f"{path}/{name}" for name in shapes})


def _with_place(layer: ModelLayer, *, is_last: bool, is_binary: bool) -> ModelLayer:
    """What may stand behind a dense layer, and whether it has the one logit of two classes."""
    if layer.kind != "dense":
        return layer
    if is_last:
        return layer._replace(activations=_OUTPUTS, is_binary=is_binary and layer.shapes["kernel"][-1] == 1)
    return layer._replace(activations=("relu",)) if layer.path.endswith("hidden") else layer
