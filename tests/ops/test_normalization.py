import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxseq.ops.normalization import layer_norm


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_layer_norm_agrees_with_torch_on_values_and_gradients(with_bias, offset):
    x, scale, bias, d_y = drawn((3, 5, 16), (16,), (16,), (3, 5, 16))
    arguments = [x + np.float32(offset), scale, bias][: 3 if with_bias else 2]
    y, pull = jax.vjp(layer_norm, *arguments)
    leaves = [torch.tensor(a, requires_grad=True) for a in arguments]
    expected = torch.nn.functional.layer_norm(leaves[0], (16,), *leaves[1:])
    gradients = torch.autograd.grad(expected, leaves, torch.tensor(d_y))
    tolerance = 1e-5 if offset == 0 else 1e-3  # float32 keeps five digits of 100
    np.testing.assert_allclose(y, expected.detach(), atol=tolerance)
    for have, want in zip(pull(d_y), gradients, strict=True):
        np.testing.assert_allclose(have, want, atol=tolerance)


def test_constant_features_give_zeros_and_finite_gradients():
    y, pull = jax.vjp(layer_norm, jnp.full((2, 8), 3.0), jnp.ones(8))
    assert not y.any()
    assert all(np.isfinite(g).all() for g in pull(jnp.ones((2, 8))))


def test_bfloat16_is_normalised_in_float32():
    x, scale, d_y = drawn((4, 64), (64,), (4, 64))
    low = jnp.asarray(x, jnp.bfloat16)
    y, pull = jax.vjp(layer_norm, low, scale)
    expected, expected_pull = jax.vjp(layer_norm, low.astype(jnp.float32), scale)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, expected.astype(jnp.bfloat16))
    rounded = jnp.asarray(d_y, jnp.bfloat16)
    for have, want in zip(pull(rounded), expected_pull(rounded.astype(jnp.float32)), strict=True):
        np.testing.assert_allclose(have.astype(jnp.float32), want, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_row_that_is_not_finite_has_no_part_in_the_gradient_unless_it_counts(value):
    x, scale, d_y = drawn((4, 8), (8,), (4, 8))
    d_y[1] = 0
    y, pull = jax.vjp(layer_norm, jnp.asarray(x).at[1].set(value), jnp.asarray(scale))
    expected, expected_pull = jax.vjp(layer_norm, jnp.asarray(x), jnp.asarray(scale))
    rest = np.arange(4) != 1
    assert not np.isfinite(y[1]).any()
    np.testing.assert_array_equal(y[rest], expected[rest])
    for have, want in zip(pull(d_y), expected_pull(d_y), strict=True):
        np.testing.assert_allclose(have, want, atol=1e-6)
    assert np.isnan(pull(jnp.ones((4, 8), jnp.float32))[0][1]).all()
