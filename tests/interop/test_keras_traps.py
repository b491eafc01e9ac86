"""Files of Keras's that are damaged or a trap: each ends in one line, and nothing in them is run."""

import base64
import io
import json
import marshal
import os
import sys
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop.keras_files import read_keras

h5py = pytest.importorskip("h5py")


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def refused(path):
    with pytest.raises(InputError) as caught:
        read_keras(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


# Archives.


def small():
    """The weights of one dense layer as Keras 3 writes them."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = numbers(3, 2), numbers(2)
        file["layers/dense/vars"].attrs["name"] = np.bytes_("out")
    return buffer.getvalue()


DENSE = {"class_name": "Dense", "config": {"name": "out"}}
SMALL = small()


def archive(path, members=(), *, layers=(DENSE,), compression=zipfile.ZIP_STORED):
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}
    contents = {"config.json": json.dumps(config), "metadata.json": '{"keras_version": "3.0.0"}'}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in (contents | {"model.weights.h5": SMALL} | dict(members)).items():
            if content is not None:
                file.writestr(name, content)
    return path


def test_an_archive_is_read_compressed_or_not_and_without_its_date(tmp_path):
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = read_keras(archive(tmp_path / "model.keras", compression=compression))
        assert [(layer.name, layer.class_name, list(layer.weights)) for layer in found.layers] == [
            ("out", "Dense", ["kernel", "bias"])
        ]
        assert found.version == "3.0.0"
    assert read_keras(archive(tmp_path / "model.keras", {"metadata.json": None})).version == ""


ARCHIVES = {
    "without a configuration": ({"config.json": None}, "holds no config.json, which every .keras does"),
    "without weights": ({"model.weights.h5": None}, "holds no model.weights.h5, which every .keras does"),
    "with a name that leads out": ({"../evil.py": "x"}, "../evil.py would lie outside the folder it is unpacked to"),
    "with one on Windows": ({"a\\..\\..\\evil.py": "x"}, "would lie outside the folder"),
    "with one from the root": ({"/etc/passwd": "x"}, "/etc/passwd would lie outside the folder"),
    "with a configuration that is none": ({"config.json": "{"}, "config.json is damaged: it is no JSON"),
    "with a deep one": ({"config.json": '{"a":' * 100_000}, "config.json is damaged: it is no JSON"),
    "with a list for one": ({"config.json": "[]"}, "it is no configuration of a model"),
    "with weights that are none": ({"model.weights.h5": b"x" * 99}, "model.weights.h5 is damaged, or no HDF5 file"),
    "with weights cut": ({"model.weights.h5": SMALL[:3000]}, "model.weights.h5 is damaged"),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_is_none_is_told(tmp_path, what):
    members, told = ARCHIVES[what]
    assert told in refused(archive(tmp_path / "model.keras", members))
    assert os.listdir(tmp_path) == ["model.keras"]


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            [{"class_name": "Dense", "config": {"name": "other"}}],
            "dense is out by its weights and other by the model's",
        ),
        ([{"class_name": "LSTM", "config": {"name": "out"}}], "has weights of dense, which its configuration lacks"),
    ],
)
def test_weights_of_another_model_are_told(tmp_path, layers, told):
    assert told in refused(archive(tmp_path / "model.keras", layers=layers))


def test_a_bomb_is_told_and_takes_no_memory(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("config.json", "{}")
        with file.open("model.weights.h5", "w", force_zip64=True) as member:
            for _ in range(280):
                member.write(bytes(2**20))
    assert "unpacks to more than 200 times its size" in refused(path)


def test_the_code_of_a_lambda_layer_is_never_decoded(tmp_path, monkeypatch):
    code = base64.b64encode(marshal.dumps(compile("raise SystemExit", "x", "exec"))).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    trap = {"class_name": "Lambda", "config": {"name": "trap", "function": function}}

    def decoded(*args):
        raise AssertionError("decoded")

    monkeypatch.setattr(base64, "b64decode", decoded)
    found = read_keras(archive(tmp_path / "model.keras", layers=[trap, DENSE]))
    assert found.layers[0].config["function"] == function
    assert [layer.name for layer in found.layers] == ["trap", "out"]


# HDF5.


def linked(file):
    file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/x")


def soft(file):
    file["layers/dense/vars/0"] = h5py.SoftLink("/x")


def soft_group(file):
    file["x/vars/0"] = numbers(2)
    file["layers/dense"] = h5py.SoftLink("/x")


def external(file):
    file.create_dataset("layers/dense/vars/0", (4,), np.uint8, external=[("/etc/hostname", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def large(file):
    file.create_dataset("layers/dense/vars/0", (2**20, 2**20), np.float32, chunks=(64, 64))


def compressed(file):
    file.create_dataset("layers/dense/vars/0", (2**40,), np.float32, chunks=(2**20,), compression="gzip")


def words(file):
    file["layers/dense/vars/0"] = "text"


def objects(file):
    file.create_dataset("layers/dense/vars/0", (2,), h5py.string_dtype())


def records(file):
    file["layers/dense/vars/0"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def nothing(file):
    file["layers/dense/vars/0"] = h5py.Empty("f")


def a_group(file):
    file.create_group("layers/dense/vars/0")


def a_number(file):
    file["layers/dense"] = numbers(2)


def a_circle(file):
    group = file.create_group("layers/dense")
    group.create_group("vars")
    group["a"], group["b"] = group, group


def deep(file):
    file.create_group("layers/" + "/".join(["a"] * 100) + "/vars")


def missing_layer(file):
    file.attrs["layer_names"] = [b"a"]


def missing_weight(file):
    file.attrs["layer_names"] = [b"a"]
    file.create_group("a").attrs["weight_names"] = [b"kernel:0"]


def twice(file):
    file.attrs["layer_names"] = [b"a"]
    group = file.create_group("a")
    group.attrs["weight_names"] = [b"a/kernel:0", b"a/kernel:1"]
    group["a/kernel:0"], group["a/kernel:1"] = numbers(2), numbers(2)


def no_names(file):
    file.attrs["layer_names"] = 5


def other_names(file):
    file.attrs["layer_names"] = [b"../a", b"/", b"a//b"]


def no_configuration(file):
    file.attrs["model_config"] = b"{"
    file.create_group("layers")


def another_thing(file):
    file["data"] = numbers(2)


TRAPS = {
    linked: "0 is a link to elsewhere: do not trust this file",
    soft: "0 is a link to elsewhere: do not trust this file",
    soft_group: "dense is a link to elsewhere: do not trust this file",
    external: "0 lies in another file: do not trust this one",
    virtual: "0 lies in another file: do not trust this one",
    large: "0, of shape [1048576, 1048576], unpacks to more than 200 times the file",
    compressed: "0, of shape [1099511627776], unpacks to more than 200 times the file",
    words: "0 is of type object, no numbers",
    objects: "0 is of type object, no numbers",
    records: "no numbers: save the weights as float32",
    nothing: "0 is no array",
    a_group: "0 is no array",
    a_number: "dense is no group, or there are far too many",
    a_circle: "is no group, or there are far too many",
    deep: "is no group, or there are far too many",
    missing_layer: "is damaged: a is missing",
    missing_weight: "is damaged: kernel:0 is missing",
    twice: "is damaged: two weights of a have one name",
    no_names: "is damaged:  is missing",
    other_names: "is damaged: ../a is missing",
    no_configuration: "model_config is damaged: it is no JSON",
    another_thing: "holds no weights of Keras's",
}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_traps_in_hdf5_are_told_and_take_no_memory(tmp_path, trap):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        trap(file)
    tracemalloc.start()
    try:
        told = refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert TRAPS[trap] in told
    assert peak < 2**26


def test_what_is_no_file_of_keras_is_told(tmp_path):
    path = tmp_path / "model.h5"
    for content in (b"", b"PK", b"{}", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        assert "is no file of Keras's, or damaged: give a .keras, .weights.h5 or .h5" in refused(path)
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none")
    assert "is a directory, as a SavedModel or a checkpoint of TensorFlow's" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be read (it is a named pipe" in refused(tmp_path / "pipe")


def test_a_text_without_end_does_not_keep_the_reader_for_ever(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = numbers(3, 2)
        file["layers/dense/vars"].attrs["name"] = "out"
    whole = path.read_bytes()
    assert [layer.name for layer in read_keras(path).layers] == ["out"]
    heap = whole.index(b"GCOL") + 16
    for damage in (b"\0" * 16, whole[heap : heap + 8] + b"\xff" * 8):
        path.write_bytes(whole[:heap] + damage + whole[heap + 16 :])
        assert "is damaged: its texts have no end" in refused(path)


def test_a_file_cut_anywhere_is_one_line(tmp_path):
    path = tmp_path / "model.weights.h5"
    for size in range(0, len(SMALL), 97):
        path.write_bytes(SMALL[:size])
        refused(path)


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_file_damaged_anywhere_is_read_or_refused(tmp_path_factory, changes):
    content = bytearray(SMALL)
    for at, value in changes:
        content[at] = value
    path = tmp_path_factory.mktemp("weights") / "model.weights.h5"
    path.write_bytes(content)
    with suppress(InputError):
        read_keras(path)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / "model.h5"
    path.write_bytes(SMALL)
    with pytest.raises(InputError) as caught:
        read_keras(path)
    assert str(caught.value) == "files of Keras's need the library h5py: pip install 'jaxseq[interop]'"
