"""Functions of PyTorch's and Keras's beside ours, with channels last, on values and gradients."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

on_keras = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="gradients are taken through Keras's JAX backend"
)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def few_values(*shape: int) -> np.ndarray:
    """Of which many are equal."""
    return np.random.default_rng(shape).integers(0, 4, shape).astype(np.float32)


def in_jax(function: Callable[..., Any], *arguments: Any) -> list[np.ndarray]:
    """The value and, for a gradient that is random but the same for a shape, the gradients of the arguments."""
    d = random(*jax.eval_shape(function, *arguments).shape, seed=1)

    @jax.jit
    def both(arguments: Any) -> Any:
        value, pull = jax.vjp(function, *arguments)
        return value, *pull(d)

    return [np.asarray(each) for each in both(arguments)]


def in_torch(function: Callable[..., Any], *arguments: Any) -> list[np.ndarray]:
    """The same; `function` takes and gives tensors with channels last."""
    tensors = [torch.tensor(argument, requires_grad=True) for argument in arguments]
    value = function(*tensors)
    value.backward(torch.tensor(random(*value.shape, seed=1)))
    return [value.detach().numpy(), *(np.asarray(tensor.grad) for tensor in tensors)]


def channels_first(x: Any) -> Any:
    """A picture of PyTorch's."""
    return x.movedim(-1, 1)


def channels_last(x: Any) -> Any:
    return x.movedim(1, -1)


def kernel_of_torch(kernel: Any) -> Any:
    """[out, in, k, k] from [k, k, in, out]; for a transposed convolution, [k, k, out, in], [in, out, k, k]."""
    return kernel.movedim((-1, -2), (0, 1))


def assert_close(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float = 2e-5) -> None:
    for at, (mine, their) in enumerate(zip(ours, theirs, strict=True)):
        what = f"gradient {at - 1}" if at else "value"
        assert mine.shape == their.shape, what
        np.testing.assert_allclose(mine, their, rtol=tolerance, atol=tolerance, err_msg=what)
