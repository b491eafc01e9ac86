"""Tables that are looked up, and their rows put together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import ScopeParamShapeError
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from jaxseq.nn.embedding import Embedding
from jaxseq.ops.row_tables import RowTable, RowTableError, combine, without_gradient

TABLE = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
N = 12


@given(
    st.lists(st.integers(0, 5), min_size=N, max_size=N) | st.just([3] * N) | st.just([5] * N),
    st.sampled_from([5, 40]),
    st.integers(0, 9),
)
def test_rows_of_one_id_are_added_up_as_by_a_loop(ids, size, seed):
    rows = np.random.default_rng(seed).normal(size=(N, 2)).astype(np.float32)
    sums, counts = {}, {}
    for i, row in zip(ids, rows, strict=True):
        if i < size:
            sums[i] = sums.get(i, np.float32(0)) + row
            counts[i] = counts.get(i, 0) + 1
    found = combine(np.array(ids, np.int32), rows, size)
    seen = sorted(sums)
    most = min(N, size)
    assert found.ids.tolist() == seen + [size] * (most - len(seen))
    assert found.counts.tolist() == [counts[i] for i in seen] + [0] * (most - len(seen))
    np.testing.assert_array_equal(found.rows[: len(seen)], np.array([sums[i] for i in seen]).reshape(-1, 2))
    assert not found.rows[len(seen) :].any()


def test_no_rows_at_all_are_no_rows_and_what_is_not_finite_stays_in_its_row():
    nothing = combine(np.zeros(0, np.int32), np.zeros((0, 2), np.float32), 5)
    assert [part.shape for part in nothing] == [(0,), (0, 2), (0,)]
    rows = np.array([[1, np.nan], [2, 3], [4, 5]], np.float32)
    found = combine(np.array([1, 0, 0], np.int32), rows, 5)
    np.testing.assert_array_equal(found.rows, [[6, 8], [1, np.nan], [0, 0]])


IDS = [
    np.array([[0, 4, 4], [2, 0, 1]], np.int32),
    np.array([-1, -5, -9, 7, 4], np.int32),
    np.array([], np.int32),
    np.uint8(3),
    2,
]


@pytest.mark.parametrize("ids", IDS, ids=str)
def test_a_lookup_gives_what_the_table_gives_and_by_its_tap_the_gradient_of_the_rows(ids):
    """Ids from the end and beyond an end too."""
    weights = np.random.default_rng(1).normal(size=(*np.shape(ids), 3)).astype(np.float32)

    def whole(table):
        return (jnp.sin(table[ids]) * weights).sum()

    def by_rows(tap):
        table = RowTable(TABLE, "t", [tap])
        return (jnp.sin(table[ids]) * weights).sum(), table.lookups[0]

    tap = jnp.zeros((*np.shape(ids), 3), jnp.float32)
    (value, numbers), gradient = jax.value_and_grad(by_rows, has_aux=True)(tap)
    expected, dense = jax.value_and_grad(whole)(jnp.asarray(TABLE))
    assert value == expected
    found = combine(numbers.reshape(-1), gradient.reshape(-1, 3), 5)
    np.testing.assert_allclose(jnp.zeros((5, 3)).at[found.ids].set(found.rows, mode="drop"), dense, atol=1e-7)


def test_it_looks_like_the_table_and_goes_through_flax_as_a_parameter():
    table = RowTable(jnp.asarray(TABLE), "t")
    assert (len(table), table.shape, table.ndim, table.dtype) == (5, (5, 3), 2, np.float32)
    module = Embedding(5, 3)
    rows = module.apply({"params": {"table": table}}, IDS[0], method="vectors")
    np.testing.assert_array_equal(rows, TABLE[IDS[0]])
    assert [ids.shape for ids in table.lookups] == [(2, 3)]
    with pytest.raises(ScopeParamShapeError):
        Embedding(6, 3).apply({"params": {"table": table}}, IDS[0], method="vectors")


X = jnp.ones((2, 5))
custom = jax.custom_vjp(lambda table: table)
custom.defvjp(lambda table: (table, None), lambda saved, d: (d,))
USES = {
    "transposed": lambda t: t.T,
    "narrowed": lambda t: t.astype(jnp.bfloat16),
    "summed": lambda t: t.sum(),
    "in a matmul": lambda t: jnp.matmul(X, t),
    "after @": lambda t: X @ t,
    "before @": lambda t: t @ X,
    "in dot_general": lambda t: lax.dot_general(X, t, (((1,), (0,)), ((), ()))),
    "in an einsum": lambda t: jnp.einsum("ij,jk", X, t),
    "times a number": lambda t: t * 2.0,
    "times an array of NumPy": lambda t: np.ones((5, 3)) * t,
    "as an array": jnp.asarray,
    "as an array of NumPy": np.asarray,
    "in take": lambda t: jnp.take(t, IDS[0], axis=0),
    "its columns": lambda t: t[:, 0],
    "by a mask": lambda t: t[np.ones(5, bool)],
    "by a float": lambda t: t[1.0],
    "row by row": list,
    "as an operand of jit": jax.jit(lambda t: t),
    "as an operand of a rule of differentiation": custom,
    "as a constant": lax.stop_gradient,
    "in a scan": lambda t: lax.scan(lambda carry, row: (carry, row), 0, t),
    "updated": lambda t: t.at[0].set(1),
}


@pytest.mark.parametrize("use", USES)
def test_every_other_use_is_refused_by_name(use):
    table = RowTable(jnp.asarray(TABLE), "body/table")
    with pytest.raises(TypeError):
        USES[use](table)
    assert str(table.error).startswith("the parameter body/table is used as a whole (")


INNER = {
    "scan": lambda t: lax.scan(lambda carry, i: (carry, t[i]), 0, jnp.arange(2)),
    "jit": lambda t: jax.jit(lambda i: t[i])(0),
    "vmap": lambda t: jax.vmap(lambda i: t[i])(jnp.arange(2)),
    "checkpoint": lambda t: jax.checkpoint(lambda i: t[i])(0),
    "cond": lambda t: lax.cond(True, lambda: t[0], lambda: t[1]),
}


@pytest.mark.parametrize("inner", INNER)
def test_a_lookup_inside_another_function_of_jax_is_refused(inner):
    with pytest.raises(RowTableError, match=r"body/table are looked up inside a scan, jit, vmap or checkpoint"):
        INNER[inner](RowTable(jnp.asarray(TABLE), "body/table"))


def test_without_gradient_it_is_the_table_itself():
    tree = without_gradient({"a": RowTable(jnp.asarray(TABLE), "t"), "b": jnp.ones(2)})
    np.testing.assert_array_equal(tree["a"], TABLE)
    assert jax.grad(lambda b: (without_gradient({"b": b})["b"] ** 2).sum())(jnp.ones(2)).tolist() == [0, 0]
