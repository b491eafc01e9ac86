"""The weights in a file of whichever library, as layers: Keras's, PyTorch's, or tensors in a .safetensors."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.keras_files import read_keras
from jaxseq.interop.keras_hdf5 import MAGIC
from jaxseq.interop.keras_layouts import keras_layers, keras_obstacles
from jaxseq.interop.layer_kinds import FileLayer
from jaxseq.interop.safetensors_files import read_safetensors
from jaxseq.interop.torch_files import read_torch
from jaxseq.interop.torch_layouts import torch_layers
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown

SAFETENSORS, CONFIG = "model.safetensors", "config.json"
"""What a folder of Hugging Face's holds, and one of `jaxseq export`."""
_LARGEST_CONFIG = 2**24


class WeightFile(NamedTuple):
    """What a file holds."""

    layers: list[FileLayer]
    is_ordered: bool
    """Whether the layers stand in the order of the model. If not, those of one kind do."""
    tensors: Mapping[str, NDArray[Any]]
    """By name; none of a file of Keras's."""


def read_weights(path: Path) -> WeightFile:
    """The weights in a file, whose content says of whom it is.

    Raises:
        InputError: it cannot be read, is of none of the three, damaged, or would run something; or a layer of Keras's
            computes what none does here.
    """
    with reading(path), open_regular(path) as stream:
        head = stream.read(16)
        is_keras = head.startswith(MAGIC) or (head.startswith(b"PK\x03\x04") and _holds_config(stream))
    if is_keras:
        found = read_keras(path)
        for layer in found.layers:
            if layer.weights and (said := keras_obstacles(layer)):
                raise InputError(
                    f"{shown(path)}: {shown(layer.name)} has {said}: its weights would compute other things"
                )
        return WeightFile(keras_layers(found), found.is_ordered, {})
    if head[8:9] == b"{":  # behind a length, whose first byte may be any
        tensors = read_safetensors(path)
        return WeightFile(torch_layers(tensors), False, tensors)
    if head.startswith((b"PK\x03\x04", b"\x80")):
        tensors = read_torch(path)
        return WeightFile(torch_layers(tensors), True, tensors)
    raise InputError(
        f"{shown(path)} holds no weights that are read: give a .keras, .weights.h5 or .h5 of Keras's, a state_dict of "
        "PyTorch's, or a .safetensors"
    )


def weights_in(path: Path) -> Path:
    """The file of weights that is meant by a file, or by a folder of Hugging Face's or of `jaxseq export`.

    Raises:
        InputError: the folder has none.
    """
    if not path.is_dir():
        return path
    if not os.path.lexists(path / SAFETENSORS):
        raise InputError(f"{shown(path)} is a folder without {SAFETENSORS}: give the file of weights itself")
    return path / SAFETENSORS


def config_beside(path: Path) -> dict[str, Any]:
    """The config.json beside a file of weights; {} where there is none.

    Raises:
        InputError: it cannot be read, or is none.
    """
    place = path.with_name(CONFIG)
    if not os.path.lexists(place):
        return {}
    try:
        with reading(place), open_regular(place) as stream:
            tree = json.loads(stream.read(_LARGEST_CONFIG))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(place)} is no JSON ({shown(error)}): fetch it again") from error
    return tree if isinstance(tree, dict) else {}


def _holds_config(stream: Any) -> bool:
    """Whether an archive has a model's configuration at its top, as a .keras."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return CONFIG in archive.namelist()
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError):
        return False
