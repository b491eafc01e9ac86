import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxseq.ops.activations import gelu, gelu_tanh


def test_gelu_agrees_with_torch_on_values_and_slopes():
    x = np.linspace(-12, 12, 4001).astype(np.float32)
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.gelu(leaf)
    expected.sum().backward()
    y, pull = jax.vjp(gelu, x)
    np.testing.assert_allclose(y, expected.detach(), atol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], leaf.grad, atol=1e-6)


def test_the_approximation_by_tanh_agrees_with_torch_on_values_and_slopes():
    x = np.linspace(-12, 12, 4001).astype(np.float32)
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.gelu(leaf, approximate="tanh")
    expected.sum().backward()
    y, pull = jax.vjp(gelu_tanh, x)
    np.testing.assert_allclose(y, expected.detach(), atol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], leaf.grad, atol=2e-6)
    far = jnp.array([-1e38, -1e4, 1e4, 1e38])
    y, pull = jax.vjp(gelu_tanh, far)
    np.testing.assert_array_equal(y, [0, 0, *far[2:]])
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0], [0, 0, 1, 1])


def test_gelu_keeps_the_type_of_its_input():
    y, pull = jax.vjp(gelu, jnp.array([-1.0, 0.0, 2.0], jnp.bfloat16))
    assert y.dtype == pull(y)[0].dtype == jnp.bfloat16
