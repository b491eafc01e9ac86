"""Files of Keras's, against what Keras 3 says of its layers; the layout of Keras 2 made by hand."""

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.interop.keras_files import read_keras

h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")
# Keras's own, of arrays that NumPy 2 asks another way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def refused(path):
    with pytest.raises(InputError) as caught:
        read_keras(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def layers_of(model, prefix=""):
    """Name and layer of all that compute, those of models within too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer, f"{prefix}{layer.name}/")
        elif not isinstance(layer, keras.layers.InputLayer):
            yield f"{prefix}{layer.name}", layer


def recurrent_model():
    make = keras.layers
    return keras.Sequential(
        [
            keras.Input((5,)),
            make.Embedding(7, 4, mask_zero=True),
            make.LSTM(3, return_sequences=True, dropout=0.2, name="first"),
            make.GRU(3, return_sequences=True, reset_after=True),
            make.GRU(2, return_sequences=True, reset_after=False),
            make.LSTM(2, return_sequences=True, use_bias=False),
            make.Bidirectional(make.GRU(2, return_sequences=True)),
            make.Dropout(0.1),
            make.Bidirectional(make.LSTM(2, return_sequences=True), merge_mode="sum", name="both"),
            make.Bidirectional(make.SimpleRNN(2, return_sequences=True, name="mine")),
            make.TimeDistributed(make.Dense(3, use_bias=False)),
            make.TimeDistributed(make.Dense(3, name="inner")),
            make.RNN([make.LSTMCell(2), make.LSTMCell(3), make.GRUCell(2)], return_sequences=True),
            make.RNN(make.SimpleRNNCell(2), return_sequences=True),
            make.SimpleRNN(2),
            make.Dense(2, name="out"),
        ],
        name="tagger",
    )


def picture_model():
    make = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            make.Conv2D(2, 3),
            make.Conv2DTranspose(2, 3, use_bias=False),
            make.DepthwiseConv2D(3),
            make.SeparableConv2D(3, 2),
            make.BatchNormalization(),
            make.BatchNormalization(scale=False),
            make.LayerNormalization(),
            make.LayerNormalization(center=False),
            make.LayerNormalization(scale=False),
            make.Flatten(),
            make.PReLU(),
            *(make.Dense(2) for _ in range(12)),
        ]
    )


def nested_model():
    make = keras.layers
    shared = make.Embedding(7, 4, name="shared")
    within = keras.Sequential([keras.Input((None, 4)), make.LSTM(3, return_sequences=True), make.GRU(3)], name="within")
    encoder = keras.Sequential([keras.Input((None, 4)), within, make.Dense(2, name="dense_in")], name="encoder")
    one, two = keras.Input((5,), name="z"), keras.Input((6,), name="a")
    both = make.Concatenate()([encoder(shared(one)), encoder(shared(two))])
    return keras.Model([one, two], make.Dense(1, name="out")(both))


def attention_model():
    make = keras.layers
    inputs = keras.Input((5, 8))
    return keras.Model(inputs, make.LayerNormalization()(make.MultiHeadAttention(2, 4)(inputs, inputs)))


BUILDERS = (recurrent_model, picture_model, nested_model, attention_model)
ENDINGS = (".keras", ".h5", ".weights.h5")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Each model with numbers of its own, and its three files."""
    folder, draw, found = tmp_path_factory.mktemp("keras"), np.random.default_rng(0), {}
    for build in BUILDERS:
        keras.utils.clear_session()  # which counts the names of layers from nought
        model = build()
        model.set_weights([draw.standard_normal(array.shape) for array in model.get_weights()])
        model.compile("adam", "mse")
        for ending in ENDINGS:
            path = folder / f"{build.__name__}{ending}"
            (model.save_weights if ending == ".weights.h5" else model.save)(path)
        found[build.__name__] = model, folder
    return found


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", [build.__name__ for build in BUILDERS])
def test_every_array_is_that_of_its_layer(saved, name, ending):
    model, folder = saved[name]
    found = read_keras(folder / f"{name}{ending}")
    expected = dict(layers_of(model))
    names = [layer.name for layer in found.layers]
    assert sorted(names) == sorted(expected)
    if ending == ".weights.h5":
        assert (found.is_ordered, found.version) == (False, "")
    else:
        assert (found.is_ordered, found.version) == (True, keras.__version__)
        assert names == list(expected)
    for layer in found.layers:
        theirs = expected[layer.name]
        assert layer.class_name == type(theirs).__name__
        if ending != ".weights.h5":
            assert layer.config["name"] == theirs.name
        arrays = theirs.get_weights()
        assert len(layer.weights) == len(arrays)
        ours = list(layer.weights.values())
        if layer.class_name in ("MultiHeadAttention", "RNN"):  # their parts are sorted by name
            ours, arrays = (sorted(each, key=lambda array: array.ravel()[0]) for each in (ours, arrays))
        for mine, other in zip(ours, arrays, strict=True):
            assert mine.dtype == other.dtype
            np.testing.assert_array_equal(mine, other)


CELL = ["kernel", "recurrent_kernel", "bias"]
BOTH = [f"{direction}/{name}" for direction in ("forward", "backward") for name in CELL]
NAMES = {
    "recurrent_model": {
        "embedding": ["embeddings"],
        "first": CELL,
        "gru": CELL,
        "gru_1": CELL,
        "lstm": CELL[:2],
        "bidirectional": BOTH,
        "dropout": [],
        "both": BOTH,
        "bidirectional_1": BOTH,
        "time_distributed": ["kernel"],
        "time_distributed_1": ["kernel", "bias"],
        "rnn": [f"{cell}/{name}" for cell in ("lstm_cell", "lstm_cell_1", "gru_cell") for name in CELL],
        "rnn_1": CELL,
        "simple_rnn": CELL,
        "out": ["kernel", "bias"],
    },
    "picture_model": {
        "conv2d": ["kernel", "bias"],
        "conv2d_transpose": ["kernel"],
        "depthwise_conv2d": ["kernel", "bias"],
        "separable_conv2d": ["depthwise_kernel", "pointwise_kernel", "bias"],
        "batch_normalization": ["gamma", "beta", "moving_mean", "moving_variance"],
        "batch_normalization_1": ["beta", "moving_mean", "moving_variance"],
        "layer_normalization": ["gamma", "beta"],
        "layer_normalization_1": ["gamma"],
        "layer_normalization_2": ["beta"],
        "p_re_lu": ["alpha"],
    },
    "attention_model": {
        "multi_head_attention": [
            f"{part}/{name}" for part in ("query", "key", "value", "attention_output") for name in ("kernel", "bias")
        ],
    },
}
NUMBERED = {
    "time_distributed_1": ["0", "1"],  # of a layer with a name of its own
    "batch_normalization_1": ["0", "1", "2"],
    "layer_normalization_1": ["0"],
    "layer_normalization_2": ["0"],
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_weights_have_their_standard_names_and_numbers_where_the_file_does_not_say(saved, name, ending):
    found = {layer.name: list(layer.weights) for layer in read_keras(saved[name][1] / f"{name}{ending}").layers}
    for layer, expected in NAMES[name].items():
        if ending == ".weights.h5":
            assert sorted(found[layer]) == sorted(NUMBERED.get(layer, expected))
        else:
            assert sorted(found[layer]) == sorted(expected)


def test_weights_are_found_by_name_alone(saved):
    model, folder = saved["recurrent_model"]
    for ending in ENDINGS:
        found = {layer.name: layer.weights for layer in read_keras(folder / f"recurrent_model{ending}").layers}
        both = model.get_layer("both")
        np.testing.assert_array_equal(found["both"]["backward/bias"], both.backward_layer.cell.bias)
        np.testing.assert_array_equal(found["both"]["forward/kernel"], both.forward_layer.cell.kernel)
        cells = model.get_layer("rnn").cell.cells
        np.testing.assert_array_equal(found["rnn"]["lstm_cell_1/recurrent_kernel"], cells[1].recurrent_kernel)
        np.testing.assert_array_equal(found["rnn"]["gru_cell/bias"], cells[2].bias)


def test_names_given_twice_are_no_trouble(tmp_path):
    make = keras.layers
    inner = keras.Sequential([keras.Input((None, 3)), make.LSTM(2, name="outer"), make.Dense(2)], name="inner")
    cells = [make.LSTMCell(3, name="cell"), make.LSTMCell(3, name="cell")]
    model = keras.Sequential([keras.Input((4, 2)), make.RNN(cells, return_sequences=True), inner], name="outer")
    for ending in (".keras", ".weights.h5"):
        path = tmp_path / f"model{ending}"
        (model.save_weights if ending == ".weights.h5" else model.save)(path)
        found = {layer.name: layer.weights for layer in read_keras(path).layers}
        for number, name in enumerate(("lstm_cell", "lstm_cell_1")):
            expected = model.layers[0].cell.cells[number].kernel
            np.testing.assert_array_equal(found[model.layers[0].name][f"{name}/kernel"], expected)
    model = keras.Sequential([keras.Input((4, 3)), inner], name="outer")
    model.save(tmp_path / "model.h5")
    found = {layer.name: list(layer.weights) for layer in read_keras(tmp_path / "model.h5").layers}
    assert list(found.values()) == [CELL, ["kernel", "bias"]]


def test_configurations_say_what_weights_do_not(saved):
    for ending in (".keras", ".h5"):
        found = {
            layer.name: layer.config
            for layer in read_keras(saved["recurrent_model"][1] / f"recurrent_model{ending}").layers
        }
        assert (found["gru"]["reset_after"], found["gru_1"]["reset_after"]) == (True, False)
        assert found["embedding"]["mask_zero"]
        assert found["both"]["merge_mode"] == "sum"
        assert found["bidirectional"]["layer"]["class_name"] == "GRU"


def test_a_trained_model_has_no_more_layers(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="mixed_bfloat16")])
    model.compile("adam", "mse", metrics=["accuracy"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    for ending in ENDINGS:
        path = tmp_path / f"model{ending}"
        (model.save_weights if ending == ".weights.h5" else model.save)(path)
        (layer,) = read_keras(path).layers
        np.testing.assert_array_equal(layer.weights["kernel"], model.layers[0].kernel)


def test_a_model_of_ones_own_class_is_read_by_the_names_of_its_attributes(tmp_path):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.emb = keras.layers.Embedding(7, 4)
            self.stack = [keras.layers.LSTM(3, return_sequences=True), keras.layers.LSTM(2, name="last")]
            self.out = keras.layers.Dense(2)
            self.scale = self.add_weight(shape=(2,), name="scale")

        def call(self, inputs):
            hidden = self.emb(inputs)
            for layer in self.stack:
                hidden = layer(hidden)
            return self.out(hidden) * self.scale

    keras.utils.clear_session()
    model = Own()
    model(np.zeros((1, 5), int))
    model.save_weights(tmp_path / "model.weights.h5")
    model.save(tmp_path / "model.keras")
    for name in ("model.weights.h5", "model.keras"):
        found = {layer.name: layer for layer in read_keras(tmp_path / name).layers}
        assert {layer.name: layer.class_name for layer in found.values()} == {
            "embedding": "Embedding",
            "lstm": "LSTM",
            "last": "LSTM",
            "dense": "Dense",
            "own": "",
        }
        np.testing.assert_array_equal(found["embedding"].weights["embeddings"], model.emb.embeddings)
        np.testing.assert_array_equal(found["last"].weights["recurrent_kernel"], model.stack[1].cell.recurrent_kernel)
        np.testing.assert_array_equal(found["own"].weights["0"], model.scale)


def test_numbers_of_16_bits_come_as_they_are(tmp_path):
    for kind in ("bfloat16", "float16"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=kind)])
        model.save_weights(tmp_path / "model.weights.h5")
        (layer,) = read_keras(tmp_path / "model.weights.h5").layers
        assert layer.weights["kernel"].dtype.name == kind
        np.testing.assert_array_equal(layer.weights["kernel"], np.asarray(model.layers[0].kernel))
