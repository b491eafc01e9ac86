"""The causal convolution: the laws of the carry, and Keras's and PyTorch's numbers."""

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects
from spatial_peers import assert_close, in_jax, in_torch, keras, kernel_of_torch, on_keras, random, torch

from jaxseq.nn import CausalConv, ConvCarry, SequenceLayer

LAYERS = {
    "kernel_3": CausalConv(4, 3, inputs=3),
    "dilated": CausalConv(3, 2, dilation=2, bias=False),
}
SUBJECTS = [
    subjects.of_layer(name, layer, features=3, initial_carry=layer.initial_carry) for name, layer in LAYERS.items()
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)


@on_keras
@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (2, 3), (1, 1)])
def test_it_equals_keras_and_pytorch_on_values_and_gradients(kernel_size, dilation):
    x, kernel, bias = random(2, 7, 3), random(kernel_size, 3, 4), random(4)
    layer = CausalConv(4, kernel_size, inputs=3, dilation=dilation)
    result = in_jax(lambda x, k, b: layer.apply({"params": {"kernel": k, "bias": b}}, x)[0], x, kernel, bias)

    theirs = keras.layers.Conv1D(4, kernel_size, padding="causal", dilation_rate=dilation)
    theirs.build(x.shape)
    assert_close(result, in_jax(lambda x, k, b: theirs.stateless_call([k, b], [], x)[0], x, kernel, bias))

    def of_torch(x, kernel, bias):
        x = torch.nn.functional.pad(x.movedim(-1, 1), ((kernel_size - 1) * dilation, 0))
        y = torch.nn.functional.conv1d(x, kernel_of_torch(kernel), bias, dilation=dilation)
        return y.movedim(1, -1)

    assert_close(result, in_torch(of_torch, x, kernel, bias))


def test_the_carry_is_the_last_real_inputs():
    layer, x = CausalConv(4, 3, inputs=2), random(1, 4, 2)
    params = layer.init(jax.random.key(0), x)
    mask = jnp.array([[True, False, True, False]])
    _, carry = layer.apply(params, x, mask=mask)
    assert isinstance(carry, ConvCarry)
    np.testing.assert_array_equal(carry.inputs, x[:, [0, 2]])
    _, carry = layer.apply(params, x, carry, mask=mask, reset=jnp.array([[False, False, True, False]]))
    np.testing.assert_array_equal(carry.inputs, np.stack([np.zeros(2), x[0, 2]])[None])


def test_it_is_a_sequence_layer_whose_kernel_starts_as_keras():
    layer = CausalConv(16, 5, inputs=8)
    assert isinstance(layer, SequenceLayer)
    params = layer.init(jax.random.key(0), jnp.zeros((1, 2, 8)))["params"]
    limit = np.sqrt(6 / (5 * (8 + 16)))
    assert params["kernel"].shape == (5, 8, 16)
    assert limit * 0.98 < np.abs(params["kernel"]).max() <= limit
    assert not params["bias"].any()


def test_what_does_not_fit_is_refused_by_name(unchecked):
    with pytest.raises(ValueError, match="x has 3 channels and the carry 4: give inputs=3"):
        CausalConv(4, 3).init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    with pytest.raises(ValueError, match="kernel_size 0 cannot be used: give whole numbers from 1"):
        CausalConv(4, 0)
    with pytest.raises(ValueError, match="dilation 0 cannot be used"):
        CausalConv(4, 3, dilation=0)
