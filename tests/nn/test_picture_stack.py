"""A stack of layers over pictures: its parameters, and what goes from one stack to another."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxseq.nn.picture_stack import PictureStack, layer_kind, layer_names
from jaxseq.ops.picture_layers import Convolution, MaxPool, Upsample

DOWN = (Convolution(5), MaxPool(2, "same"), Convolution(4, kernel=2), MaxPool(2, "same"))
UP = (Upsample("unpool"), Convolution(5, transposed=True), Upsample("unpool"), Convolution(3, activation="linear"))


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def test_a_convolution_has_a_kernel_and_a_bias_by_its_number():
    shapes = jax.eval_shape(PictureStack(DOWN, channels=3).init, jax.random.key(0), jnp.zeros((1, 9, 7, 3)))
    assert jax.tree.map(lambda leaf: leaf.shape, shapes["params"]) == {
        "conv_0": {"kernel": (3, 3, 3, 5), "bias": (5,)},
        "conv_1": {"kernel": (2, 2, 5, 4), "bias": (4,)},
    }


@pytest.mark.parametrize("transposed", [False, True])
def test_kernels_begin_as_those_of_keras_do(transposed):
    stack = PictureStack((Convolution(40, transposed=transposed),), channels=20)
    params = jax.jit(stack.init)(jax.random.key(3), jnp.zeros((1, 4, 4, 20)))["params"]["conv_0"]
    make = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    layer = make(40, 3)
    layer.build((None, 4, 4, 20))
    theirs = np.asarray(layer.kernel)
    assert np.abs(params["kernel"]).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
    assert params["kernel"].std() == pytest.approx(theirs.std(), rel=0.03)
    assert not params["bias"].any()


def test_what_one_stack_remembers_another_one_puts_back():
    x = pictures(2, 9, 7, 3)
    whole = PictureStack((*DOWN, *UP), channels=3)
    expected, variables = jax.jit(whole.init_with_output)(jax.random.key(0), x)
    assert expected[1] == ()
    params = variables["params"]
    down, up = PictureStack(DOWN, channels=3), PictureStack(UP, channels=4)
    assert (down.features, up.features) == (4, 3)

    @jax.jit
    def run(params, x):
        own = {"conv_0": params["conv_2"], "conv_1": params["conv_3"]}
        codes, places = down.apply({"params": params}, x, remember=True)
        return codes, places, up.apply({"params": own}, codes, places=places)[0]

    codes, places, back = run({name: params[name] for name in params}, x)
    assert codes.shape == (2, 3, 2, 4)
    assert len(places) == 2
    np.testing.assert_allclose(back, expected[0], rtol=1e-5, atol=1e-6)


def test_layers_are_numbered_by_their_kind_and_say_what_they_do():
    layers = (*DOWN, *UP)
    assert layer_names(layers) == ["conv_0", "pool_0", "conv_1", "pool_1", "up_0", "conv_2", "up_1", "conv_3"]
    assert [layer_kind(layer) for layer in layers] == [
        "3 x 3 same relu",
        "max pooling 2 same",
        "2 x 2 same relu",
        "max pooling 2 same",
        "unpool 2",
        "transposed 3 x 3 same relu",
        "unpool 2",
        "3 x 3 same linear",
    ]


def test_it_computes_in_its_type_and_a_stack_without_convolutions_has_no_parameters():
    x = pictures(1, 4, 4, 2)
    (y, _), variables = PictureStack((MaxPool(), Upsample()), 2, jnp.bfloat16).init_with_output(jax.random.key(0), x)
    assert variables == {}
    assert y.dtype == jnp.bfloat16
    highest = x.reshape(1, 2, 2, 2, 2, 2).max(axis=(2, 4))
    expected = highest.astype(jnp.bfloat16).repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(y, expected)
