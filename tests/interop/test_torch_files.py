"""Files of PyTorch's read without it, against torch.load(weights_only=True)."""

import math
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_by_hand import FLOATS, archive, state, storage, tensor

from jaxseq.errors import InputError
from jaxseq.interop.safetensors_files import read_safetensors, write_safetensors
from jaxseq.interop.torch_files import read_torch

torch = pytest.importorskip("torch")

TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16")
TYPES += ("float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2")


def refused(path):
    with pytest.raises(InputError) as caught:
        read_torch(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def in_bytes(value):
    """A tensor's type, shape and bytes, row by row."""
    dtype = str(value.dtype).removeprefix("torch.")
    return dtype, tuple(value.shape), bytes(value.clone(memory_format=torch.contiguous_format).untyped_storage())


def same(found, tensors):
    assert list(found) == list(tensors)
    for name, value in tensors.items():
        assert (found[name].dtype.name, found[name].shape, found[name].tobytes()) == in_bytes(value.detach())
        assert not found[name].flags.writeable


@st.composite
def tensors(draw):
    """One of any type and shape, transposed, cut, expanded or as it is."""
    dtype = getattr(torch, draw(st.sampled_from(TYPES)))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    count = math.prod(shape)
    content = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, 16 * (count + 1), np.uint8)
    values = torch.from_numpy(content > 127 if dtype == torch.bool else content).view(dtype)[:count].reshape(shape)
    for how in draw(st.lists(st.sampled_from(["turn", "cut", "step", "expand", "row"]), max_size=3)):
        if how == "expand":
            values = values.unsqueeze(0).expand(3, *values.shape)
        elif values.ndim and values.shape[0]:
            if how == "turn":
                values = values.transpose(0, -1)
            else:
                values = {"cut": values[1:], "step": values[::2], "row": values[-1]}[how]
    return torch.nn.Parameter(values) if dtype == torch.float32 and draw(st.booleans()) else values


@given(st.dictionaries(st.text(max_size=8), tensors(), min_size=1, max_size=5), st.sampled_from([2, 3, 4, 5]))
def test_random_state_dicts_are_read_as_torch_reads_them(tmp_path_factory, drawn, protocol):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    for name, value in [*drawn.items()]:
        drawn[f"{name} tied"] = value
        drawn[f"{name} view"] = value.detach()[..., None]
    torch.save(OrderedDict(drawn), path, pickle_protocol=protocol)
    theirs = torch.load(path, weights_only=True) if protocol == 2 else drawn
    same(read_torch(path), theirs)


MODULES = {
    "LSTM": lambda: torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "projected LSTM": lambda: torch.nn.LSTM(3, 4, proj_size=2),
    "GRU": lambda: torch.nn.GRU(3, 4, bias=False),
    "Embedding": lambda: torch.nn.Embedding(9, 4, padding_idx=0),
    "Conv2d": lambda: torch.nn.Conv2d(3, 4, 5).to(memory_format=torch.channels_last),
    "BatchNorm": lambda: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)),
    "Transformer": lambda: torch.nn.TransformerEncoderLayer(8, 2, 16).half(),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_of_pytorch_are_read(tmp_path, name):
    module = MODULES[name]()
    torch.save(module.state_dict(), tmp_path / "model.pt")
    same(read_torch(tmp_path / "model.pt"), module.state_dict())
    torch.save({"model": module.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    same(read_torch(tmp_path / "model.pt"), module.state_dict())


def test_tied_weights_are_one_memory_and_go_on_as_such(tmp_path):
    from safetensors.numpy import load_file

    table = torch.nn.Embedding(50, 8)
    torch.save({"in": table.weight, "out": table.weight, "turned": table.weight.T}, tmp_path / "model.pt")
    found = read_torch(tmp_path / "model.pt")
    assert np.shares_memory(found["in"], found["out"])
    assert np.shares_memory(found["in"], found["turned"])
    write_safetensors(tmp_path / "a.safetensors", found)
    assert set(load_file(tmp_path / "a.safetensors")) == {"in", "turned"}
    same_again = read_safetensors(tmp_path / "a.safetensors")
    for name, array in found.items():
        np.testing.assert_array_equal(same_again[name], array)


def trained():
    """A module, and an optimizer that has made a step."""
    module = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return module.state_dict(), optimizer.state_dict()


WEIGHTS, STATES = trained()
MORE = {"epoch": 3, "loss": 0.25, "rng": torch.get_rng_state(), "optimizer": STATES, "args": ["a", (1, None, True)]}
CHECKPOINTS = {
    "one by its name": ({**MORE, "state_dict": WEIGHTS}, WEIGHTS),
    "the first of two names": ({"model": {"a": torch.ones(1)}, "state_dict": WEIGHTS}, WEIGHTS),
    "tensors beside other things": ({**WEIGHTS, "version": 1, "optimizer": STATES}, WEIGHTS),
    "several by other names": (
        {"encoder": WEIGHTS, "decoder": WEIGHTS, "optimizer": STATES},
        {f"{part}.{name}": tensor for part in ("encoder", "decoder") for name, tensor in WEIGHTS.items()},
    ),
    "an empty one by the name": ({"state_dict": {}, "net": WEIGHTS}, {f"net.{n}": t for n, t in WEIGHTS.items()}),
}


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_of_a_checkpoint_it_is_the_state_dict(tmp_path, what):
    content, expected = CHECKPOINTS[what]
    torch.save(content, tmp_path / "model.pt")
    same(read_torch(tmp_path / "model.pt"), expected)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.ones(3), "holds one tensor, no tensors by name"),
        ([torch.ones(3)], "holds a list, no tensors by name"),
        ({"optimizer": STATES}, "holds no tensors by name"),
        ({}, "holds no tensors by name"),
        ({0: torch.ones(3)}, "holds no tensors by name"),
        ({(0, 1): torch.ones(3)}, "keys that are neither texts nor numbers"),
        ({"a": torch.ones(3, dtype=torch.complex64).conj()}, "the conjugate or the negative of its numbers"),
        ({"a": torch.ones(3, device="meta")}, "would run torch._utils._rebuild_meta_tensor_no_storage"),
        ({"a": torch.ones(3).to_sparse()}, "would run torch._utils._rebuild_sparse_tensor"),
        ({"a": np.ones(3), "b": torch.ones(3)}, "would run numpy._core.multiarray._reconstruct"),
        (torch.nn.Linear(2, 3), "would run torch.nn.modules.linear.Linear"),
        ({"a": torch.ones(1).expand(10**9)}, "repeats 1 numbers to 1,000,000,000: save what it repeats instead"),
    ],
)
def test_what_is_no_state_dict_is_told(tmp_path, content, told):
    torch.save(content, tmp_path / "model.pt")
    assert told in refused(tmp_path / "model.pt")


def test_the_former_format_and_plain_pickles_are_told(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)
    assert "write it anew with PyTorch, torch.save(torch.load('model.pt', weights_only=True), FILE)" in refused(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    assert "is a pickle, which can run anything, and is not read" in refused(path)
    archive(path, pickle.dumps({}, 2), {"constants.pkl": pickle.dumps((), 2), "code/a.py": b""})
    assert "is a TorchScript program" in refused(path)


def test_a_file_made_by_hand_is_read_in_either_order_of_bytes(tmp_path):
    path = archive(tmp_path / "model.pt", state())
    np.testing.assert_array_equal(read_torch(path)["w"], FLOATS.reshape(2, 3))
    archive(path, state(), {"byteorder": b"big", "data/0": FLOATS.astype(">f4").tobytes()})
    np.testing.assert_array_equal(read_torch(path)["w"], FLOATS.reshape(2, 3))
    np.testing.assert_array_equal(torch.load(path, weights_only=True)["w"], FLOATS.reshape(2, 3))
    numbers = FLOATS[:2].astype(np.complex64) * 1j
    content = state(tensor((2,), (1,), of=storage("torch ComplexFloatStorage", count=2)))
    archive(path, content, {"byteorder": b"big", "data/0": numbers.astype(">c8").tobytes()})
    np.testing.assert_array_equal(read_torch(path)["w"], numbers)
    archive(path, state(), {"byteorder": None})
    np.testing.assert_array_equal(read_torch(path)["w"], FLOATS.reshape(2, 3))


def test_what_cannot_be_read_is_told(tmp_path):
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none")
    assert "cannot be read (it is a directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be read (it is a named pipe" in refused(tmp_path / "pipe")
