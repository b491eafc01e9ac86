import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops.finite import finite_rows, poison, product, row_table


def test_rows_that_are_not_finite_become_zeros_and_are_told():
    x = jnp.array([[1.0, 2.0], [np.nan, 1.0], [3.0, np.inf]], jnp.float32)
    clean, sound = finite_rows(x)
    assert clean.tolist() == [[1, 2], [0, 0], [0, 0]]
    assert sound.tolist() == [True, False, False]


def test_poison_is_in_the_gradient_where_one_is_asked_for_and_nowhere_else():
    sound = jnp.array([[True], [False]])
    y, pull = jax.vjp(lambda y: poison(y, sound), jnp.ones((2, 2), jnp.float32))
    np.testing.assert_array_equal(y, [[1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(pull(jnp.array([[0.0, 2.0], [0.0, 2.0]], jnp.float32))[0], [[0, 2], [0, np.nan]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", ["product", "row_table"])
def test_a_row_that_is_not_finite_has_no_part_in_a_gradient_unless_it_counts(function, value):
    rng = np.random.default_rng(0)
    x, kernel, d = (rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (3, 5), (4, 5)))
    spoilt = x.copy()
    spoilt[1, 2] = value
    if function == "product":
        times = lambda x, kernel: product(x, kernel, dtype=jnp.float32)  # noqa: E731
    else:
        times = lambda x, kernel: row_table(x, kernel, jnp.float32)  # noqa: E731
    y, pull = jax.vjp(times, spoilt, kernel)
    rest = np.arange(4) != 1
    assert not np.isfinite(y[1]).any()
    np.testing.assert_allclose(y[rest], (x @ kernel)[rest], atol=1e-6)
    d_x, d_kernel = pull(jnp.asarray(d * rest[:, None]))
    np.testing.assert_allclose(d_x, (d * rest[:, None]) @ kernel.T, atol=1e-6)
    np.testing.assert_allclose(d_kernel, x.T @ (d * rest[:, None]), atol=1e-6)
    # What comes back from a loss of NaN is NaN, and stays one.
    assert np.isnan(pull(jnp.asarray(np.where(rest[:, None], d, np.nan)))[1]).any()
