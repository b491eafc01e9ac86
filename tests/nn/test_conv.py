"""Convolutional layers against PyTorch's and Keras's; what they compute is tested in tests/ops/test_convolution.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from spatial_peers import (
    assert_close,
    channels_first,
    channels_last,
    in_jax,
    in_torch,
    keras,
    kernel_of_torch,
    on_keras,
    random,
    torch,
)

from jaxseq.nn import Conv, ConvTranspose


def ours(layer, **options):
    """The layer as a function of x, kernel and bias."""

    def run(x, kernel, *bias):
        names = {"kernel": kernel, **({"bias": bias[0]} if bias else {})}
        return layer.apply({"params": names}, x, **options)

    return run


def theirs(layer, transposed=False):
    """The same of PyTorch's."""

    def run(x, kernel, *bias):
        kernel = kernel.swapaxes(-1, -2) if transposed else kernel
        names = {"weight": kernel_of_torch(kernel), **({"bias": bias[0]} if bias else {})}
        return channels_last(torch.func.functional_call(layer, names, (channels_first(x),)))

    return run


def of_keras(layer, x, transposed=False):
    """The same of Keras's."""
    layer.build((None, *x.shape[1:]))

    def run(x, kernel, *bias):
        kernel = kernel.swapaxes(-1, -2) if transposed else kernel
        return layer.stateless_call([kernel, *bias], [], x)[0]

    return run


@pytest.mark.parametrize("bias", [True, False])
def test_conv_is_conv1d_and_conv2d_of_pytorch_and_keras(bias):
    line, picture = random(2, 9, 3), random(2, 7, 8, 3)
    weights = (random(3, 3, 4), random(4)) if bias else (random(3, 3, 4),)
    result = in_jax(ours(Conv(4, 3, dilation=2, padding=[(2, 2)], bias=bias)), line, *weights)
    peer = torch.nn.Conv1d(3, 4, 3, dilation=2, padding=2, bias=bias, device="meta")
    assert_close(result, in_torch(theirs(peer), line, *weights))

    weights = (random(3, 2, 3, 4), *weights[1:])
    result = in_jax(ours(Conv(4, (3, 2), stride=2, padding="same", bias=bias)), picture, *weights)
    same = of_keras(keras.layers.Conv2D(4, (3, 2), 2, "same", use_bias=bias), picture)
    assert_close(result, in_jax(same, picture, *weights))


@on_keras
def test_conv_transpose_is_that_of_pytorch_and_of_keras_as_its_convention_says():
    x, weights = random(2, 4, 5, 3), (random(3, 3, 3, 4), random(4))
    options = {"stride": 2, "padding": "same"}
    peer = torch.nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1, device="meta")
    result = in_jax(ours(ConvTranspose(4, 3, convention="pytorch", **options)), x, *weights)
    assert_close(result, in_torch(theirs(peer, transposed=True), x, *weights))
    same = of_keras(keras.layers.Conv2DTranspose(4, 3, 2, "same"), x, transposed=True)
    assert_close(in_jax(ours(ConvTranspose(4, 3, **options)), x, *weights), in_jax(same, x, *weights))


def test_conv_transpose_goes_back_to_the_size_that_is_asked_for():
    x, layer = random(2, 4, 1), ConvTranspose(3, 3, stride=2, padding="same", bias=False)
    params = layer.init(jax.random.key(0), x)
    assert params["params"].keys() == {"kernel"}
    assert [layer.apply(params, x, output_size=n).shape for n in (None, 7)] == [(2, 8, 3), (2, 7, 3)]


@pytest.mark.parametrize("layer", [Conv(16, (5, 7)), ConvTranspose(16, (5, 7))], ids=["conv", "transposed"])
def test_kernels_start_as_keras_and_biases_at_zero(layer):
    """Uniform up to sqrt(6 / (fan in + fan out)), each fan the channels times the places of a window."""
    params = jax.jit(layer.init)(jax.random.key(0), jnp.zeros((1, 9, 9, 8)))["params"]
    assert params["kernel"].shape == (5, 7, 8, 16)
    limit = np.sqrt(6 / (35 * (8 + 16)))
    assert limit * 0.99 < np.abs(params["kernel"]).max() <= limit
    np.testing.assert_allclose(params["kernel"].std(), limit / np.sqrt(3), rtol=0.03)
    assert params["bias"].tolist() == [0] * 16


def test_products_and_results_have_the_type_asked_for_and_parameters_stay_float32():
    x, layer = random(2, 6, 6, 3), Conv(4, 3)
    params = layer.init(jax.random.key(0), x)
    narrow = layer.clone(dtype=jnp.bfloat16)
    y = narrow.apply(params, x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), layer.apply(params, x), atol=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(narrow.init(jax.random.key(0), x))} == {np.dtype(np.float32)}


def test_with_a_mask_padding_is_zeros_whatever_it_holds_and_so_are_its_outputs():
    """As each row alone, where its padding is on the right; gradients too."""
    x, layer, lengths = random(3, 6, 2), Conv(4, 3, padding="same"), (6, 3, 0)
    params = layer.init(jax.random.key(0), x)
    mask = np.arange(6) < np.array(lengths)[:, None]
    dirty = np.where(mask[..., None], x, np.nan).astype(np.float32)

    def masked(x, kernel):
        return layer.apply({"params": {**params["params"], "kernel": kernel}}, x, mask=jnp.asarray(mask))

    y, d_x, d_kernel = in_jax(masked, dirty, params["params"]["kernel"])
    for row, length in enumerate(lengths[:2]):
        np.testing.assert_allclose(y[row, :length], layer.apply(params, x[row : row + 1, :length])[0], atol=1e-5)
    assert not y[~mask].any()
    assert not d_x[~mask].any()
    assert np.isfinite(d_kernel).all()
    for mine, clean in zip((y, d_x, d_kernel), in_jax(masked, x, params["params"]["kernel"]), strict=True):
        np.testing.assert_array_equal(mine, clean)


@pytest.mark.parametrize(
    ("layer", "shape", "mask", "message"),
    [
        (Conv(4, 3), (2, 6, 2), (2, 6), "a mask of 6 steps is not one of 4 outputs: .* stride 1 and padding 'same'"),
        (Conv(4, 3, padding="same"), (2, 6, 2), (2, 5), r"a mask of shape \(2, 5\) is not one of x \(2, 6, 2\)"),
        (Conv(4, 3, padding="same"), (2, 6, 6, 2), (2, 6), r"a mask of shape \(2, 6\) is not one of x \(2, 6, 6, 2\)"),
        (Conv(4, (3, 3)), (2, 6, 2), None, r"kernel_size \(3, 3\) has 2 numbers for 1 axes"),
        (ConvTranspose(4, 3, stride=0), (2, 6, 2), None, "stride 0 cannot be used"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(unchecked, layer, shape, mask, message):
    options = {} if mask is None else {"mask": jnp.ones(mask, bool)}
    with pytest.raises(ValueError, match=message):
        layer.init(jax.random.key(0), jnp.zeros(shape), **options)
