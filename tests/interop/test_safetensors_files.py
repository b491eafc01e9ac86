"""Arrays in .safetensors files, against the library itself, with PyTorch as a second reader and writer."""

import json
import os
import struct
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxseq.errors import InputError
from jaxseq.interop.safetensors_files import read_safetensors, write_safetensors

pytest.importorskip("safetensors")

TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32")
TYPES += ("float64", ">f4", ">i8", ">f2")
ARRAYS = hnp.arrays(st.sampled_from(TYPES).map(np.dtype), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda name: name != "__metadata__")


def refused(action, *args, **options):
    with pytest.raises(InputError) as caught:
        action(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(found, expected):
    """Values, shapes and types, whatever the order of bytes in memory."""
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype.newbyteorder("="))
    assert found.tobytes() == np.ascontiguousarray(expected).astype(found.dtype).tobytes()


def rearranged(array, how):
    """The same kind of array in another order of memory."""
    if how == "transposed":
        return array.T
    if how == "reversed" and array.ndim:
        return array[::-1]
    if how == "cut" and array.ndim:
        return array[..., ::2]
    if how == "repeated":
        return np.broadcast_to(array, (3, *array.shape))
    if how == "column by column":
        return np.asfortranarray(array) if array.ndim else array
    return array


HOW = ("as it is", "transposed", "reversed", "cut", "repeated", "column by column")


@given(st.dictionaries(NAMES, st.tuples(ARRAYS, st.sampled_from(HOW)), max_size=4))
def test_arrays_in_any_order_of_memory_come_back_and_the_library_reads_the_same(tmp_path_factory, drawn):
    from safetensors.numpy import load_file

    tensors = {name: rearranged(array, how) for name, (array, how) in drawn.items()}
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    write_safetensors(path, tensors)
    found, theirs = read_safetensors(path), load_file(path)
    assert list(found) == sorted(tensors)
    assert theirs.keys() == tensors.keys()
    for name, array in tensors.items():
        same(found[name], array)
        same(theirs[name], array)


def test_half_precision_and_bfloat16_stay_what_they_are_and_pytorch_reads_them(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    path = tmp_path / "a.safetensors"
    numbers = np.random.default_rng(0).standard_normal((3, 5))
    tensors = {kind: numbers.astype(kind) for kind in (ml_dtypes.bfloat16, np.float16)}
    tensors = {array.dtype.name: array.T for array in tensors.values()}
    write_safetensors(path, tensors)
    found, theirs = read_safetensors(path), load_file(path)
    for name, array in tensors.items():
        same(found[name], array)
        assert theirs[name].dtype == getattr(torch, name)
        np.testing.assert_array_equal(theirs[name].float().numpy(), array.astype(np.float32))


def test_tied_arrays_are_stored_once_and_come_back_under_both_names(tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "a.safetensors"
    table = np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32)
    write_safetensors(path, {"in": table, "out": table, "view": table[:], "turned": table.T, "part": table[:50]})
    assert set(load_file(path)) == {"in", "turned", "part"}
    found = read_safetensors(path)
    assert found["in"] is found["out"] is found["view"]
    np.testing.assert_array_equal(found["turned"], table.T)
    np.testing.assert_array_equal(found["part"], table[:50])
    first = path.read_bytes()
    write_safetensors(path, found)
    assert set(load_file(path)) == {"in", "turned", "part"}
    assert path.stat().st_size == len(first)


def test_equal_arrays_and_empty_ones_are_not_tied(tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "a.safetensors"
    empty = np.zeros((0, 3), np.float32)
    write_safetensors(path, {"a": np.ones(3), "b": np.ones(3), "c": empty, "d": empty, "format": np.ones(3)})
    assert set(load_file(path)) == {"a", "b", "c", "d", "format"}


def test_arrays_of_jax_are_taken_as_they_are(tmp_path):
    jnp = pytest.importorskip("jax.numpy")
    from safetensors.numpy import load_file

    table = jnp.arange(6, dtype=jnp.bfloat16).reshape(2, 3)
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"in": table, "out": table})
    assert len(load_file(path)) == 1
    same(read_safetensors(path)["out"], np.asarray(table))


def test_a_tied_model_of_pytorch_goes_in_and_out(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_model, save_model

    def model():
        net = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7, bias=False))
        net[1].weight = net[0].weight
        return net

    theirs, ours = tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors"
    first, second = model(), model()
    save_model(first, str(theirs))
    found = read_safetensors(theirs)
    assert found["0.weight"] is found["1.weight"]
    write_safetensors(ours, found)
    load_model(second, str(ours))
    assert torch.equal(first[0].weight, second[1].weight)


def test_metadata_is_kept_and_the_same_content_is_the_same_file(tmp_path):
    from safetensors import safe_open

    said = {f"key {i}": f"값 {i}" for i in range(9)} | {"format": "a"}
    tensors = {"a": np.ones(3), "b": np.ones((2, 2), np.float16)}
    contents = set()
    for number in range(4):
        write_safetensors(tmp_path / f"{number}.safetensors", tensors, metadata=said)
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1
    with safe_open(tmp_path / "0.safetensors", "numpy") as file:
        assert file.metadata() == said
    assert set(read_safetensors(tmp_path / "0.safetensors")) == {"a", "b"}  # "format" names no tied array


@pytest.mark.parametrize("said", [{"c": "a"}, {"b": "anything"}])
def test_metadata_that_would_be_read_as_tied_is_refused(tmp_path, said):
    array = np.ones(3)
    told = refused(write_safetensors, tmp_path / "a.safetensors", {"a": array, "b": array}, metadata=said)
    assert told.endswith("of its metadata would be read as the name of a tied array: call it otherwise")


OTHERS = (np.ones(2, complex), np.array(["a"]), np.array([None]), np.ones(2, np.longdouble))


@pytest.mark.parametrize("array", [*OTHERS, np.ones(2, ml_dtypes.float8_e4m3fn)])
def test_what_the_format_does_not_hold_is_told_and_the_old_file_stays(tmp_path, array):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    told = refused(write_safetensors, path, {"good": np.ones(3), "bad": array})
    assert f"cannot be written: bad is {array.dtype}, which a .safetensors does not hold" in told
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": np.ones(3)})

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "the disk is full" in refused(write_safetensors, path, {"a": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a.safetensors"]
    np.testing.assert_array_equal(read_safetensors(path)["a"], np.ones(3))
    assert "its directory is not there" in refused(write_safetensors, tmp_path / "none" / "a", {"a": np.ones(3)})


def raw(header, data=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
DAMAGED = {
    "empty": b"",
    "short": b"abc",
    "longer header than file": struct.pack("<Q", 2**60) + b"{}",
    "no JSON": raw(b"{x"),
    "a list": raw(b"[]"),
    "deep": raw(b'{"a":' * 100_000),
    "overlapping": raw({"a": ONE, "b": ONE}, bytes(4)),
    "overlapping in part": raw({"a": ONE | {"data_offsets": [0, 4]}, "b": ONE | {"data_offsets": [2, 6]}}, bytes(6)),
    "with a hole": raw({"a": ONE | {"data_offsets": [4, 8]}}, bytes(8)),
    "cut": raw({"a": ONE}, bytes(3)),
    "with more behind": raw({"a": ONE}, bytes(9)),
    "of another size": raw({"a": ONE | {"shape": [2]}}, bytes(4)),
    "too large to count": raw({"a": ONE | {"shape": [2**63, 2]}}, bytes(4)),
    "negative": raw({"a": ONE | {"data_offsets": [-4, 0]}}, bytes(4)),
    "of an unknown type": raw({"a": ONE | {"dtype": "X32"}}, bytes(4)),
    "with numbers for metadata": raw({"__metadata__": {"a": 1}}),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damage_is_one_line(tmp_path, what):
    path = tmp_path / "a.safetensors"
    path.write_bytes(DAMAGED[what])
    told = refused(read_safetensors, path)
    assert told.startswith(f"{path} is damaged, or no .safetensors (")
    assert told.endswith("): fetch it again")


@pytest.mark.parametrize(
    ("kind", "shape", "size"), [("F32", [2**62, 0], 0), ("F32", [1] * 100, 4), ("F8_E4M3", [2], 2)]
)
def test_what_numpy_has_not_is_told_by_name(tmp_path, kind, shape, size):
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw({"w": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}, bytes(size)))
    try:
        assert read_safetensors(path)["w"].shape == tuple(shape)
    except InputError as error:
        told = str(error)
        assert told.startswith(f"{path}: w is of a type that is not read (")
        assert "\n" not in told


def test_a_file_cut_anywhere_is_one_line(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": np.ones(3), "b": np.ones((2, 2))}, metadata={"c": "d"})
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert "is damaged, or no .safetensors" in refused(read_safetensors, path)


def test_a_file_that_promises_the_world_takes_no_memory(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, bytes(64)))
    assert "is damaged" in refused(read_safetensors, path)


def test_what_cannot_be_read_is_told(tmp_path):
    assert "cannot be read (No such file or directory)" in refused(read_safetensors, tmp_path / "none")
    assert "cannot be read (it is a directory" in refused(read_safetensors, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be read (it is a named pipe" in refused(read_safetensors, tmp_path / "pipe")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    told = ".safetensors needs the library safetensors: pip install 'jaxseq[interop]'"
    assert refused(read_safetensors, tmp_path / "a") == told
    assert refused(write_safetensors, tmp_path / "a", {}) == told
