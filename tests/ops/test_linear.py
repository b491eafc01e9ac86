import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops.linear import linear


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear_agrees_with_numpy_on_values_and_gradients(shape, transposed, with_bias):
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(size=shape), rng.normal(size=(3, 5)), rng.normal(size=5)
    d_y = rng.normal(size=(*shape[:-1], 5))
    stored = kernel.T if transposed else kernel
    y, pull = jax.vjp(
        lambda x, kernel, bias: linear(x, kernel, bias, transposed),
        *(jnp.asarray(a, jnp.float32) for a in (x, stored)),
        jnp.asarray(bias, jnp.float32) if with_bias else None,
    )
    np.testing.assert_allclose(y, x @ kernel + (bias if with_bias else 0), atol=1e-5)
    d_x, d_kernel, d_bias = pull(jnp.asarray(d_y, jnp.float32))
    flat_x, flat_d_y = x.reshape(-1, 3), d_y.reshape(-1, 5)
    np.testing.assert_allclose(d_x, d_y @ kernel.T, atol=1e-5)
    np.testing.assert_allclose(d_kernel, (flat_x.T @ flat_d_y).T if transposed else flat_x.T @ flat_d_y, atol=1e-5)
    if with_bias:
        np.testing.assert_allclose(d_bias, flat_d_y.sum(0), atol=1e-5)


def test_gradients_of_float32_weights_add_up_in_float32_under_bfloat16_inputs():
    x = jnp.ones((4096, 1), jnp.bfloat16)
    _, pull = jax.vjp(lambda kernel, bias: linear(x, kernel, bias), jnp.ones((1, 1)), jnp.ones(1))
    d_kernel, d_bias = pull(jnp.ones((4096, 1), jnp.bfloat16).at[0].set(2))
    assert d_kernel[0, 0] == d_bias[0] == 4097  # bfloat16 knows no integer between 4096 and 4128
