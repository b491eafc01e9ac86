"""Files of Keras 2 and of the first versions of Keras 3, made by hand."""

import json

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.interop.keras_files import read_keras

h5py = pytest.importorskip("h5py")

DRAW = np.random.default_rng(0)


def numbers(*shape):
    return DRAW.standard_normal(shape).astype(np.float32)


def refused(path):
    with pytest.raises(InputError) as caught:
        read_keras(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


# Keras 2: keras/engine/saving.py of 2.2.4 and keras/saving/hdf5_format.py of 2.12 write this.


def keras_2(group, layers, *, version=b"2.2.4", chunks=False):
    """Layers {name: {weight name: array}} as Keras 2 writes them to a group."""
    names = np.array([name.encode() for name in layers])
    if chunks:
        for number, part in enumerate(np.array_split(names, 2)):
            group.attrs[f"layer_names{number}"] = part
    else:
        group.attrs["layer_names"] = names
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = version
    for name, weights in layers.items():
        inner = group.create_group(name)
        inner.attrs["weight_names"] = np.array([weight.encode() for weight in weights])
        for weight, array in weights.items():
            inner.create_dataset(weight, data=array)


def cell(prefix, units=2, features=3, gates=4):
    return {
        f"{prefix}/kernel:0": numbers(features, gates * units),
        f"{prefix}/recurrent_kernel:0": numbers(units, gates * units),
        f"{prefix}/bias:0": numbers(gates * units),
    }


CELL = ["kernel", "recurrent_kernel", "bias"]
BOTH = [f"{direction}/{name}" for direction in ("forward", "backward") for name in CELL]
LAYERS = {
    "zeroth": {"zeroth/embeddings:0": numbers(7, 3)},
    "lstm_1": cell("lstm_1"),
    "lstm": cell("lstm/lstm_cell_5"),  # as TensorFlow 2's Keras
    "bidirectional_1": cell("bidirectional_1/forward_gru_1", gates=3) | cell("bidirectional_1/backward_gru_1", gates=3),
    "both": cell("both/forward_lstm/lstm_cell_7") | cell("both/backward_lstm/lstm_cell_8"),
    "dropout_1": {},
    "time_distributed_1": {"time_distributed_1/kernel:0": numbers(3, 2), "time_distributed_1/bias:0": numbers(2)},
    "block/conv": {"block/conv/kernel:0": numbers(3, 3, 1, 2), "block/conv/bias:0": numbers(2)},
    "norm": {f"norm/{name}:0": numbers(3) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
    "rnn": cell("rnn/stacked_rnn_cells/lstm_cell") | cell("rnn/stacked_rnn_cells/gru_cell", gates=3),
}
NAMES = {
    "zeroth": ["embeddings"],
    "lstm_1": CELL,
    "lstm": CELL,
    "bidirectional_1": BOTH,
    "both": BOTH,
    "dropout_1": [],
    "time_distributed_1": ["kernel", "bias"],
    "block/conv": ["kernel", "bias"],
    "norm": ["gamma", "beta", "moving_mean", "moving_variance"],
    "rnn": [f"{each}/{name}" for each in ("lstm_cell", "gru_cell") for name in CELL],
}


def matches(found, layers=LAYERS, names=NAMES):
    assert [layer.name for layer in found.layers] == list(layers)
    for layer in found.layers:
        assert list(layer.weights) == names[layer.name]
        for mine, array in zip(layer.weights.values(), layers[layer.name].values(), strict=True):
            np.testing.assert_array_equal(mine, array)


@pytest.mark.parametrize("chunks", [False, True])
def test_weights_of_keras_2_are_read_in_the_order_of_the_model(tmp_path, chunks):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        keras_2(file, LAYERS, chunks=chunks)
    found = read_keras(tmp_path / "weights.h5")
    matches(found)
    assert (found.is_ordered, found.version) == (True, "2.2.4")
    assert {(layer.class_name, *layer.config) for layer in found.layers} == {("",)}


CLASSES = ("Embedding", "LSTM", "LSTM", "Bidirectional", "Bidirectional", "Dropout", "TimeDistributed", "Conv2D")
CLASSES += ("BatchNormalization", "RNN")


@pytest.mark.parametrize("is_list", [False, True])
def test_a_whole_model_of_keras_2_says_classes_and_configurations(tmp_path, is_list):
    listed = [
        {"class_name": kind, "config": {"name": name, "units": 2}} for name, kind in zip(LAYERS, CLASSES, strict=True)
    ]
    config = {"class_name": "Sequential", "config": listed if is_list else {"name": "sequential", "layers": listed}}
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.12.0"
        keras_2(file.create_group("model_weights"), LAYERS, version=b"2.12.0")
        keras_2(file.create_group("optimizer_weights"), {})
    found = read_keras(tmp_path / "model.h5")
    matches(found)
    assert tuple(layer.class_name for layer in found.layers) == CLASSES
    assert all(layer.config == {"name": layer.name, "units": 2} for layer in found.layers)
    assert found.version == "2.12.0"


def test_a_model_within_a_model_of_keras_2_is_taken_apart_where_its_configuration_is_there(tmp_path):
    weights = cell("within/first/lstm_cell") | {"within/last/kernel:0": numbers(2, 2), "within/last/bias:0": numbers(2)}
    layers = {"input_1": {}, "within": weights, "out": {"out/kernel:0": numbers(2, 1)}}
    inner = [{"class_name": kind, "config": {"name": name}} for name, kind in (("first", "LSTM"), ("last", "Dense"))]
    listed = [
        {"class_name": "InputLayer", "name": "input_1", "config": {"name": "input_1"}},
        {"class_name": "Sequential", "name": "within", "config": {"name": "within", "layers": inner}},
        {"class_name": "Dense", "name": "out", "config": {"name": "out"}},
    ]
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": listed}})
        keras_2(file.create_group("model_weights"), layers)
    apart = {
        "within/first": dict([*weights.items()][:3]),
        "within/last": dict([*weights.items()][3:]),
        "out": layers["out"],
    }
    matches(read_keras(path), apart, {"within/first": CELL, "within/last": ["kernel", "bias"], "out": ["kernel"]})
    with h5py.File(path, "w") as file:
        keras_2(file, layers)
    names = [f"first/{name}" for name in CELL] + ["last/kernel", "last/bias"]
    matches(read_keras(path), layers, {"input_1": [], "within": names, "out": ["kernel"]})


def test_a_file_of_keras_1_is_told(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        keras_2(file, {"lstm_1": {"lstm_1_W_i": numbers(3, 2)}}, version=b"1.2.2")
    assert "is of Keras 1.2.2, whose weights are not read: save it with Keras 2 or 3" in refused(
        tmp_path / "weights.h5"
    )


# The first versions of Keras 3, whose groups have no names beside, and TensorFlow 2.13.


@pytest.mark.parametrize("container", ["layers", "_layer_checkpoint_dependencies"])
def test_files_of_keras_3_without_names_are_read(tmp_path, container):
    arrays = {
        "dense/vars/0": numbers(2, 1),
        "dense/vars/1": numbers(1),
        "lstm/cell/vars/0": numbers(3, 8),
        "lstm/cell/vars/1": numbers(2, 8),
        "lstm/cell/vars/2": numbers(8),
        "lstm/cell/seed_generator/vars/0": np.array([1, 2], np.uint32),
        "bidirectional/backward_layer/cell/vars/0": numbers(2, 2),
        "bidirectional/forward_layer/cell/vars/0": numbers(2, 2),
        "bidirectional/forward_layer/cell/vars/1": numbers(2, 2),
        "bidirectional/backward_layer/cell/vars/1": numbers(2, 2),
    }
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[f"{container}/{name}"] = array
            for owner in ("dense", "lstm", "bidirectional", "bidirectional/forward_layer", "dropout"):
                file.require_group(f"{container}/{owner}/vars")
    found = {layer.name: layer for layer in read_keras(path).layers}
    assert {name: layer.class_name for name, layer in found.items()} == {
        "bidirectional": "Bidirectional",
        "dense": "Dense",
        "dropout": "Dropout",
        "lstm": "LSTM",
    }
    assert list(found["lstm"].weights) == CELL
    both = [f"{direction}_layer" for direction in ("forward", "backward")]
    expected = [arrays[f"bidirectional/{layer}/cell/vars/{number}"] for layer in both for number in (0, 1)]
    assert list(found["bidirectional"].weights) == [name for name in BOTH if "bias" not in name]
    for mine, array in zip(found["bidirectional"].weights.values(), expected, strict=True):
        np.testing.assert_array_equal(mine, array)
    for name in ("dense", "lstm"):
        assert (
            next(iter(found[name].weights.values())).shape == arrays[f"{name}{'/cell' * (name == 'lstm')}/vars/0"].shape
        )
