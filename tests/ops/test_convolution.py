"""Convolutions against PyTorch's, Keras's and their own matrices, and those against plain loops."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from jaxseq.ops.convolution import convolution_matrix, convolve, convolve_transposed
from jaxseq.ops.spatial import windows

F = torch.nn.functional
CONVOLVE = {1: F.conv1d, 2: F.conv2d}
TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d}


def drawn(size, kernel):
    """x, kernel and bias for 2 rows, from 3 channels to 4."""
    return random(2, *size, 3), random(*kernel, 3, 4), random(4)


EXPLICIT = [
    # size, kernel, stride, dilation, padding before and behind along each axis
    ((7,), (3,), 2, 1, [(1, 1)]),
    ((8,), (4,), 3, 1, [(2, 0)]),
    ((9,), (2,), 1, 3, [(3, 3)]),
    ((7, 8), (3, 3), 1, 1, [(1, 1), (1, 1)]),
    ((7, 8), (3, 2), (2, 3), 1, [(0, 1), (1, 0)]),
    ((9, 8), (2, 3), 2, (2, 1), [(0, 0), (2, 1)]),
]


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation", "padding"), EXPLICIT)
def test_a_convolution_equals_pytorchs_on_values_and_gradients(size, kernel, stride, dilation, padding):
    def theirs(x, kernel, bias):
        x = F.pad(channels_first(x), [number for pair in reversed(padding) for number in pair])
        y = CONVOLVE[len(size)](x, kernel_of_torch(kernel), bias, stride=stride, dilation=dilation)
        return channels_last(y)

    def ours(x, kernel, bias):
        return convolve(x, kernel, bias, stride=stride, dilation=dilation, padding=padding)

    arguments = drawn(size, kernel)
    assert_close(in_jax(ours, *arguments), in_torch(theirs, *arguments))


@on_keras
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding"),
    [
        ((7,), (3,), 2, 1, "valid"),
        ((8,), (3,), 2, 1, "same"),
        ((7, 8), (3, 3), 2, 1, "same"),
        ((7, 8), (4, 2), 1, 1, "same"),
        ((9, 7), (3, 3), 1, 2, "same"),
        ((7, 9), (2, 5), 3, 1, "valid"),
    ],
)
def test_a_convolution_equals_keras_on_values_and_gradients(size, kernel, stride, dilation, padding):
    def theirs(x, kernel, bias):
        return keras.ops.conv(x, kernel, strides=stride, padding=padding, dilation_rate=dilation) + bias

    def ours(x, kernel, bias):
        return convolve(x, kernel, bias, stride=stride, dilation=dilation, padding=padding)

    arguments = drawn(size, kernel)
    assert_close(in_jax(ours, *arguments), in_jax(theirs, *arguments))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding", "more"),
    [
        ((5,), (3,), 2, 1, 1, 1),
        ((5,), (4,), 3, 1, 0, 2),
        ((4, 5), (3, 3), 2, 1, 1, 0),
        ((4, 5), (3, 3), 2, 1, 1, 1),
        ((4, 5), (2, 5), 2, 1, 0, 1),
        ((5, 4), (3, 2), 1, 2, 1, 0),
        ((3, 3), (2, 2), 3, 1, 0, 0),
    ],
)
def test_a_transposed_convolution_equals_pytorchs_on_values_and_gradients(
    size, kernel, stride, dilation, padding, more
):
    def theirs(x, kernel, bias):
        options = {"stride": stride, "padding": padding, "output_padding": more, "dilation": dilation}
        y = TRANSPOSE[len(size)](channels_first(x), kernel_of_torch(kernel.swapaxes(-1, -2)), bias, **options)
        return channels_last(y)

    arguments = drawn(size, kernel)
    expected = in_torch(theirs, *arguments)

    def ours(x, kernel, bias):
        options = {"stride": stride, "dilation": dilation, "padding": [(padding, padding)] * len(size)}
        asked = expected[0].shape[1:-1] if more else None
        return convolve_transposed(x, kernel, bias, output_size=asked, convention="pytorch", **options)

    assert_close(in_jax(ours, *arguments), expected)


@on_keras
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding"),
    [
        ((5,), (3,), 2, 1, "same"),
        ((5,), (2,), 3, 1, "valid"),
        ((4, 5), (3, 3), 2, 1, "same"),
        ((4, 5), (3, 3), 2, 1, "valid"),
        ((4, 5), (4, 2), 2, 1, "same"),
        ((5, 4), (4, 4), 1, 1, "same"),
        ((5, 4), (3, 2), 1, 2, "valid"),
    ],
)
def test_a_transposed_convolution_equals_keras_on_values_and_gradients(size, kernel, stride, dilation, padding):
    def theirs(x, kernel, bias):
        options = {"strides": stride, "padding": padding, "dilation_rate": dilation}
        return keras.ops.conv_transpose(x, kernel.swapaxes(-1, -2), **options) + bias

    def ours(x, kernel, bias):
        return convolve_transposed(x, kernel, bias, stride=stride, dilation=dilation, padding=padding)

    arguments = drawn(size, kernel)
    assert_close(in_jax(ours, *arguments), in_jax(theirs, *arguments))


@pytest.mark.parametrize(("kernel", "padding", "more"), [(3, 1, 1), (5, 2, 1)])
def test_same_with_stride_2_is_keras_or_pytorchs_and_these_lie_a_pixel_apart(kernel, padding, more):
    """keras#22876: neither is wrong, so the one that is meant is named."""
    x, weights, _ = drawn((4, 5), (kernel, kernel))
    rest = {"stride": 2, "padding": "same"}
    one, other = (np.asarray(convolve_transposed(x, weights, convention=c, **rest)) for c in ("keras", "pytorch"))
    options = {"stride": 2, "padding": padding, "output_padding": more}
    y = F.conv_transpose2d(
        channels_first(torch.tensor(x)), kernel_of_torch(torch.tensor(weights).swapaxes(-1, -2)), **options
    )
    np.testing.assert_allclose(other, channels_last(y), atol=1e-5)
    theirs = keras.ops.conv_transpose(x, weights.swapaxes(-1, -2), strides=2, padding="same")
    np.testing.assert_allclose(one, keras.ops.convert_to_numpy(theirs), atol=1e-5)
    np.testing.assert_allclose(one[:, 1:, 1:], other[:, :-1, :-1], atol=1e-5)
    assert not np.allclose(one, other, atol=0.1)


@pytest.mark.parametrize("padding", ["valid", "same", [(1, 0), (1, 1)]])
@pytest.mark.parametrize("size", [(7, 8), (8, 9)])
def test_a_convolution_is_undone_in_shape_by_the_size_that_it_came_from(size, padding):
    """flax#1872: without that size it is lost whether it was even or odd."""
    down = convolve(random(1, *size, 1), random(3, 3, 1, 1), stride=2, padding=padding)
    up = convolve_transposed(down, random(3, 3, 1, 1), stride=2, padding=padding, output_size=size)
    assert up.shape == (1, *size, 1)


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation", "padding"), EXPLICIT)
def test_the_gradient_of_a_convolution_is_the_transposed_one_and_the_other_way_round(
    size, kernel, stride, dilation, padding
):
    x, weights, _ = drawn(size, kernel)
    rest = {"stride": stride, "dilation": dilation, "padding": padding}
    turned = weights.swapaxes(-1, -2)
    y, d_x, _ = in_jax(lambda x, kernel: convolve(x, kernel, **rest), x, weights)
    d = random(*y.shape, seed=1)
    up, d_up, _ = in_jax(lambda y, k: convolve_transposed(y, k, output_size=size, **rest), d, turned)
    np.testing.assert_allclose(d_x, up, atol=1e-5)
    back = convolve(random(*x.shape, seed=1), weights, **rest)
    np.testing.assert_allclose(d_up, back, atol=1e-5)


def by_loops(x, kernel, geometry):
    """The definition, place by place; x [n, d] or [h, w, d]."""
    y = np.zeros((*geometry.output, kernel.shape[-1]))
    axes = list(zip(geometry.stride, geometry.dilation, geometry.padding, geometry.size, strict=True))
    for out in itertools.product(*map(range, geometry.output)):
        for place in itertools.product(*map(range, geometry.kernel)):
            at = tuple(o * s + p * d - pad[0] for o, p, (s, d, pad, _) in zip(out, place, axes, strict=True))
            if all(0 <= i < n for i, (*_, n) in zip(at, axes, strict=True)):
                y[out] += x[at] @ kernel[place]
    return y


@settings(max_examples=20)
@given(data=st.data())
def test_a_convolution_is_its_matrix_and_the_transposed_one_the_transpose_of_it(data):
    axes = data.draw(st.sampled_from([1, 2]))

    def each(low, high):
        return tuple(data.draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    size = tuple((k - 1) * d + more for k, d, more in zip(kernel, dilation, each(1, 3), strict=True))
    padding = data.draw(st.sampled_from(["valid", "same", [(1, 0)] * axes]))
    x, weights = random(*size, 2), random(*kernel, 2, 3)
    geometry = windows(size, kernel, stride, dilation, padding)
    rest = {"stride": stride, "dilation": dilation, "padding": padding}

    matrix = np.asarray(convolution_matrix(weights, size, **rest))
    expected = by_loops(x, weights, geometry)
    np.testing.assert_allclose((matrix @ x.reshape(-1)).reshape(expected.shape), expected, atol=1e-5)
    np.testing.assert_allclose(convolve(x[None], weights, **rest)[0], expected, atol=1e-5)

    y = random(*expected.shape)
    up = convolve_transposed(y[None], weights.swapaxes(-1, -2), output_size=size, **rest)[0]
    np.testing.assert_allclose(up, (matrix.T @ y.reshape(-1)).reshape(x.shape), atol=1e-5)


def test_what_is_not_finite_reaches_the_outputs_that_see_it_and_no_other():
    x, kernel, _ = drawn((7, 7), (3, 3))
    spoilt = x.copy()
    spoilt[0, 3, 2, 1] = np.nan
    for function, seen in (
        (lambda x: convolve(x, kernel), (slice(1, 4), slice(0, 3))),
        (lambda x: convolve_transposed(x, kernel, stride=2), (slice(6, 9), slice(4, 7))),
    ):
        clean, dirty = np.array(function(x)), np.array(function(spoilt))
        assert np.isnan(dirty[0][seen]).all()
        dirty[0][seen] = clean[0][seen] = 0
        np.testing.assert_array_equal(dirty, clean)
    # And the kernel where it multiplies that channel, though the gradient of what saw it is zero.
    d_kernel = jax.jit(jax.grad(lambda kernel: convolve(spoilt, kernel)[1].sum()))(kernel)
    assert np.isnan(d_kernel[:, :, 1]).all()
    assert np.isfinite(d_kernel[:, :, [0, 2]]).all()


def test_products_have_the_type_of_x_and_the_gradient_of_the_bias_adds_up_in_float32():
    x, kernel, bias = drawn((8, 8), (3, 3))
    wide = convolve(x, kernel, bias)
    narrow = convolve(jnp.asarray(x, jnp.bfloat16), kernel, bias)
    assert (wide.dtype, narrow.dtype) == (jnp.float32, jnp.bfloat16)
    np.testing.assert_allclose(narrow.astype(jnp.float32), wide, atol=0.1)
    ones = jnp.ones((1, 4096, 1), jnp.bfloat16)
    _, pull = jax.vjp(lambda bias: convolve(ones, jnp.ones((1, 1, 1)), bias), jnp.ones(1))
    assert pull(ones.at[0, 0].set(2))[0] == 4097  # bfloat16 knows no integer between 4096 and 4128


def test_no_rows_and_no_places_give_none():
    kernel = random(3, 1, 2)
    assert convolve(np.zeros((0, 5, 1), np.float32), kernel).shape == (0, 3, 2)
    assert convolve(np.zeros((2, 0, 1), np.float32), kernel, padding="same").shape == (2, 0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convolve(random(1, 5, 5, 3), random(3, 3, 2, 4)), r"is for 2 channels and x .* has 3: give a kernel"),
        (lambda: convolve(random(1, 5, 3), random(3, 3, 3, 4)), "does not go with x .*: give one of 3 axes"),
        (lambda: convolve(random(1, 5, 5, 5, 3), random(3, 3, 3, 3, 4)), "3 axes cannot be convolved"),
        (lambda: convolve(random(1, 3), random(3, 4)), "0 axes cannot be convolved"),
        (lambda: convolve_transposed(random(1, 5, 3), random(3, 4, 2)), "is for 4 channels and x .* has 3"),
        (lambda: convolution_matrix(random(1, 1, 1, 1, 1), 3), "3 axes cannot be convolved"),
        (lambda: convolve(random(1, 5, 3), random(7, 3, 2)), "a kernel of 7 .* does not go into the 5"),
    ],
)
def test_x_and_kernel_that_do_not_go_together_are_refused_by_name(unchecked, call, message):
    with pytest.raises(ValueError, match=message):
        call()
