"""The folder that exported functions are written to: weights, what is there already, what is damaged or missing."""

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop.exported import ExportedFunction, write_functions
from jaxseq.interop.exported_reader import read_functions
from jaxseq.interop.safetensors_files import read_safetensors
from jaxseq.storage.atomic import sha256
from jaxseq.storage.manifest import seal, unsealed

pytest.importorskip("flatbuffers", reason="jax.export serializes with flatbuffers")
safetensors = pytest.importorskip("safetensors.numpy")


def dot(weights, x):
    return x @ weights["first"] + (x @ weights["deep"][0]["second"]).sum() + weights["scalar"]


X = {"x": jax.ShapeDtypeStruct((*jax.export.symbolic_shape("n"), 3), jnp.float32)}
DOT = {"dot": ExportedFunction(dot, X, ("y",))}


def weights_of(kernel):
    return {"first": kernel, "deep": [{"second": kernel}], "scalar": np.array(2, np.float32)}


@given(seed=st.integers(0, 2**32 - 1), transposed=st.booleans(), large=st.booleans())
@settings(max_examples=5)
def test_weights_come_back_whatever_their_layout_and_tied_ones_are_written_once(
    tmp_path_factory, seed, transposed, large
):
    """st#825: arrays that are not contiguous were saved scrambled; st#586, st#304: tied ones were refused."""
    folder = tmp_path_factory.mktemp("weights") / "out"
    kernel = np.random.default_rng(seed).normal(size=(3, 3)).astype(np.float64 if large else np.float32)
    kernel = kernel.T if transposed else kernel[::-1]
    write_functions(folder, DOT, weights_of(kernel))
    stored = safetensors.load_file(folder / "model.safetensors")  # an oracle for what our own reader reads
    assert stored.keys() == {"deep.0.second", "scalar"}
    assert stored["scalar"].shape == ()
    expected = kernel.astype(jax.dtypes.canonicalize_dtype(kernel.dtype))
    np.testing.assert_array_equal(stored["deep.0.second"], expected)
    loaded = read_functions(folder)
    jax.tree.map(np.testing.assert_array_equal, loaded.weights, stored)
    assert read_safetensors(folder / "model.safetensors").keys() == {"deep.0.second", "first", "scalar"}
    x = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(loaded.functions["dot"](x), dot(weights_of(kernel), x), rtol=1e-5, atol=1e-5)


def test_equal_arrays_that_are_not_tied_stay_two(tmp_path):
    kernel = np.eye(3, dtype=np.float32)
    write_functions(tmp_path / "out", DOT, {**weights_of(kernel), "first": kernel.copy()})
    assert {"first", "deep.0.second", "scalar"} == read_functions(tmp_path / "out").weights.keys()


def test_dicts_with_numbers_for_keys_are_written(tmp_path):
    """jax#32680: serializing them crashes."""

    def pick(weights, x):
        return {2: weights[0] * x[1], 10: x[1]}

    shape = jax.ShapeDtypeStruct((3,), jnp.float32)
    picks = {"pick": ExportedFunction(pick, {"x": {1: shape}}, ("y",))}
    write_functions(tmp_path / "out", picks, {0: np.full(3, 2, np.float32)})
    ones = np.ones(3, np.float32)
    picked = read_functions(tmp_path / "out").functions["pick"]({"1": ones})
    jax.tree.map(np.testing.assert_array_equal, picked, {"2": 2 * ones, "10": ones})


@pytest.mark.parametrize("there", ["a folder", "a file", "a link to nothing"])
def test_what_is_there_already_stays_as_it_is(tmp_path, there):
    out = tmp_path / "out"
    if there == "a folder":
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    elif there == "a file":
        out.write_text("mine")
    else:
        out.symlink_to(tmp_path / "none")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"out is there already: give another name, or remove it$"):
        write_functions(out, DOT, weights_of(np.eye(3, dtype=np.float32)))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_error_half_way_leaves_nothing_behind(tmp_path):
    def broken(weights, x):
        raise RuntimeError("half way")

    functions = {**DOT, "broken": ExportedFunction(broken, X, ("y",))}
    with pytest.raises(RuntimeError, match="half way"):
        write_functions(tmp_path / "out", functions, weights_of(np.eye(3, dtype=np.float32)))
    assert not list(tmp_path.iterdir())

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_functions(tmp_path / "out", DOT, weights_of(np.eye(3, dtype=np.float32)), poll=stop)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="its directory is not there"):
        write_functions(tmp_path / "none" / "out", DOT, weights_of(np.eye(3, dtype=np.float32)))


@pytest.fixture
def dots(tmp_path):
    write_functions(tmp_path / "dots", DOT, weights_of(np.eye(3, dtype=np.float32)))
    return tmp_path / "dots"


def message(read, *arguments):
    with pytest.raises(InputError) as caught:
        read(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "dot.jaxexport", "export.json"])
def test_a_damaged_file_is_one_line(dots, name):
    content = bytearray((dots / name).read_bytes())
    for damaged in (content[:-1], content[:0], content + b"\0", bytes([content[0] ^ 1]) + content[1:]):
        (dots / name).write_bytes(damaged)
        assert re.search(rf"{re.escape(name)} is damaged.*: export it again$", message(read_functions, dots))


@pytest.mark.parametrize("name", ["model.safetensors", "dot.jaxexport"])
def test_a_missing_file_is_one_line(dots, name):
    (dots / name).unlink()
    assert message(read_functions, dots).endswith(f"{name} is missing: export it again")


def test_a_folder_of_something_else_is_one_line(dots, tmp_path):
    assert message(read_functions, tmp_path).endswith("holds no exported functions: export.json is missing")
    (dots / "export.json").write_text(seal({"format": 2}))
    assert message(read_functions, dots).endswith("has the format 2, this release reads 1")


def resealed(folder, name, content):
    """A file with other content, of which the manifest knows."""
    (folder / name).write_bytes(content)
    manifest = unsealed((folder / "export.json").read_bytes())
    manifest["files"][name] = {"size": len(content), "sha256": sha256(folder / name)}
    (folder / "export.json").write_text(seal(manifest))


def test_weights_of_another_model_are_one_line(dots):
    kernel, scalar = np.eye(3, dtype=np.float32), np.array(2, np.float32)
    takes = (
        r"dot\.jaxexport takes deep\.0\.second as float32 \[3, 3\], model\.safetensors has {}: export both together$"
    )
    for wrong, what in (
        ({"scalar": scalar}, "none"),
        ({"scalar": scalar, "deep.0.second": kernel[:2]}, r"float32 \[2, 3\]"),
        ({"scalar": scalar, "deep.0.second": kernel.astype(np.int32)}, r"int32 \[3, 3\]"),
    ):
        resealed(dots, "model.safetensors", safetensors.save(wrong))
        assert re.search(takes.format(what), message(read_functions, dots))
    resealed(dots, "model.safetensors", b"no such file")
    assert re.search(
        r"model\.safetensors is damaged, or no \.safetensors \(.*\): fetch it again$", message(read_functions, dots)
    )


def test_a_program_that_jax_cannot_read_is_one_line(dots):
    resealed(dots, "dot.jaxexport", b"x" * 100)
    assert re.search(
        r"dot\.jaxexport cannot be read by JAX .*: export it with this release$", message(read_functions, dots)
    )


@pytest.mark.parametrize("library", ["safetensors", "jax._src.export.serialization"])
def test_a_missing_library_is_one_line_that_names_the_extra(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    told = message(write_functions, tmp_path / "out", DOT, weights_of(np.eye(3, dtype=np.float32)))
    assert told.endswith("pip install 'jaxseq[interop]'")
    assert not list(tmp_path.iterdir())
