"""Pickles in files of PyTorch's that are a trap: nothing of them is run, and each ends in one line."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_by_hand import archive, number, state, storage, tensor, text

from jaxseq.errors import InputError
from jaxseq.interop.torch_files import read_torch

torch = pytest.importorskip("torch")


def refused(path):
    with pytest.raises(InputError) as caught:
        read_torch(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


SIZES = {
    "longer than its storage": (state(tensor((7,), (1,))), "w needs 7 numbers, and its storage has 6"),
    "behind its storage": (state(tensor((2, 3), (3, 1), 1)), "w needs 7 numbers, and its storage has 6"),
    "with long steps": (state(tensor((2, 3), (2**62, 1))), "and its storage has 6"),
    "of negative steps": (state(tensor((2, 3), (-3, 1), 3)), "a tensor has a shape that is none"),
    "before its storage": (state(tensor((2, 3), (3, 1), -1)), "a tensor has a shape that is none"),
    "of fractions": (state(tensor((2.0, 3), (3, 1))), "a tensor has a shape that is none"),
    "of a truth": (state(tensor((True, 3), (3, 1))), "a tensor has a shape that is none"),
    "of fewer steps": (state(tensor((2, 3), (1,))), "a tensor has a shape that is none"),
    "of many axes": (state(tensor((1,) * 65, (1,) * 65)), "is of a shape too large for an array"),
    "of too many to count": (state(tensor((2**62, 2**62, 2), (0, 0, 0))), "is of a shape too large for an array"),
    "of none of too many": (state(tensor((2**62, 0), (1, 1))), "is of a shape too large for an array"),
    "repeated for ever": (state(tensor((2**40,), (0,))), "repeats 6 numbers to 1,099,511,627,776"),
    "of a large storage": (state(tensor(of=storage(count=2**50))), "must have 4,503,599,627,370,496 bytes, it has 24"),
    "of a small storage": (state(tensor(of=storage(count=5))), "must have 20 bytes, it has 24"),
    "of no storage": (state(tensor(of=storage(key="7"))), "data/7 is missing"),
    "of one elsewhere": (state(tensor(of=storage(key="../../secret"))), "data/../../secret is missing"),
    "of another thing": (state(tensor(of=number(5))), "a tensor has no storage"),
    "of an untyped storage": (state(tensor(of=storage("torch UntypedStorage"))), "a tensor has no storage"),
}


@pytest.mark.parametrize("what", SIZES)
def test_a_tensor_that_cannot_be_is_told(tmp_path, what):
    content, told = SIZES[what]
    assert told in refused(archive(tmp_path / "model.pt", content))


class Calls:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def harm(path):
    return f"touch {path}.harmed"


NAMED = {
    "os.system": (lambda path: Calls(os.system, harm(path)), f"{os.name}.system"),
    "builtins.eval": (lambda path: Calls(eval, f"__import__('os').system({harm(path)!r})"), "builtins.eval"),
    "builtins.exec": (lambda path: Calls(exec, f"import os; os.system({harm(path)!r})"), "builtins.exec"),
    "a nested call": (lambda path: Calls(OrderedDict, Calls(os.system, harm(path))), f"{os.name}.system"),
    "builtins.getattr": (lambda path: Calls(getattr, Calls(__import__, "os"), "system"), "builtins.getattr"),
    "numpy": (lambda path: np.float64(0.5), "numpy._core.multiarray.scalar"),
    "torch itself": (lambda path: Calls(torch.load, str(path)), "torch.serialization.load"),
    "torch.hub": (lambda path: Calls(torch.hub.load, "a/b", "c"), "torch.hub.load"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("what", NAMED)
def test_a_pickle_that_would_run_something_runs_nothing_and_is_told(tmp_path, what, protocol):
    make, name = NAMED[what]
    path = tmp_path / "model.pt"
    for content in (make(path), {"w": 1, "x": make(path)}, [[(make(path),)]]):
        told = refused(archive(path, pickle.dumps(content, protocol)))
        assert f"model.pt would run {name} when it is unpickled: it is not read" in told.replace(
            "__builtin__", "builtins"
        )
    assert os.listdir(tmp_path) == ["model.pt"]


DEEP = 200_000
TRICKS = {
    "a method of an allowed class": b"\x80\x04\x8c\x0bcollections\x8c\x16OrderedDict.fromkeys.x\x93.",
    "a name that is no text": b"\x80\x04)\x85\x8c\x01a\x93.",
    "a name that takes for ever to hash": b"\x80\x04)" + b"2\x86" * 60 + b"\x8c\x01a\x93.",
    "a key that takes for ever to hash": b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
    "a key that is deep": b"\x80\x02})" + b"\x85" * DEEP + b"Ns.",
    "a deep list": b"\x80\x02" + b"]" * DEEP + b"a" * (DEEP - 1) + b".",
    "a deep tuple for a shape": state(b"ctorch\nSize\n)" + b"\x85" * DEEP + b"R"),
    "a memo of the highest number": state(after=b"r\xff\xff\xff\xff"),
    "a memo that is empty": b"\x80\x02h\x05.",
    "a text longer than the file": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a.",
    "bytes longer than the file": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.",
    "a bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"a.",
    "a frame longer than the file": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
    "a long number": b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"a.",
    "a new object": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "an object of old": b"\x80\x02(ccollections\nOrderedDict\no.",
    "an instance": b"(icollections\nOrderedDict\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "another persistent number": b"Psomething\n.",
    "a persistent text": b"\x80\x02" + text("storage") + b"Q.",
    "attributes of a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
    "attributes of a type": b"\x80\x02ctorch\nFloatStorage\n}" + text("dtype") + text("int8") + b"sb.",
    "attributes of a tensor": state(tensor() + b"}" + text("shape") + number((9,)) + b"sb"),
    "items of a tensor": state(tensor() + number(0) + number(1) + b"s"),
    "more for a tensor": state(tensor() + number(0) + b"a"),
    "a call of a dict": b"\x80\x02})R.",
    "a call of a type": b"\x80\x02ctorch\nFloatStorage\n)R.",
    "a call with no tuple": b"\x80\x02ccollections\nOrderedDict\nNR.",
    "a call with too much": b"\x80\x02ctorch._utils\n_rebuild_parameter\n)R.",
    "an ordered dict that is none": b"\x80\x02ccollections\nOrderedDict\n" + text("abc") + b"\x85R.",
    "marks": b"\x80\x02((((t.",
    "a mark for a value": b"\x80\x02}" + text("w") + b"(s.",
    "no mark": b"\x80\x02t.",
    "an odd dict": b"\x80\x02}(" + text("w") + b"u.",
    "two values": b"\x80\x02}}.",
    "no value": b"\x80\x02.",
    "no end": b"\x80\x02}",
    "no instruction": b"\x80\x02\xff.",
    "nothing": b"",
    "text instructions": b"(dp0\nS'w'\nI1\ns.",
    "an escape that is none": b"S'\\o'\n.",
}


@pytest.mark.parametrize("what", TRICKS)
def test_tricks_of_pickles_end_in_one_line_and_take_no_memory(tmp_path, what):
    path = archive(tmp_path / "model.pt", TRICKS[what])
    tracemalloc.start()
    try:
        told = refused(path) if what != "a memo of the highest number" else read_torch(path) and ""
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**26
    assert len(told) < 500


def test_a_name_without_end_is_cut(tmp_path):
    path = archive(tmp_path / "model.pt", b"\x80\x02c" + b"a" * 10_000 + b"\nb\x1b\n.")
    told = refused(path)
    assert f"would run {'a' * 100}... when" in told


def test_values_that_hold_themselves_are_no_trouble(tmp_path):
    content = {"w": torch.ones(2), "more": []}
    content["more"].append(content["more"])
    content["self"] = content
    torch.save(content, tmp_path / "model.pt")
    np.testing.assert_array_equal(read_torch(tmp_path / "model.pt")["w"], [1, 1])


def test_archives_that_are_none_are_told(tmp_path):
    path = tmp_path / "model.pt"
    assert "has been packed by something else" in refused(archive(path, state(), compression=zipfile.ZIP_DEFLATED))
    assert "no file of PyTorch's, or damaged" in refused(archive(path, None))
    assert "is damaged: data/0 is missing" in refused(archive(path, state(), {"data/0": None}))
    assert "neither little nor big" in refused(archive(path, state(), {"byteorder": b"middle"}))
    assert "storage of w must have 24 bytes, it has 20" in refused(archive(path, state(), {"data/0": bytes(20)}))
    with zipfile.ZipFile(path, "w"):
        pass
    assert "no file of PyTorch's" in refused(path)
    for content in (b"", b"PK", b"\x89HDF\r\n\x1a\n", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        assert "is no file of PyTorch's, or damaged" in refused(path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(archive(path, state()), "a") as file:
        file.writestr("model/data.pkl", state())
    assert "says to hold more than it can" in refused(path)


WHOLE = io.BytesIO()
torch.save(torch.nn.Linear(2, 3).state_dict(), WHOLE)


@given(st.data())
def test_a_file_damaged_anywhere_is_read_or_refused(tmp_path_factory, data):
    content = bytearray(WHOLE.getvalue())
    with zipfile.ZipFile(WHOLE) as file:
        start = content.index(file.read("archive/data.pkl")) if data.draw(st.booleans()) else 0
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(start, start + 300 if start else len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    path.write_bytes(content)
    with suppress(InputError):
        read_torch(path)


@given(st.data())
def test_a_pickle_damaged_anywhere_is_read_or_refused(tmp_path_factory, data):
    with zipfile.ZipFile(WHOLE) as file:
        members = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    content = bytearray(members["data.pkl"])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    path = archive(
        tmp_path_factory.mktemp("weights") / "model.pt", bytes(content), members | {"data.pkl": bytes(content)}
    )
    with suppress(InputError):
        read_torch(path)
