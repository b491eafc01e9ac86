"""The weights in files of Keras's, versions 2 and 3, layer by layer; no code in a file is run, or even decoded.

.keras        a .zip: config.json, the model's configuration; metadata.json; model.weights.h5, as the next
.weights.h5   Keras 3: a group for each layer, "layers/lstm_1/cell/vars/0"; the weights have numbers, and the layers are
              numbered class by class, so that the order of layers of several classes is not in the file
.h5           Keras 2 and 3: a group for each layer with their order (layer_names) and the names of weights
              (weight_names); of a whole model also its configuration

https://keras.io/api/models/model_saving_apis/ and `keras/src/saving/saving_lib.py` describe the first two,
`keras/src/legacy/saving/legacy_h5_format.py` the last.
"""

import io
import json
import mmap
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from numpy.typing import NDArray

from jaxseq.data.archives import zip_streams
from jaxseq.errors import InputError
from jaxseq.interop.keras_hdf5 import MAGIC, Hdf5, open_hdf5
from jaxseq.interop.keras_names import Weight, class_of, names_of, snake_case, standard_names
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""What the group of all layers is called, the second by TensorFlow 2.13."""
_CONFIG, _METADATA, _MEMBER = "config.json", "metadata.json", "model.weights.h5"
_SAVE_IT = "open it with Keras and model.save('model.keras')"
_NO_LAYERS = ("vars", "optimizer", "seed_generator")
_LARGEST_JSON = 2**26


class KerasLayer(NamedTuple):
    """A layer: its name, its class ("" where the file does not say), its configuration ({} where not), its weights.

    A layer of a model within the model has the name "inner/lstm". Weights have Keras's names, as "kernel",
    "recurrent_kernel", "bias", "embeddings", "gamma"; of a bidirectional layer "forward/kernel" and "backward/kernel";
    of several cells or layers in one, by name, "lstm_cell_1/kernel"; and numbers where a file has no other names.
    """

    name: str
    class_name: str
    config: dict[str, Any]
    weights: dict[str, NDArray[Any]]


class KerasWeights(NamedTuple):
    """What a file holds."""

    layers: tuple[KerasLayer, ...]
    """All but the inputs, those without weights too."""
    is_ordered: bool
    """Whether they stand in the order of the model. If not, those of one class do."""
    version: str
    """Of Keras, "" where the file does not say."""


class _Entry(NamedTuple):
    """A layer in the configuration of a model."""

    name: str
    class_name: str
    config: dict[str, Any]

    @property
    def layers(self) -> "list[_Entry]":
        """Those within, where it is a model."""
        return _entries(self.config)


def read_keras(path: str | os.PathLike[str]) -> KerasWeights:
    """The weights of a model that Keras 2 or 3 has saved, as `model.save` or `model.save_weights` writes them.

    Which format it is the content says, not the name. Arrays have the types they have in the file. The optimizer's are
    left out. Configurations come as they are; the code of a Lambda layer in one is a text and remains one.

    Raises:
        InputError: it cannot be read, is damaged, of Keras 1, or no file of Keras's; it leads to other files, or
            unpacks to far more than it is; its configuration and its weights do not belong together; or the library
            h5py is missing.
    """
    path = Path(path)
    place = shown(path)
    if path.is_dir():
        raise InputError(f"{place} is a directory, as a SavedModel or a checkpoint of TensorFlow's: {_SAVE_IT}")
    with reading(path), open_regular(path) as stream:
        head = stream.read(len(MAGIC))
        stream.seek(0)
        if head.startswith(b"PK\x03\x04"):
            return _archive(path, stream)
        if head != MAGIC:
            raise InputError(f"{place} is no file of Keras's, or damaged: give a .keras, .weights.h5 or .h5")
        with (
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
            open_hdf5(place, stream, content) as file,
        ):
            return _hdf5(file, {}, "")


def _archive(path: Path, stream: IO[bytes]) -> KerasWeights:
    place = shown(path)
    try:
        with zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                if name[:1] in ("/", "\\") or ".." in re.split(r"[/\\]", name):
                    raise InputError(
                        f"{place}/{shown(name)} would lie outside the folder it is unpacked to: do not trust this file"
                    )
            contents = {}
            wanted = [name for name in (_CONFIG, _METADATA, _MEMBER) if name in archive.namelist()]
            members = [archive.getinfo(name) for name in wanted]
            for name, (_, content) in zip(wanted, zip_streams(path, archive, members), strict=True):
                contents[name] = content.read(2**62 if name == _MEMBER else _LARGEST_JSON)
    except (ValueError, RuntimeError) as error:  # of zipfile, on places and sizes that cannot be
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} is damaged ({shown(error)}): fetch it again") from error
    for name in (_CONFIG, _MEMBER):
        if name not in contents:
            raise InputError(f"{place} holds no {name}, which every .keras does: {_SAVE_IT}")
    config = _json(f"{place}/{_CONFIG}", contents[_CONFIG])
    version = _json(f"{place}/{_METADATA}", contents.get(_METADATA, b"{}")).get("keras_version")
    weights = contents[_MEMBER]
    with open_hdf5(f"{place}/{_MEMBER}", io.BytesIO(weights), weights) as file:
        return _hdf5(file, config, version if isinstance(version, str) else "")


def _json(place: str, content: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is damaged: it is no JSON ({shown(error)}): fetch the file again") from error
    if not isinstance(found, dict):
        raise InputError(f"{place} is damaged: it is no configuration of a model: fetch the file again")
    return found


def _entries(config: object) -> list[_Entry]:
    """The layers of a model, by its configuration; Keras before 2.2.3 has a list alone for those of a Sequential."""
    listed = config.get("layers") if isinstance(config, dict) else config
    found = []
    for each in listed if isinstance(listed, list) else []:
        inner = each.get("config") if isinstance(each, dict) else None
        if isinstance(inner, list):
            inner = {"layers": inner}
        if isinstance(inner, dict):
            name = inner.get("name", each.get("name", ""))
            found.append(_Entry(str(name), str(each.get("class_name", "")), inner))
    return found


def _hdf5(file: Hdf5, config: dict[str, Any], version: str) -> KerasWeights:
    root = file.root
    group = file.group(root, "model_weights") if "model_weights" in root else root
    version = version or file.text(group, "keras_version") or file.text(root, "keras_version")
    if version.startswith(("0.", "1.")):
        raise InputError(
            f"{file.place} is of Keras {shown(version)}, whose weights are not read: save it with Keras 2 or 3"
        )
    if not config and (described := file.text(root, "model_config")):
        config = _json(f"{file.place}: model_config", described)
    entries = _entries(config.get("config"))
    names = file.texts(group, "layer_names")
    if names is not None:
        layers = _legacy(file, group, names, {entry.name: entry for entry in entries})
    elif not any(name in root for name in (*_CONTAINERS, "vars")):
        raise InputError(f"{file.place} holds no weights of Keras's: {_SAVE_IT}")
    elif entries:
        layers = _configured(file, root, entries, "")
    else:
        layers = _walked(file, root, "")
    found = tuple(layer for layer in layers if layer.class_name != "InputLayer")
    return KerasWeights(found, bool(entries) or names is not None, version)


def _layer(file: Hdf5, entry: _Entry, name: str, weights: Sequence[Weight]) -> KerasLayer:
    named = standard_names(weights)
    if named is None:
        raise InputError(f"{file.place} is damaged: two weights of {shown(name)} have one name: fetch it again")
    return KerasLayer(name, entry.class_name, entry.config, named)


# Of .h5: weights have names.


def _legacy(file: Hdf5, group: Any, names: Sequence[str], entries: Mapping[str, _Entry]) -> Iterator[KerasLayer]:
    beside = "top_level_model_weights"  # of a model of one's own class
    for name in (*names, *((beside,) if beside in group and beside not in names else ())):
        inner = file.group(group, name)
        weights = []
        for weight in file.texts(inner, "weight_names") or ():
            *path, last = re.sub(r":\d+$", "", weight).split("/")
            weights.append(Weight(tuple(path), last, file.array(inner, weight)))
        if name != beside or weights:
            yield from _divided(file, entries.get(name, _Entry(name, "", {})), name, weights)


def _divided(file: Hdf5, entry: _Entry, name: str, weights: Sequence[Weight]) -> Iterator[KerasLayer]:
    """The layers of a model within, each with the weights that lie in what has its name."""
    inner = {each.name: each for each in entry.layers}
    if not inner:
        yield _layer(file, entry, name, weights)
        return
    parts: dict[str, list[Weight]] = {each: [] for each in inner}
    rest = []
    for weight in weights:
        start = weight.path.index(entry.name) + 1 if entry.name in weight.path else 0
        at = next((i for i in range(start, len(weight.path)) if weight.path[i] in inner), None)
        if at is None:
            rest.append(weight)
        else:
            parts[weight.path[at]].append(weight._replace(path=weight.path[at + 1 :]))
    for each in inner.values():
        yield from _divided(file, each, f"{name}/{each.name}", parts[each.name])
    if rest:
        yield _layer(file, entry, name, rest)


# Of .weights.h5: weights have numbers.


def _configured(file: Hdf5, group: Any, entries: Sequence[_Entry], prefix: str) -> Iterator[KerasLayer]:
    """The layers of a model that has a configuration. In the file they are numbered class by class, in this order."""
    container = next((file.group(group, name) for name in _CONTAINERS if name in group), {})
    left = {name for name in container if name != "vars"}
    counts: dict[str, int] = {}
    for entry in entries:
        kind = snake_case(entry.class_name)
        number = counts[kind] = counts.get(kind, -1) + 1
        key, name = f"{kind}_{number}" if number else kind, f"{prefix}{entry.name}"
        if key not in left:  # without weights in older files, or shared with another part of the model
            yield KerasLayer(name, entry.class_name, entry.config, {})
            continue
        left.remove(key)
        inner = file.group(container, key)
        said = _label(file, inner, "")
        if said and said != entry.name:
            raise InputError(
                f"{file.place}: {shown(key)} is {shown(said)} by its weights and {shown(entry.name)} by the model's "
                f"configuration: {_SAVE_IT}"
            )
        if entry.layers:
            yield from _configured(file, inner, entry.layers, f"{name}/")
        else:
            yield _layer(file, entry, name, [*_numbered(file, inner, entry, ())])
    for key in sorted(left):
        if [*_numbered(file, file.group(container, key), _Entry("", "", {}), ())]:
            raise InputError(f"{file.place} has weights of {shown(key)}, which its configuration lacks: {_SAVE_IT}")


def _walked(file: Hdf5, group: Any, prefix: str) -> Iterator[KerasLayer]:
    """The layers in a group that has no configuration: what has variables, and is no model of layers itself."""
    for key in file.names(group):
        if key in _NO_LAYERS:
            continue
        inner = file.group(group, key)
        name = f"{prefix}{_label(file, inner, key)}"
        if "vars" not in inner:
            yield from _walked(file, inner, prefix)
        elif any(container in inner for container in _CONTAINERS):
            yield from _walked(file, inner, f"{name}/")
        else:
            entry = _Entry(name, class_of(key) or class_of(_label(file, inner, key)), {})
            yield _layer(file, entry, name, [*_numbered(file, inner, entry, ())])
    own = _Entry(_label(file, group, ""), "", {})
    if weights := [*_own(file, group, own, ())]:
        yield _layer(file, own, prefix.rstrip("/") or own.name, weights)


def _numbered(file: Hdf5, group: Any, entry: _Entry, path: tuple[str, ...]) -> Iterator[Weight]:
    """The weights of a layer and of what it is made of."""
    yield from _own(file, group, entry, path)
    keys = [key for key in file.names(group) if key not in _NO_LAYERS]
    inner = {key: file.group(group, key) for key in sorted(keys, key=lambda key: key == "backward_layer")}
    labels = {key: _label(file, each, key) for key, each in inner.items()}
    for key, each in inner.items():
        is_alone = [*labels.values()].count(labels[key]) == 1
        within = _within(entry, key, labels[key])
        yield from _numbered(file, each, within, (*path, labels[key] if is_alone else key))


def _own(file: Hdf5, group: Any, entry: _Entry, path: tuple[str, ...]) -> Iterator[Weight]:
    if "vars" in group:
        variables = file.group(group, "vars")
        numbers = file.names(variables)
        for number, name in zip(numbers, names_of(entry.class_name, entry.config, len(numbers)), strict=True):
            yield Weight(path, name, file.array(variables, number))


def _label(file: Hdf5, group: Any, key: str) -> str:
    """The name that a layer was given; files of the first versions of Keras 3 have none."""
    return (file.text(file.group(group, "vars"), "name") if "vars" in group else "") or key


def _within(entry: _Entry, key: str, label: str) -> _Entry:
    """What a layer is made of: a cell, the layer that it wraps, or an attribute of its own."""
    described = entry.config.get(key, entry.config.get("layer") if key in ("forward_layer", "backward_layer") else None)
    if isinstance(described, dict) and isinstance(described.get("config"), dict):
        return _Entry(label, str(described.get("class_name", "")), described["config"])
    if key == "cell":
        # The cells of all layers have the same weights.
        return _Entry(label, class_of(label) or ("LSTMCell" if label == key else ""), {})
    class_name = class_of(key) or class_of(label) or ("Dense" if key.endswith("_dense") else "")
    return _Entry(label, class_name, {})
