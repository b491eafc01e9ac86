"""The layers in a file beside those of a model: which is which, and one line where they do not fit."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.layer_kinds import GATES, FileLayer, is_bidirectional
from jaxseq.reading import shown

_NAMES = {
    "lstm": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU with reset_after=False",
    "rnn": "simple RNN",
    "dense": "dense layer",
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "norm": "layer normalisation",
}


class ModelLayer(NamedTuple):
    """A layer of a model that wants weights."""

    path: str
    """Its place among the parameters: "body/layer_0"."""
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    """Of its weights, by the names of `jaxseq.interop.layer_kinds`."""
    params: Mapping[str, str]
    """The path of the parameter of each weight."""
    activations: tuple[str, ...] = ()
    """Those that a dense layer of a file may have in its place; () for any."""
    is_binary: bool = False
    """Whether it has the one logit of two classes, that of the second: of two the difference."""


def match_layers(
    place: str, layers: Sequence[FileLayer], wanted: Sequence[ModelLayer], *, is_ordered: bool
) -> dict[str, NDArray[Any]]:
    """The parameters of a model by their paths, float32, from the layers of a file.

    Args:
        place: the file, as errors call it.
        is_ordered: the layers stand in the order of the model. If not, those of one kind do.

    Raises:
        InputError: a layer is none that is read, there are too many or too few, or one does not fit. The line names
            the layer of the file, that of the model, both shapes, and the option that makes them fit where one does.
    """
    for layer in layers:
        if not layer.kinds:
            names = ", ".join(f"{shown(name)} {_size(array)}" for name, array in layer.weights.items())
            called = f" ({shown(layer.said)})" if layer.said else ""
            raise InputError(
                f"{place}: {_label(layer)}{called} is no layer that is read ({names[:300]}): it is of another "
                "architecture"
            )
    layers = _without_tied(layers, wanted)
    _require_counts(place, layers, wanted)
    pairs = _in_order(place, layers, wanted) if is_ordered else _by_kind(place, layers, wanted)
    params: dict[str, NDArray[Any]] = {}
    for layer, own in pairs:
        params |= _fitted(place, layer, own)
    return params


def _without_tied(layers: Sequence[FileLayer], wanted: Sequence[ModelLayer]) -> Sequence[FileLayer]:
    """The layers without a last one that is the embedding again, where the model has it once."""
    embeddings = [layer for layer in layers if "embedding" in layer.kinds]
    last = layers[-1] if layers else None
    wants_dense = any(own.kind == "dense" for own in wanted)
    if last is None or wants_dense or "dense" not in last.kinds or not embeddings or last is embeddings[0]:
        return layers
    dense, table = last.converted("dense"), embeddings[0].converted("embedding")["table"]
    if np.array_equal(dense["kernel"].T, table) and not np.any(dense["bias"]):
        return layers[:-1]
    return layers


def _require_counts(place: str, layers: Sequence[FileLayer], wanted: Sequence[ModelLayer]) -> None:
    """Refuses another number of recurrent layers, or a stack that is of other cells, with the option that helps."""
    theirs = [layer for layer in layers if set(layer.kinds) & set(GATES)]
    ours = [own for own in wanted if own.kind in GATES]
    if not theirs or not ours:
        return
    if len(theirs) != len(ours):
        raise InputError(
            f"{place} has {len(theirs)} recurrent layers, {_listed(theirs)}, and the model {len(ours)}: give "
            f"--model.layers {len(theirs)}"
        )
    first, own = theirs[0], ours[0]
    if first.is_bidirectional != is_bidirectional(own.shapes):
        option = "--model.bidirectional" if first.is_bidirectional else "--model.no-bidirectional"
        raise InputError(
            f"{place}: {_label(first)} reads {_ways(first.is_bidirectional)}, and {own.path} of the model "
            f"{_ways(is_bidirectional(own.shapes))}: give {option}"
        )
    for layer, own in zip(theirs, ours, strict=True):
        if own.kind not in layer.kinds:
            raise _other_kind(place, layer, own)


def _in_order(
    place: str, layers: Sequence[FileLayer], wanted: Sequence[ModelLayer]
) -> list[tuple[FileLayer, ModelLayer]]:
    for layer, own in zip(layers, wanted, strict=False):
        if own.kind not in layer.kinds:
            raise _other_kind(place, layer, own)
    if len(layers) > len(wanted):
        raise _too_many(place, layers[len(wanted)], wanted)
    if len(layers) < len(wanted):
        raise _missing(place, wanted[len(layers)])
    return list(zip(layers, wanted, strict=True))


def _by_kind(
    place: str, layers: Sequence[FileLayer], wanted: Sequence[ModelLayer]
) -> list[tuple[FileLayer, ModelLayer]]:
    """For each layer of the model the first one left that can be of its kind, one that can be nothing else before."""
    left, pairs = list(layers), []
    for own in wanted:
        fitting = sorted((layer for layer in left if own.kind in layer.kinds), key=lambda layer: len(layer.kinds))
        if not fitting:
            other = next((layer for layer in left if not any(each.kind in layer.kinds for each in wanted)), None)
            raise _missing(place, own) if other is None else _other_kind(place, other, own)
        # Of several, the first one whose shapes fit; where none does, the first, whose shapes are told.
        chosen = next((layer for layer in fitting if _fits(layer, own)), fitting[0])
        left = [layer for layer in left if layer is not chosen]
        pairs.append((chosen, own))
    if left:
        raise _too_many(place, left[0], wanted)
    return pairs


def _fits(layer: FileLayer, own: ModelLayer) -> bool:
    found = layer.converted(own.kind)
    return all(name in found and found[name].shape == shape for name, shape in own.shapes.items())


def _fitted(place: str, layer: FileLayer, own: ModelLayer) -> dict[str, NDArray[Any]]:
    """The parameters of one layer."""
    if own.activations and layer.activation and layer.activation not in own.activations:
        raise InputError(
            f"{place}: {_label(layer)} has the activation {layer.activation!r}, and {own.path} of the model is "
            f"followed by {' or '.join(own.activations)}: it is of another architecture"
        )
    found = layer.converted(own.kind)
    if own.is_binary and found["kernel"].shape[-1] == 2:
        found = {name: array[..., 1:] - array[..., :1] for name, array in found.items()}
    for name, array in found.items():
        if name not in own.shapes:
            if np.any(array):
                raise InputError(
                    f"{place}: {_label(layer)} has a {name} {_size(array)}, and {own.path} of the model has none: "
                    "it is of another architecture"
                )
        elif array.shape != own.shapes[name]:
            hint = _shape_hint(layer, own, name, array)
            raise InputError(
                f"{place}: {name} of {_label(layer)} is {_size(array)}, and {own.params[name]} of the model is "
                f"{_size(own.shapes[name])}: {hint}"
            )
        elif not np.all(np.isfinite(array)):
            raise InputError(f"{place}: {name} of {_label(layer)} has numbers that are not finite: save it anew")
    return {own.params[name]: np.ascontiguousarray(found[name], np.float32) for name in own.shapes}


def _shape_hint(layer: FileLayer, own: ModelLayer, name: str, array: NDArray[Any]) -> str:
    if array.ndim != len(own.shapes[name]) or not array.size:
        return "it is damaged, or of another architecture"
    if own.kind == "embedding" and array.shape[1:] == own.shapes[name][1:]:
        return "give the tokenizer it was trained with as --tokenizer, or data with as many tokens"
    if own.kind == "embedding":
        return f"give --model.embedding {array.shape[-1]}, or --model.features where it has that width"
    if own.kind in GATES and name.endswith("recurrent_kernel"):
        return f"give --model.features {array.shape[0]}"
    if own.kind in GATES and array.shape[-1:] != own.shapes[name][-1:]:
        return f"give --model.features {array.shape[-1] // GATES[own.kind]}"
    return "give the model the sizes of the file"


def _other_kind(place: str, layer: FileLayer, own: ModelLayer) -> InputError:
    kinds = set(layer.kinds)
    if kinds == {"gru_reset_before"} and own.kind == "gru":
        said = f"{place}: GRU layer {_label(layer)} has reset_after=False, and {own.path} of the model True"
        return InputError(f"{said}: give --model.no-reset-after")
    if kinds == {"gru"} and own.kind == "gru_reset_before":
        said = f"{place}: GRU layer {_label(layer)} has reset_after=True, and {own.path} of the model False"
        return InputError(f"{said}: give --model.reset-after")
    hint = "it is of another architecture"
    if kinds & set(GATES) and own.kind in GATES:
        hint = f"give --model.cell {layer.kinds[0].partition('_')[0]}"
    elif "embedding" in kinds and own.kind in GATES:
        width = layer.converted("embedding")["table"].shape[-1]
        hint = f"give --model.embedding {width}"
    elif own.kind == "embedding" and kinds & set(GATES):
        hint = "give --model.embedding 0, for a model that reads one-hot vectors"
    return InputError(
        f"{place}: {_label(layer)} is {_kind(layer.kinds[0])}, and the model has {_kind(own.kind)} ({own.path}) there: "
        f"{hint}"
    )


def _too_many(place: str, layer: FileLayer, wanted: Sequence[ModelLayer]) -> InputError:
    sizes = ", ".join(f"{shown(name)} {_size(array)}" for name, array in layer.weights.items())
    last = wanted[-1].path if wanted else "nothing"
    return InputError(
        f"{place}: {_label(layer)}, {_kind(layer.kinds[0])} ({sizes}), is one more than the model has, which ends with "
        f"{last}: it is of another architecture"
    )


def _missing(place: str, own: ModelLayer) -> InputError:
    sizes = ", ".join(f"{name} {_size(shape)}" for name, shape in own.shapes.items())
    return InputError(
        f"{place} holds nothing for {own.path} of the model, {_kind(own.kind)} ({sizes}): it is cut short, or of "
        "another architecture"
    )


def _kind(kind: str) -> str:
    name = _NAMES.get(kind, kind)
    return f"an {name}" if name[0] in "aeiouLA" else f"a {name}"


def _label(layer: FileLayer) -> str:
    return shown(layer.name) if layer.name else "a layer without a name"


def _listed(layers: Sequence[FileLayer]) -> str:
    names = [_label(layer) for layer in layers]
    return f"{', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"


def _ways(is_both: bool) -> str:
    return "both ways" if is_both else "forward"


def _size(array: NDArray[Any] | tuple[int, ...]) -> str:
    shape = array if isinstance(array, tuple) else array.shape
    return " x ".join(map(str, shape)) or "one number"
