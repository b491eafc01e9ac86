"""Every kind of layer to Keras and PyTorch and back: the same outputs there, the same bits when they return."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop.keras_files import KerasLayer, KerasWeights
from jaxseq.interop.keras_layouts import from_keras, keras_layers, to_keras
from jaxseq.interop.keras_writing import Layer, write_keras
from jaxseq.interop.layer_kinds import GATES
from jaxseq.interop.layer_matching import ModelLayer, match_layers
from jaxseq.interop.safetensors_files import write_safetensors
from jaxseq.interop.torch_layouts import from_torch, state_dict, to_torch
from jaxseq.interop.torch_writing import write_torch
from jaxseq.interop.weight_files import read_weights
from jaxseq.nn import recurrent
from jaxseq.nn.bidirectional import Bidirectional
from jaxseq.nn.conv import Conv, ConvTranspose
from jaxseq.nn.layers import Dense, LayerNorm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")
pytest.importorskip("safetensors")
# Keras's own, of arrays that NumPy 2 asks another way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BATCH, TIME, DEPTH, FEATURES, ROWS = 2, 5, 3, 4, 6
CELLS = {
    "lstm": recurrent.LSTM(FEATURES),
    "gru": recurrent.GRU(FEATURES),
    "gru_reset_before": recurrent.GRU(FEATURES, reset_after=False),
    "rnn": recurrent.SimpleRNN(FEATURES),
}
BOTH = {f"{kind}_both_ways": kind for kind in ("lstm", "gru")}
KINDS = [*CELLS, *BOTH, "embedding", "dense", "norm", "conv_1d", "conv_2d", "conv_transpose_1d", "conv_transpose_2d"]
every_kind = pytest.mark.parametrize("name", KINDS)


def kind_of(name):
    return BOTH.get(name, name.removesuffix("_1d").removesuffix("_2d"))


def weights_of(name):
    """Weights as they are laid out here, every number another."""
    draw = np.random.default_rng(KINDS.index(name))
    kind, window = kind_of(name), {"1d": (2,), "2d": (2, 3)}.get(name[-2:], ())
    if kind in GATES:
        gates = GATES[kind] * FEATURES
        shapes = {"input_kernel": (DEPTH, gates), "recurrent_kernel": (FEATURES, gates), "bias": (gates,)}
        shapes |= {"recurrent_bias": (gates,)} if kind == "gru" else {}
        if name in BOTH:
            shapes = {f"{side}/{own}": shape for side in ("forward", "backward") for own, shape in shapes.items()}
    else:
        shapes = {
            "embedding": {"table": (ROWS, DEPTH)},
            "norm": {"scale": (DEPTH,), "bias": (DEPTH,)},
        }.get(kind, {"kernel": (*window, DEPTH, FEATURES), "bias": (FEATURES,)})
    return {own: draw.normal(size=shape).astype(np.float32) for own, shape in shapes.items()}


def inputs_of(name):
    draw = np.random.default_rng(0)
    if kind_of(name) == "embedding":
        return draw.integers(0, ROWS, (BATCH, TIME))
    shape = (BATCH, TIME, TIME, DEPTH) if name.endswith("2d") else (BATCH, TIME, DEPTH)
    return draw.normal(size=shape).astype(np.float32)


def ours(name, weights, x, convention="keras"):
    """What the layer of this package makes of x."""
    kind, params = kind_of(name), dict(weights)
    if kind == "embedding":
        return weights["table"][x]
    if name in BOTH:
        layer = Bidirectional(CELLS[kind].clone(parent=None), CELLS[kind].clone(parent=None))
        sides = ("forward", "backward")
        params = {s: {n.removeprefix(f"{s}/"): w for n, w in weights.items() if n.startswith(s)} for s in sides}
    elif kind in GATES:
        layer = CELLS[kind]
    elif kind in ("conv", "conv_transpose"):
        make, options = (Conv, {}) if kind == "conv" else (ConvTranspose, {"stride": 2, "convention": convention})
        layer = make(FEATURES, weights["kernel"].shape[:-2], **options)
    else:
        layer = Dense(FEATURES) if kind == "dense" else LayerNorm()
    found = layer.apply({"params": params}, x)
    return np.asarray(found[0] if isinstance(found, tuple) else found)


def keras_model(name, **options):
    kind, make = kind_of(name), keras.layers
    if kind in GATES:
        cell = {"lstm": make.LSTM, "rnn": make.SimpleRNN}.get(kind, make.GRU)
        options |= {"reset_after": kind == "gru"} if cell is make.GRU else {}
        layer = cell(FEATURES, return_sequences=True, **options)
        layer = make.Bidirectional(layer) if name in BOTH else layer
    elif kind in ("conv", "conv_transpose"):
        window = weights_of(name)["kernel"].shape[:-2]
        classes = {"conv_1d": make.Conv1D, "conv_2d": make.Conv2D, "conv_transpose_1d": make.Conv1DTranspose}
        strides = {"strides": 2} if kind == "conv_transpose" else {}
        layer = classes.get(name, make.Conv2DTranspose)(FEATURES, window, **strides)
    else:
        layer = {"embedding": lambda: make.Embedding(ROWS, DEPTH), "dense": lambda: make.Dense(FEATURES)}.get(
            kind, lambda: make.LayerNormalization(epsilon=1e-5)
        )()
    return keras.Sequential([keras.Input(inputs_of(name).shape[1:]), layer])


def torch_module(name):
    kind, nn = kind_of(name), torch.nn
    if kind in GATES:
        cell = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind]
        return nn.ModuleDict({"rnn": cell(DEPTH, FEATURES, batch_first=True, bidirectional=name in BOTH)})
    if kind in ("conv", "conv_transpose"):
        window = weights_of(name)["kernel"].shape[:-2]
        classes = {"conv_1d": nn.Conv1d, "conv_2d": nn.Conv2d, "conv_transpose_1d": nn.ConvTranspose1d}
        strides = {"stride": 2} if kind == "conv_transpose" else {}
        return nn.ModuleDict({"own": classes.get(name, nn.ConvTranspose2d)(DEPTH, FEATURES, window, **strides)})
    made = {"embedding": lambda: nn.Embedding(ROWS, DEPTH), "dense": lambda: nn.Linear(DEPTH, FEATURES)}
    return nn.ModuleDict({"own": made.get(kind, lambda: nn.LayerNorm(DEPTH))()})


def in_torch(name, modules, x):
    """What PyTorch's layer makes of x; its convolutions have channels before places."""
    (module,) = modules.values()
    given = torch.tensor(x)
    if "conv" not in name:
        found = module(given)
        return (found[0] if isinstance(found, tuple) else found).detach().numpy()
    return module(given.movedim(-1, 1)).movedim(1, -1).detach().numpy()


def read_back(name, path):
    """The weights in a file, by the way that `jaxseq import` takes."""
    weights, file = weights_of(name), read_weights(path)
    wanted = ModelLayer(
        "own", kind_of(name), {own: w.shape for own, w in weights.items()}, {own: own for own in weights}
    )
    return match_layers(str(path), file.layers, [wanted], is_ordered=file.is_ordered)


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for own, array in expected.items():
        np.testing.assert_array_equal(found[own], array, err_msg=own)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@every_kind
def test_a_layout_there_and_back_is_the_same_to_the_bit(name):
    kind, weights = kind_of(name), weights_of(name)
    assert_same_bits(from_keras(kind, to_keras(kind, weights)), weights)
    if kind == "gru_reset_before":
        with pytest.raises(InputError, match="PyTorch has no GRU that resets before"):
            to_torch(kind, weights)
    else:
        assert_same_bits(from_torch(kind, to_torch(kind, weights)), weights)


@given(
    kind=st.sampled_from(sorted(CELLS)),
    depth=st.integers(1, 4),
    width=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    has_bias=st.booleans(),
)
def test_a_layout_from_there_and_back_is_the_same_but_for_sums_and_missing_biases(kind, depth, width, seed, has_bias):
    draw, gates = np.random.default_rng(seed), GATES[kind] * width
    biases = {"bias": (2, gates) if kind == "gru" else (gates,)} if has_bias else {}
    shapes = {"kernel": (depth, gates), "recurrent_kernel": (width, gates), **biases}
    theirs = {name: draw.normal(size=shape) for name, shape in shapes.items()}
    found = to_keras(kind, from_keras(kind, theirs))
    assert_same_bits(found, {"bias": np.zeros_like(found["bias"]), **theirs})
    if kind == "gru_reset_before":
        return
    biases = {"bias_ih": (gates,), "bias_hh": (gates,)} if has_bias else {}
    shapes = {"weight_ih": (gates, depth), "weight_hh": (gates, width), **biases}
    theirs = {name: draw.normal(size=shape) for name, shape in shapes.items()}
    found = to_torch(kind, from_torch(kind, theirs))
    if kind != "gru" and has_bias:
        sums = theirs.pop("bias_ih") + theirs.pop("bias_hh")
        np.testing.assert_array_equal(found["bias_ih"], sums)
        assert not found["bias_hh"].any()
    zeros = {name: np.zeros(gates) for name in ("bias_ih", "bias_hh") if not has_bias}
    kept = {name: array for name, array in found.items() if name in theirs or name in zeros}
    assert_same_bits(kept, theirs | zeros)


@every_kind
def test_keras_computes_the_same_and_gives_back_the_same_bits(name, tmp_path):
    weights, x = weights_of(name), inputs_of(name)
    model = keras_model(name)
    for ending in (".weights.h5", ".h5"):
        write_keras(tmp_path / f"ours{ending}", [Layer("own", kind_of(name), weights)])
        assert_same_bits(read_back(name, tmp_path / f"ours{ending}"), weights)
        model.set_weights([np.zeros_like(array) for array in model.get_weights()])
        model.load_weights(tmp_path / f"ours{ending}")
        assert all(array.any() for array in model.get_weights())
    close(ours(name, weights, x), keras.ops.convert_to_numpy(model(x)))
    model.save(tmp_path / "theirs.keras")
    model.save_weights(tmp_path / "theirs.weights.h5")
    for written in ("theirs.keras", "theirs.weights.h5"):
        assert_same_bits(read_back(name, tmp_path / written), weights)


@pytest.mark.parametrize("name", [name for name in KINDS if kind_of(name) != "gru_reset_before"])
def test_pytorch_computes_the_same_and_gives_back_the_same_bits(name, tmp_path):
    weights, x, modules = weights_of(name), inputs_of(name), torch_module(name)
    write_torch(tmp_path / "ours.pt", state_dict([("own", kind_of(name), weights)]))
    assert_same_bits(read_back(name, tmp_path / "ours.pt"), weights)
    modules.load_state_dict(torch.load(tmp_path / "ours.pt", weights_only=True))
    close(ours(name, weights, x, convention="pytorch"), in_torch(name, modules, x))
    torch.save(modules.state_dict(), tmp_path / "theirs.pt")
    assert_same_bits(read_back(name, tmp_path / "theirs.pt"), weights)
    tensors = {own: tensor.numpy() for own, tensor in modules.state_dict().items()}
    write_safetensors(tmp_path / "theirs.safetensors", tensors)
    assert_same_bits(read_back(name, tmp_path / "theirs.safetensors"), weights)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_two_biases_of_pytorch_are_their_sum_where_they_only_add_up(kind):
    (module,) = torch_module(kind).values()
    theirs = {own.removesuffix("_l0"): tensor.numpy() for own, tensor in module.state_dict().items()}
    weights, x = from_torch(kind, theirs), inputs_of(kind)
    close(ours(kind, weights, x), module(torch.tensor(x))[0].detach().numpy())
    again = to_torch(kind, weights)
    if kind == "gru":
        assert_same_bits(again, theirs)
    else:
        np.testing.assert_array_equal(again["bias_ih"], theirs["bias_ih"] + theirs["bias_hh"])
        assert not again["bias_hh"].any()


def test_gates_of_kerass_gru_are_reordered_in_both_layouts_of_its_bias():
    """keras#8720, keras#15915: update, reset, candidate there; reset, update, candidate here."""
    gates = np.repeat([[1.0, 2.0, 3.0]], 2, axis=0).repeat(2, axis=1)  # update, reset, candidate of two units
    theirs = {"kernel": gates, "recurrent_kernel": gates * 10, "bias": np.stack([gates[0], gates[0] * 100])}
    found = from_keras("gru", theirs)
    np.testing.assert_array_equal(found["input_kernel"][0], [2, 2, 1, 1, 3, 3])
    np.testing.assert_array_equal(found["recurrent_kernel"][0], [20, 20, 10, 10, 30, 30])
    np.testing.assert_array_equal(found["bias"], [2, 2, 1, 1, 3, 3])
    np.testing.assert_array_equal(found["recurrent_bias"], [200, 200, 100, 100, 300, 300])
    before = from_keras("gru_reset_before", {**theirs, "bias": gates[0]})
    assert set(before) == {"input_kernel", "recurrent_kernel", "bias"}
    np.testing.assert_array_equal(before["bias"], [2, 2, 1, 1, 3, 3])


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_reset_before", "rnn", "dense", "conv"])
def test_a_layer_without_a_bias_has_one_of_zeros(kind):
    weights = weights_of("conv_2d" if kind == "conv" else kind)
    for there, back in ((to_keras, from_keras), (to_torch, from_torch)):
        if (kind, there) == ("gru_reset_before", to_torch):
            continue
        without = {own: array for own, array in there(kind, weights).items() if "bias" not in own}
        found = back(kind, without)
        assert_same_bits(found, {own: np.zeros_like(w) if "bias" in own else w for own, w in weights.items()})


def test_the_same_weights_make_the_same_file_of_pytorchs_and_tied_ones_stay_tied(tmp_path):
    table = weights_of("embedding")["table"]
    tensors = {
        "embedding.weight": table,
        "head.weight": table,
        "turned": table.T,
        "none": table[:0],
        "one": table[0, 0],
    }
    tensors["one"] = np.asarray(tensors["one"])
    for written in ("one.pt", "two.pt"):
        write_torch(tmp_path / written, tensors)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    found = torch.load(tmp_path / "one.pt", weights_only=True)
    assert list(found) == list(tensors)
    assert found["embedding.weight"].data_ptr() == found["head.weight"].data_ptr()
    for own, array in tensors.items():
        np.testing.assert_array_equal(found[own].numpy(), array)
    with pytest.raises(InputError, match="a is complex64, which is none of"):
        write_torch(tmp_path / "three.pt", {"a": np.zeros(1, np.complex64)})
    assert not (tmp_path / "three.pt").exists()


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "gru_both_ways"])
@pytest.mark.parametrize("part", ["kernel", "recurrent_kernel", "bias"])
def test_shapes_that_are_those_of_no_layer_are_one_line(name, part):
    """Files that someone has changed: each weight in turn is a vector of five numbers, and a number."""
    weights = weights_of(name)
    for changed in (np.ones(5, np.float32), np.ones((), np.float32)):
        for own in [own for own in weights if own.endswith(part)]:
            broken = {**to_keras(kind_of(name), weights), own.replace("input_kernel", "kernel"): changed}
            file = KerasWeights((KerasLayer("own", "", {}, broken),), True, "")
            wanted = ModelLayer("own", kind_of(name), {o: w.shape for o, w in weights.items()}, {o: o for o in weights})
            with pytest.raises(InputError) as caught:
                match_layers("a.keras", keras_layers(file), [wanted], is_ordered=True)
            assert "\n" not in str(caught.value)
