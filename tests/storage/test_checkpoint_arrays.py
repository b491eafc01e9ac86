"""What goes into a checkpoint comes out of it: bits, structure, and a clear word where template and content differ."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxseq.errors import CheckpointError
from jaxseq.storage.arrays import Spec, named_leaves, spec_of
from jaxseq.storage.checkpoint import CheckpointStore

_DTYPES = ["float32", "bfloat16", "float16", "int32", "uint32", "int8", "uint8", "bool", "complex64"]


class Carry(NamedTuple):
    h: Any
    c: Any


class State(NamedTuple):
    params: Any
    opt_state: Any
    carry: Any
    step: Any


def _state(features: int = 4) -> State:
    """A training state as the loop has it: named tuples, optax states, None and empty containers among it."""
    random = np.random.default_rng(0)
    params = {
        "embedding": {"table": jnp.asarray(random.standard_normal((7, features), np.float32))},
        "cell": {"kernel": random.standard_normal((features, 12), np.float32), "bias": np.zeros(12, np.float32)},
    }
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(1e-3, 100)))
    carry = (
        Carry(random.standard_normal((3, features), np.float32), jnp.ones((3, features), jnp.bfloat16)),
        None,
        {},
        (),
    )
    return State(params, optimizer.init(params), carry, jnp.int32(17))


def _bits(tree: Any) -> list[tuple[tuple[int, ...], str, bytes]]:
    return [(array.shape, array.dtype.name, array.tobytes()) for array in map(np.asarray, jax.tree.leaves(tree))]


@st.composite
def _arrays(draw: st.DrawFn) -> np.ndarray:
    """Any bit patterns of any type: NaN payloads, -0.0, infinities and subnormals of floats included."""
    dtype = jnp.dtype(draw(st.sampled_from(_DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    size = int(np.prod(shape)) * dtype.itemsize
    top = 1 if dtype == np.bool_ else 255
    pattern = draw(hnp.arrays(np.uint8, size, elements=st.integers(0, top)))
    return pattern.view(dtype).reshape(shape)


@settings(deadline=None, max_examples=20)
@given(st.lists(_arrays(), max_size=10))
def test_every_bit_pattern_of_every_type_comes_back(leaves: list[np.ndarray]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = CheckpointStore(directory)
        store.save(0, leaves, {})
        restored = store.restore(leaves)
        assert restored is not None
        assert _bits(restored.arrays) == _bits(leaves)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_negative_zeros_are_not_taken_for_absent_data(tmp_path: Path, dtype: str) -> None:
    tree = {"zeros": np.full((5, 3), -0.0, jnp.dtype(dtype)), "zero": np.array(-0.0, jnp.dtype(dtype))}
    store = CheckpointStore(tmp_path)
    store.save(0, tree, {})
    restored = store.restore(tree)
    assert restored is not None
    assert _bits(restored.arrays) == _bits(tree)


def test_a_training_state_comes_back_in_its_own_structure_as_numpy_arrays(tmp_path: Path) -> None:
    state = _state()
    store = CheckpointStore(tmp_path)
    store.save(17, state, {"seed": 0})
    restored = store.restore(jax.eval_shape(_state))
    assert restored is not None
    assert restored.step == 17
    assert jax.tree.structure(restored.arrays) == jax.tree.structure(state)
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(restored.arrays))
    assert _bits(restored.arrays) == _bits(state)


def test_arrays_of_any_memory_layout_come_back(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.int32).reshape(4, 6)
    tree = {
        "fortran": np.asfortranarray(base),
        "strided": base[::2, ::-3],
        "broadcast": np.broadcast_to(base[0], (3, 6)),
    }
    tree["swapped"] = base.astype(">i4")
    store = CheckpointStore(tmp_path)
    store.save(0, tree, {})
    restored = store.restore(tree)
    assert restored is not None
    jax.tree.map(np.testing.assert_array_equal, restored.arrays, tree)


def test_python_numbers_come_back_as_what_jax_takes_them_for(tmp_path: Path) -> None:
    tree = {"count": 3, "rate": 0.1, "done": True, "numpy": np.float64(0.1)}
    store = CheckpointStore(tmp_path)
    store.save(0, tree, {})
    restored = store.restore(tree)
    assert restored is not None
    integer, number = jnp.asarray(3).dtype, jnp.asarray(0.1).dtype  # of 64 bits with JAX_ENABLE_X64
    assert [leaf.dtype for leaf in jax.tree.leaves(restored.arrays)] == [integer, "bool", "float64", number]
    assert jax.tree.map(float, restored.arrays) == {
        "count": 3,
        "done": 1,
        "numpy": 0.1,
        "rate": float(number.type(0.1)),
    }


@pytest.mark.parametrize("empty", [{}, {"a": None, "b": ()}, {"a": np.zeros((0, 3), np.float32)}])
def test_a_tree_without_any_number_comes_back(tmp_path: Path, empty: Any) -> None:
    store = CheckpointStore(tmp_path)
    store.save(0, empty, {})
    restored = store.restore(empty)
    assert restored is not None
    assert jax.tree.structure(restored.arrays) == jax.tree.structure(empty)
    assert _bits(restored.arrays) == _bits(empty)


def test_names_that_file_systems_dislike_come_back(tmp_path: Path) -> None:
    names = ["a.b", "a", "..", "", " ", "한ᴥ", "x['y']", "/etc", "A", "%2F", "n" * 300]
    tree = {name: np.full(2, number, np.float32) for number, name in enumerate(names)}
    store = CheckpointStore(tmp_path)
    store.save(0, tree, {})
    restored = store.restore(tree)
    assert restored is not None
    jax.tree.map(np.testing.assert_array_equal, restored.arrays, tree)


def test_two_leaves_of_one_name_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two leaves of the tree are called 'a/b'"):
        CheckpointStore(tmp_path).save(0, {"a/b": np.ones(1), "a": {"b": np.ones(1)}}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "leaf", ["text", np.array(["text"]), object(), np.array([None]), jax.random.key(0), np.array(["2026"], "M8[Y]")]
)
def test_a_leaf_that_is_no_number_is_refused_by_name_and_nothing_is_left_behind(tmp_path: Path, leaf: Any) -> None:
    with pytest.raises(TypeError, match=r"a/0 has the type .*: a checkpoint holds numbers"):
        CheckpointStore(tmp_path).save(0, {"a": [leaf], "b": np.ones(3)}, {})
    assert list(tmp_path.iterdir()) == []


def test_leaves_are_named_by_keys_fields_and_positions() -> None:
    assert list(named_leaves({"carry": [Carry(1, None)], "n": {0: 2}})) == ["carry/0/h", "n/0"]
    assert str(spec_of(jax.ShapeDtypeStruct((128, 39), jnp.bfloat16))) == "bfloat16[128,39]"
    assert spec_of(True) == Spec((), "bool")


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda s: _state(features=5), r"params/cell/kernel is float32\[4,12\] there and float32\[5,12\] here"),
        (lambda s: s._replace(step=np.int64(1)), r"step is int32\[\] there and int64\[\] here"),
        (
            lambda s: s._replace(params={**s.params, "dense": jnp.ones(2, jnp.float32)}),
            r"params/dense is absent there and float32\[2\]",
        ),
        (lambda s: s._replace(carry=None), r"carry/0/c is bfloat16\[3,4\] there and absent here"),
        (lambda s: s._asdict() | {"more": None, "step": {"x": s.step}}, r"step/x is absent there and int32\[\] here"),
    ],
)
def test_the_first_leaf_that_differs_from_the_template_is_named(tmp_path: Path, change: Any, first: str) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, _state(), {})
    with pytest.raises(
        CheckpointError, match=rf"00000001 does not fit: {first}.*use the configuration it was made with"
    ):
        store.restore(change(_state()))


def test_parameters_alone_are_restored_with_or_without_a_template(tmp_path: Path) -> None:
    state = _state()
    store = CheckpointStore(tmp_path)
    assert store.restore_params() is None
    store.save(1, state, {"loss": 1.5}, files={"config.json": "{}"})
    for template in (None, jax.eval_shape(lambda: _state().params)):
        restored = store.restore_params(template)
        assert restored is not None
        assert jax.tree.structure(restored.arrays) == jax.tree.structure(state.params)
        assert _bits(restored.arrays) == _bits(state.params)
        assert (restored.meta, restored.files) == ({"loss": 1.5}, {"config.json": b"{}"})
    carry = store.restore_params(state.carry, name="carry")
    assert carry is not None
    assert isinstance(carry.arrays[0], Carry)
    with pytest.raises(CheckpointError, match=r"cell/kernel is float32\[4,12\] there and float32\[5,12\] here"):
        store.restore_params(_state(features=5).params)
    with pytest.raises(CheckpointError, match="holds no ema"):
        store.restore_params(name="ema")


_SHARDED = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
import jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxseq.storage.checkpoint import CheckpointStore
mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
whole = np.arange(32, dtype=np.float32).reshape(8, 4)
tree = {"sharded": jax.device_put(whole, NamedSharding(mesh, P("data"))),
        "columns": jax.device_put(whole, NamedSharding(mesh, P(None, "data"))),
        "replicated": jax.device_put(whole, NamedSharding(mesh, P())),
        "single": jax.device_put(whole, jax.devices()[2])}
store = CheckpointStore(sys.argv[1])
store.save(0, tree, {})
restored = store.restore(tree).arrays
assert all(np.array_equal(array, whole) for array in restored.values()), restored
print("equal")
"""


def test_arrays_spread_over_several_devices_come_back_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SHARDED, str(tmp_path)]
    result = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert result.stdout == "equal\n"
