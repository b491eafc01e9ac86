"""The linear layer against PyTorch's and Keras's."""

import jax
import numpy as np
import pytest
from spatial_peers import assert_close, in_jax, in_torch, keras, on_keras, random, torch

from jaxseq.nn import Linear


@on_keras
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_equals_pytorchs_and_keras_on_values_and_gradients(shape, bias):
    x, kernel = random(*shape), random(3, 5)
    params = {"kernel": kernel, "bias": random(5)} if bias else {"kernel": kernel}
    layer, names = Linear(5, bias=bias), list(params)

    def ours(x, *weights):
        return layer.apply({"params": dict(zip(names, weights, strict=True))}, x)

    result = in_jax(ours, x, *params.values())

    def of_torch(x, kernel, *bias):
        return torch.nn.functional.linear(x, kernel.T, *bias)

    assert_close(result, in_torch(of_torch, x, *params.values()))

    theirs = keras.layers.Dense(5, use_bias=bias)
    theirs.build((None, 3))

    def of_keras(x, *weights):
        rows = x[None] if x.ndim == 1 else x
        return theirs.stateless_call(weights, [], rows)[0].reshape(*x.shape[:-1], 5)

    assert_close(result, in_jax(of_keras, x, *params.values()))


def test_it_starts_as_gpt_2s_or_as_keras_with_a_bias_of_zeros():
    x = random(1, 300)
    normal, uniform = (Linear(200, initial_scale=scale).init(jax.random.key(0), x)["params"] for scale in (0.02, None))
    assert not normal["bias"].any()
    np.testing.assert_allclose(normal["kernel"].std(), 0.02, rtol=0.02)
    limit = np.sqrt(6 / (300 + 200))
    assert np.abs(uniform["kernel"]).max() <= limit
    np.testing.assert_allclose(uniform["kernel"].std(), limit / np.sqrt(3), rtol=0.02)
