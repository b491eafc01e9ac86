"""How PyTorch lays out the weights of a module, and how this package does: pure functions, both ways.

PyTorch multiplies by the transpose of a weight, so every kernel is the transpose of ours: a Linear's [f, d], a
convolution's [f, d, k, k], a transposed convolution's [d, f, k, k], and the gates of a cell stand below each other, in
the order that they have here side by side. A cell has two biases: of an LSTM and of a simple RNN they only ever add up,
and are one here, their sum; of a GRU they are two here as well.

`from_torch(kind, to_torch(kind, weights))` is `weights` to the bit. The other way round it is too, but for what cannot
be undone: which part of a sum was in which of two biases (they come back as the sum, and zeros), and a layer without a
bias, which comes back with one of zeros. PyTorch has no GRU without `reset_after`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.layer_kinds import BACKWARD, FORWARD, GATES, FileLayer, Weights, each_way, is_bidirectional

_GATED_KINDS = {4: "lstm", 3: "gru", 1: "rnn"}
_CLASSES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_OF_A_CELL = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l(\d+))?(_reverse)?")


@each_way
def from_torch(kind: str, weights: Weights) -> dict[str, NDArray[Any]]:
    """The weights of a layer of this kind as this package has them, from those of PyTorch's: weight_ih, weight_hh,
    bias_ih, bias_hh; weight, bias."""
    if kind in GATES:
        kernel, recurrent = weights["weight_ih"].T, weights["weight_hh"].T
        nothing = np.zeros(kernel.shape[-1], kernel.dtype)
        one, other = weights.get("bias_ih", nothing), weights.get("bias_hh", nothing)
        biases = {"bias": one, "recurrent_bias": other} if kind == "gru" else {"bias": one + other}
        return {"input_kernel": kernel, "recurrent_kernel": recurrent, **biases}
    weight = weights["weight"]
    if kind == "embedding":
        return {"table": weight}
    if kind == "norm":
        return {"scale": weight, "bias": weights.get("bias", np.zeros_like(weight))}
    if kind == "conv":
        kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    elif kind == "conv_transpose":
        kernel = np.moveaxis(weight, (0, 1), (-2, -1))
    else:
        kernel = weight.T
    return {"kernel": kernel, "bias": weights.get("bias", np.zeros(kernel.shape[-1], kernel.dtype))}


@each_way
def to_torch(kind: str, weights: Weights) -> dict[str, NDArray[Any]]:
    """The weights of a layer of this kind as PyTorch has them, by its names (without the "_l0" of a stack), from ours.

    Raises:
        InputError: PyTorch has no such layer.
    """
    if kind == "gru_reset_before":
        raise InputError("PyTorch has no GRU that resets before the recurrent product: train with --model.reset-after")
    if kind in GATES:
        bias = weights["bias"]
        return {
            "weight_ih": weights["input_kernel"].T,
            "weight_hh": weights["recurrent_kernel"].T,
            "bias_ih": bias,
            "bias_hh": weights["recurrent_bias"] if kind == "gru" else np.zeros_like(bias),
        }
    if kind == "embedding":
        return {"weight": weights["table"]}
    if kind == "norm":
        weight = weights["scale"]
    elif kind == "conv":
        weight = np.moveaxis(weights["kernel"], (-1, -2), (0, 1))
    elif kind == "conv_transpose":
        weight = np.moveaxis(weights["kernel"], (-2, -1), (0, 1))
    else:
        weight = weights["kernel"].T
    return {"weight": weight, "bias": weights["bias"]} if "bias" in weights else {"weight": weight}


def torch_layers(tensors: Mapping[str, NDArray[Any]]) -> list[FileLayer]:
    """The layers whose weights a state_dict holds, in its order; of a recurrent module one for each of its layers."""
    modules: dict[str, dict[str, NDArray[Any]]] = {}
    for name, tensor in tensors.items():
        module, _, own = name.rpartition(".")
        if own != "num_batches_tracked":
            modules.setdefault(module, {})[own] = tensor
    found: list[FileLayer] = []
    for name, weights in modules.items():
        cells = {own: match for own in weights if (match := _OF_A_CELL.fullmatch(own))}
        if cells:
            found += _stack(name, {own: weights[own] for own in cells}, cells)
            weights = {own: tensor for own, tensor in weights.items() if own not in cells}
        if weights:
            found.append(FileLayer(name, _kinds(weights), weights, from_torch))
    return found


def _stack(name: str, weights: Weights, cells: Mapping[str, re.Match[str]]) -> list[FileLayer]:
    """The layers of a recurrent module from the lowest one up."""
    numbers = sorted({int(match[2] or 0) for match in cells.values()})
    found = []
    for number in numbers:
        own = {match: weights[at] for at, match in cells.items() if int(match[2] or 0) == number}
        both = any(match[3] for match in own)
        layer = {}
        for match, tensor in own.items():
            side = "" if not both else BACKWARD if match[3] else FORWARD
            layer[f"{side}{match[1]}"] = tensor
        kinds = _cell(layer)
        place = f"{name}.l{number}" if len(numbers) > 1 else name
        found.append(FileLayer(place, kinds, layer, from_torch, _CLASSES.get(kinds[0], "") if kinds else ""))
    return found


def _cell(weights: Weights) -> tuple[str, ...]:
    """The kind of a cell, by how many gates its weights have."""
    sides = (FORWARD, BACKWARD) if is_bidirectional(weights) else ("",)
    found: set[str] = set()
    for side in sides:
        names = {name.removeprefix(side) for name in weights if name.startswith(side)}
        if not {"weight_ih", "weight_hh"} <= names <= set(_CELL_WEIGHTS):
            return ()  # a projection (weight_hr), or one that lacks a part
        rows, columns, *_ = (*weights[f"{side}weight_hh"].shape, 0, 0)
        found.add(_GATED_KINDS.get(rows // columns, "") if columns and not rows % columns else "")
    return tuple(found) if len(found) == 1 and "" not in found else ()


def _kinds(weights: Weights) -> tuple[str, ...]:
    if "weight" not in weights or not set(weights) <= {"weight", "bias"}:
        return ()
    dimensions = weights["weight"].ndim
    if dimensions == 2:
        return ("dense",) if "bias" in weights else ("embedding", "dense")
    return {1: ("norm",), 3: ("conv", "conv_transpose"), 4: ("conv", "conv_transpose")}.get(dimensions, ())


def state_dict(layers: Sequence[tuple[str, str, Weights]]) -> dict[str, NDArray[Any]]:
    """The state_dict of layers (name, kind, weights as this package has them), in their order.

    Recurrent layers that follow each other are one module, "rnn", as PyTorch stacks them: "rnn.weight_ih_l0",
    "rnn.weight_ih_l1_reverse"; the others are modules of their own names: "embedding.weight".

    Raises:
        InputError: PyTorch has no such layer.
    """
    found: dict[str, NDArray[Any]] = {}
    number = 0
    for name, kind, weights in layers:
        for own, array in to_torch(kind, weights).items():
            if kind in GATES:
                way = "_reverse" if own.startswith(BACKWARD) else ""
                found[f"rnn.{own.removeprefix(BACKWARD).removeprefix(FORWARD)}_l{number}{way}"] = array
            else:
                found[f"{name}.{own}"] = array
        number += kind in GATES
    return found
