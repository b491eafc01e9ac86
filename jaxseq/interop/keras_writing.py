"""Weights and models in files that Keras loads, written without Keras.

.weights.h5   what `model.load_weights` of Keras 3 reads: layers numbered class by class
.h5           what `model.load_weights` of Keras 2 and 3 reads: layers in the order of the model
.keras        what `keras.models.load_model` of Keras 3 reads: an archive of a configuration and the first of these
"""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.keras_layouts import to_keras
from jaxseq.interop.keras_names import snake_case
from jaxseq.interop.layer_kinds import BACKWARD, FORWARD, GATES, Weights, is_bidirectional
from jaxseq.reading import shown
from jaxseq.storage.atomic import replacing, writing

_CLASSES = {
    "embedding": "Embedding",
    "lstm": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU",
    "rnn": "SimpleRNN",
    "dense": "Dense",
    "norm": "LayerNormalization",
}
_CONVOLUTIONS = {"conv": "", "conv_transpose": "Transpose"}


class Layer(NamedTuple):
    """A layer to write."""

    name: str
    kind: str
    """One of `jaxseq.interop.layer_kinds`; of a layer without weights Keras's class."""
    weights: Weights
    """As this package has them; none of a layer that has no weights."""
    options: Mapping[str, Any] = {}
    """Of its configuration, what neither kind nor shapes say: "activation", "return_sequences", "mask_zero"."""

    @property
    def class_name(self) -> str:
        """Keras's."""
        if is_bidirectional(self.weights):
            return "Bidirectional"
        if self.kind in _CONVOLUTIONS:
            return f"Conv{self.weights['kernel'].ndim - 2}D{_CONVOLUTIONS[self.kind]}"
        return _CLASSES.get(self.kind, self.kind)


def write_keras(path: str | os.PathLike[str], layers: Sequence[Layer]) -> None:
    """Writes the weights of layers, in the order of the model; the file appears when it is whole, and replaces what was
    there before. Which format it is the name says.

    Raises:
        InputError: the name ends in none of the two, the file cannot be written, or the library h5py is missing.
        ValueError: two layers have one name.
    """
    path = Path(path)
    forms: dict[str, Callable[[Any, Sequence[Layer]], None]] = {".weights.h5": _numbered, ".h5": _named}
    form = next((forms[ending] for ending in forms if path.name.endswith(ending)), None)
    if form is None:
        raise InputError(f"{shown(path)} is no name of a file of Keras's weights: let it end in {' or '.join(forms)}")
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        raise ValueError(f"two layers are called {max(names, key=names.count)!r}: give each a name of its own")
    content = _written(form, layers)
    with replacing(path) as stream, writing(path):
        stream.write(content)


def write_keras_model(path: str | os.PathLike[str], layers: Sequence[Layer], *, inputs: Sequence[int | None]) -> None:
    """Writes a Sequential model to a .keras, whole or not at all; what was there before is replaced. The same layers
    make the same configuration.

    Args:
        layers: embeddings, recurrent and dense layers, and those without weights.
        inputs: the shape of what goes in but for the batch, None for any length; token ids for an embedding.

    Raises:
        InputError: the file cannot be written, or the library h5py is missing.
    """
    reads_ids = layers[0].kind == "embedding"
    first = {"name": "inputs", "batch_shape": [None, *inputs], "dtype": "int32" if reads_ids else "float32"}
    described = [_described("InputLayer", first), *(_described(each.class_name, _config(each)) for each in layers)]
    model = {"name": "model", "trainable": True, "layers": described, "build_input_shape": [None, *inputs]}
    config = {"module": "keras", "class_name": "Sequential", "config": model, "registered_name": None}
    contents = {
        "metadata.json": json.dumps({"keras_version": "3.0.0"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _written(_numbered, [layer for layer in layers if layer.weights]),
    }
    with replacing(path) as stream, writing(path), zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _described(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def _config(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer, as far as it is not Keras's usual."""
    weights, own = layer.weights, {"name": layer.name, **layer.options}
    if is_bidirectional(weights):
        inner = {name.removeprefix(FORWARD): array for name, array in weights.items() if name.startswith(FORWARD)}
        cell = layer._replace(name=f"{layer.name}_cell", weights=inner)
        return {"name": layer.name, "merge_mode": "concat", "layer": _described(cell.class_name, _config(cell))}
    if layer.kind in GATES:
        resets = {"reset_after": layer.kind == "gru"} if GATES[layer.kind] == 3 else {}
        return {**own, "units": weights["recurrent_kernel"].shape[0], **resets}
    if layer.kind == "embedding":
        rows, width = weights["table"].shape
        return {**own, "input_dim": rows, "output_dim": width}
    if layer.kind == "dense":
        return {**own, "units": weights["kernel"].shape[-1], "use_bias": "bias" in weights}
    return own


def _written(form: Callable[[Any, Sequence[Layer]], None], layers: Sequence[Layer]) -> bytes:
    """An HDF5 file of this form.

    Raises:
        InputError: the library h5py is missing.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError("files of Keras's need the library h5py: pip install 'jaxseq[interop]'") from error
    content = io.BytesIO()
    with h5py.File(content, "w", track_order=False) as root:
        form(root, layers)
    return content.getvalue()


def _numbered(root: Any, layers: Sequence[Layer]) -> None:
    counts: dict[str, int] = {}
    container = root.create_group("layers")
    for layer in layers:
        kind = snake_case(layer.class_name)
        number = counts[kind] = counts.get(kind, -1) + 1
        group = container.create_group(f"{kind}_{number}" if number else kind)
        group.create_group("vars").attrs["name"] = layer.name
        for path, weights in _parts(layer, forward="forward_layer", backward="backward_layer"):
            inner = group.require_group("/".join([*path, "vars"]))
            for at, array in enumerate(weights.values()):
                inner.create_dataset(str(at), data=array)


def _named(root: Any, layers: Sequence[Layer]) -> None:
    root.attrs["layer_names"] = np.array([layer.name.encode() for layer in layers])
    root.attrs["backend"], root.attrs["keras_version"] = b"jax", b"3.0.0"
    for layer in layers:
        group, names = root.create_group(layer.name), []
        for path, weights in _parts(layer, forward=f"forward_{layer.name}", backward=f"backward_{layer.name}"):
            for name, array in weights.items():
                names.append("/".join([layer.name, *path, f"{name}:0"]))
                group.create_dataset(names[-1], data=array)
        group.attrs["weight_names"] = np.array([name.encode() for name in names])


def _parts(layer: Layer, *, forward: str, backward: str) -> Iterator[tuple[list[str], Mapping[str, NDArray[Any]]]]:
    """The weights of a layer as Keras has them, each part with the names of what it lies in."""
    weights = to_keras(layer.kind, layer.weights)
    cell = ["cell"] if layer.kind in GATES else []
    if not is_bidirectional(weights):
        yield cell, weights
        return
    for side, name in ((FORWARD, forward), (BACKWARD, backward)):
        own = {each.removeprefix(side): array for each, array in weights.items() if each.startswith(side)}
        yield [name, *cell], own
