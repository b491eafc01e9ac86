"""The layers of a run, written to a file that Keras or PyTorch loads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from flax.traverse_util import flatten_dict

from jaxseq.config import ClassificationConfig
from jaxseq.errors import InputError
from jaxseq.interop.keras_writing import Layer, write_keras, write_keras_model
from jaxseq.interop.layer_kinds import GATES, is_bidirectional
from jaxseq.interop.torch_layouts import state_dict
from jaxseq.interop.torch_writing import write_torch
from jaxseq.nn import Classifier, LanguageModel
from jaxseq.nn.heads import TiedHead
from jaxseq.runs.load import Run
from jaxseq.runs.model_layers import model_layers
from jaxseq.tasks.capabilities import fits_at_once

_WEIGHTS, _MEAN = ".weights.h5", "GlobalAveragePooling1D"
_KINDS = (*GATES, "embedding", "dense", "norm", "conv", "conv_transpose")


def write_layers(run: Run, path: Path, format: Literal["keras", "torch"]) -> str:
    """Writes the layers of a run's model, whole or not at all; what the file holds, in words.

    Keras's is a .weights.h5 (Keras 3) or .h5 (Keras 2 and 3), for `model.load_weights` of a model with the same layers
    in the same order, or a .keras, the model itself, for `keras.models.load_model` of Keras 3: a language model gives
    logits, a classifier probabilities (of two classes, that of the second). PyTorch's is a state_dict, for
    `torch.load(path, weights_only=True)`, with names as in `jaxseq.interop.torch_layouts.state_dict`. Dropout and
    pooling have no weights; of these only a .keras has the pooling.

    Raises:
        InputError: the model has a layer that the library has not; the name does not end as the format wants it; or
            the file cannot be written.
    """
    layers = run_layers(run, "Keras" if format == "keras" else "PyTorch")
    if format == "keras" and path.suffix == ".keras":
        model = _sequential(run, layers)
        inputs = [None] if layers[0].kind == "embedding" else [None, layers[0].weights["input_kernel"].shape[0]]
        write_keras_model(path, model, inputs=inputs)
        return f"a model of {len(model)} layers for Keras is"
    if format == "keras":
        write_keras(path, layers)
        return f"{len(layers)} layers for Keras are"
    write_torch(path, state_dict([(layer.name, layer.kind, layer.weights) for layer in layers]))
    return f"{len(layers)} layers for PyTorch are"


def run_layers(run: Run, library: str) -> Sequence[Layer]:
    """The layers of a run's model with their weights, in the order of their use, those of a tied output layer again.

    Raises:
        InputError: it has one that the library has not.
    """
    elsewhere = "export it to a folder, as `jaxseq export RUN FOLDER/`"
    if fits_at_once(run.task):
        raise InputError(f"the model is one of counts, which {library} does not have: {elsewhere}")
    flat = flatten_dict(run.params, sep="/")
    layers = []
    for layer in model_layers(run.task):
        if layer.kind not in _KINDS or "block" in layer.path:
            raise InputError(f"{layer.path} of the model is none of the layers that {library} has ready: {elsewhere}")
        weights = {name: np.asarray(flat[path]) for name, path in layer.params.items()}
        layers.append(Layer(_name(layer.path), layer.kind, weights))
    if isinstance(getattr(getattr(run.task, "model", None), "head", None), TiedHead):
        layers.append(Layer("head", "dense", {"kernel": layers[0].weights["table"].T}))
    return layers


def _sequential(run: Run, layers: Sequence[Layer]) -> list[Layer]:
    """The layers as Keras runs them one after the other, poolings among them.

    Raises:
        InputError: Keras's Sequential cannot compute what the model does.
    """
    model: Any = getattr(run.task, "model", None)
    if isinstance(model, LanguageModel):
        every = {"return_sequences": True}
        return [layer._replace(options=every) if layer.kind in GATES else layer for layer in layers]
    if not isinstance(model, Classifier) or any(layer.kind in ("conv", "conv_transpose") for layer in layers):
        raise InputError(f"{run.experiment.task.kind} is no stack of layers for a .keras: write a {_WEIGHTS}")
    section = run.experiment.task
    assert isinstance(section, ClassificationConfig)
    recurrent = [layer for layer in layers if layer.kind in GATES]
    last = bool(recurrent) and model.pooling == (("ends",) if is_bidirectional(recurrent[-1].weights) else ("last",))
    if not last and model.pooling != ("mean",):
        raise InputError(
            f"task.pooling is {', '.join(model.pooling)}, which Keras has no layer for that passes over padding: write "
            f"a {_WEIGHTS}"
        )
    if layers[0].kind != "embedding" and section.mask:
        raise InputError(f"the model reads one-hot vectors, of which Keras cannot tell padding: write a {_WEIGHTS}")
    found = []
    for layer in layers:
        options: dict[str, Any] = {}
        if layer.kind == "embedding":
            options = {"mask_zero": section.mask}
        elif layer.kind in GATES:
            options = {"return_sequences": not (last and layer is recurrent[-1])}
        elif layer.kind == "dense":
            ends = "sigmoid" if model.classes == 2 else "softmax"
            options = {"activation": ends if layer is layers[-1] else "relu"}
        if layer.kind == "dense" and not last and not any(each.kind == _MEAN for each in found):
            found.append(Layer("pooling", _MEAN, {}))
        found.append(layer._replace(options=options))
    return found


def _name(path: str) -> str:
    """A layer's name elsewhere: its place without that of the body."""
    return path.removeprefix("body/").removesuffix("/table").replace("/", "_")
