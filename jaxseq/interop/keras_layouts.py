"""How Keras lays out the weights of a layer, and how this package does: pure functions, both ways.

Keras's GRU has its gates in the order update, reset, candidate (z r h), here it is reset, update, candidate. With
`reset_after` its bias is [2, 3f], the input's above the recurrent one, which here are two; without it is [3f] in both.
The kernel of a transposed convolution is [k, k, f, d] there. All else is laid out alike.

`from_keras(kind, to_keras(kind, weights))` is `weights` to the bit. The other way round it is too, but for a layer
without a bias, which comes back with one of zeros.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.interop.keras_files import KerasLayer, KerasWeights
from jaxseq.interop.keras_names import class_of
from jaxseq.interop.layer_kinds import GATES, FileLayer, Weights, each_way, is_bidirectional

_CELLS = {"LSTM": ("lstm",), "GRU": ("gru", "gru_reset_before"), "SimpleRNN": ("rnn",)}
_GATED_CLASSES = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
_CELL_ENDING = "Cell"


def _update_before_reset(gates: NDArray[Any]) -> NDArray[Any]:
    """The first two of three gates [..., 3f] exchanged: from Keras's order to ours, and back."""
    first, second, last = np.split(gates, 3, axis=-1)
    return np.concatenate([second, first, last], axis=-1)


@each_way
def from_keras(kind: str, weights: Weights) -> dict[str, NDArray[Any]]:
    """The weights of a layer of this kind as this package has them, from those of Keras's: kernel, recurrent_kernel,
    bias; embeddings; gamma, beta."""
    if kind in GATES:
        turn = _update_before_reset if GATES[kind] == 3 else np.asarray
        kernel, recurrent = turn(weights["kernel"]), turn(weights["recurrent_kernel"])
        shape = (2, kernel.shape[-1]) if kind == "gru" else kernel.shape[-1:]
        bias = turn(weights["bias"]) if "bias" in weights else np.zeros(shape, kernel.dtype)
        found = {"input_kernel": kernel, "recurrent_kernel": recurrent}
        return {**found, "bias": bias[0], "recurrent_bias": bias[1]} if kind == "gru" else {**found, "bias": bias}
    if kind == "embedding":
        return {"table": weights["embeddings"]}
    if kind == "norm":
        size = next(iter(weights.values())).shape
        return {"scale": weights.get("gamma", np.ones(size)), "bias": weights.get("beta", np.zeros(size))}
    kernel = weights["kernel"]
    kernel = kernel.swapaxes(-1, -2) if kind == "conv_transpose" else kernel
    return {"kernel": kernel, "bias": weights.get("bias", np.zeros(kernel.shape[-1], kernel.dtype))}


@each_way
def to_keras(kind: str, weights: Weights) -> dict[str, NDArray[Any]]:
    """The weights of a layer of this kind as Keras has them, by Keras's names and in its order, from ours."""
    if kind in GATES:
        turn = _update_before_reset if GATES[kind] == 3 else np.asarray
        bias = np.stack([weights["bias"], weights["recurrent_bias"]]) if kind == "gru" else weights["bias"]
        parts = {"kernel": weights["input_kernel"], "recurrent_kernel": weights["recurrent_kernel"], "bias": bias}
        return {name: turn(part) for name, part in parts.items()}
    if kind == "embedding":
        return {"embeddings": weights["table"]}
    if kind == "norm":
        found = {"gamma": weights["scale"], "beta": weights.get("bias")}
    else:
        kernel = weights["kernel"]
        found = {"kernel": kernel.swapaxes(-1, -2) if kind == "conv_transpose" else kernel, "bias": weights.get("bias")}
    return {name: part for name, part in found.items() if part is not None}


def keras_layers(file: KerasWeights) -> list[FileLayer]:
    """The layers in a file of Keras's that have weights."""
    return [_file_layer(layer) for layer in file.layers if layer.weights]


def keras_obstacles(layer: KerasLayer) -> str:
    """What the configuration of a recurrent layer says that the cells of this package cannot do; "" for nothing."""
    config = layer.config
    if layer.class_name == "Bidirectional" and config.get("merge_mode", "concat") != "concat":
        return f"merge_mode {config.get('merge_mode')!r}, and two directions here are side by side ('concat')"
    inner = _inner(config)
    cell = layer.class_name if layer.class_name in _CELLS else _class_within(config)
    if cell not in _CELLS:
        return ""
    wanted = (
        {"activation": "tanh"} if cell == "SimpleRNN" else {"activation": "tanh", "recurrent_activation": "sigmoid"}
    )
    for name, only in wanted.items():
        if inner.get(name, only) != only:
            return f"{name} {inner[name]!r}, and that of the cells here is {only!r}"
    if inner.get("go_backwards"):
        return "go_backwards, and a single layer here reads forward"
    return ""


def _file_layer(layer: KerasLayer) -> FileLayer:
    weights, config = layer.weights, _inner(layer.config)
    activation = config.get("activation", "")
    return FileLayer(
        layer.name,
        _kinds(layer, {name.removeprefix("forward/"): array for name, array in weights.items()}),
        weights,
        from_keras,
        _said(layer),
        activation if isinstance(activation, str) else "",
    )


def _kinds(layer: KerasLayer, weights: Weights) -> tuple[str, ...]:
    names = {name for name in weights if not name.startswith("backward/")}
    if is_bidirectional(weights) and names != {name.removeprefix("backward/") for name in {*weights} - names}:
        return ()
    own = _class(layer)
    if {"kernel", "recurrent_kernel"} <= names <= {"kernel", "recurrent_kernel", "bias"}:
        cell = own if own in _CELLS else _cell_of(weights)
        if cell != "GRU" or "bias" not in names:
            said = _inner(layer.config).get("reset_after") if cell == "GRU" else None
            return _CELLS.get(cell, ()) if said is None else ("gru" if said else "gru_reset_before",)
        return ("gru",) if weights["bias"].ndim == 2 else ("gru_reset_before",)
    if names == {"embeddings"}:
        return ("embedding",)
    if names and names <= {"gamma", "beta"} and own in ("LayerNormalization", ""):
        return ("norm",)
    if "kernel" in names and names <= {"kernel", "bias"} and not is_bidirectional(weights):
        if own.startswith("Conv"):
            return ("conv_transpose",) if own.endswith("Transpose") else ("conv",)
        if weights["kernel"].ndim == 2 and own in ("Dense", "EinsumDense", ""):
            return ("dense",)
        return ("conv", "conv_transpose") if not own and weights["kernel"].ndim in (3, 4) else ()
    return ()


def _cell_of(weights: Weights) -> str:
    """The class of a cell by how many gates its kernel has."""
    units, gates, *_ = (*weights["recurrent_kernel"].shape, 0, 0)
    return _GATED_CLASSES.get(gates // units, "") if units and not gates % units else ""


def _class(layer: KerasLayer) -> str:
    """Its class, or that of what it wraps."""
    own = layer.class_name or class_of(layer.name.rpartition("/")[2])
    if own in ("Bidirectional", "TimeDistributed", "RNN"):
        return _class_within(layer.config)
    return own


def _class_within(config: dict[str, Any]) -> str:
    found = config.get("layer", config.get("cell"))
    name = str(found.get("class_name", "")) if isinstance(found, dict) else ""
    return name.removesuffix(_CELL_ENDING)


def _inner(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of what a layer wraps, or its own."""
    for name in ("layer", "cell"):
        found = config.get(name)
        if isinstance(found, dict) and isinstance(found.get("config"), dict):
            return found["config"]
    return config


def _said(layer: KerasLayer) -> str:
    own, within = layer.class_name, _class(layer)
    return f"{own} of {within}" if within and own not in ("", within) else own or within
