"""Convolutions whose windows lie side by side, against PyTorch, Keras and the convolution of any stride."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops import block_convolution
from jaxseq.ops.block_convolution import convolve_blocks, is_of_blocks
from jaxseq.ops.convolution import convolve
from jaxseq.ops.pixel_convolution import PixelScale, convolve_pixels
from jaxseq.ops.spatial import windows

SCALE = PixelScale((0.4, 0.5, 0.6), (0.3, 0.25, 0.2))


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def of_pytorch(x, kernel, d_y):
    """Values and both gradients."""
    x = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()
    kernel = torch.tensor(kernel).permute(3, 2, 0, 1).requires_grad_()
    y = torch.nn.functional.conv2d(x, kernel, stride=tuple(kernel.shape[2:]))
    y.backward(torch.tensor(d_y).permute(0, 3, 1, 2))
    assert x.grad is not None
    assert kernel.grad is not None
    return (
        y.detach().permute(0, 2, 3, 1).numpy(),
        x.grad.permute(0, 2, 3, 1).numpy(),
        kernel.grad.permute(2, 3, 1, 0).numpy(),
    )


@settings(max_examples=25)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    rest=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    at_once=st.sampled_from([1, 60, 10_000]),
    seed=st.integers(0, 99),
)
def test_values_and_gradients_are_pytorch_s_whatever_is_left_over_and_however_many_rows_go_together(
    rows, columns, rest, kernel, at_once, seed
):
    rest = [min(left, size - 1) for left, size in zip(rest, kernel, strict=True)]
    x = drawn(seed, 2, rows * kernel[0] + rest[0], columns * kernel[1] + rest[1], 3)
    weights, d_y = drawn(seed + 1, *kernel, 3, 4), drawn(seed + 2, 2, rows, columns, 4)
    before, block_convolution._AT_ONCE = block_convolution._AT_ONCE, at_once
    try:
        y, back = jax.vjp(lambda x, kernel: convolve_blocks(x, kernel, x.dtype), x, weights)
        found = y, *back(d_y)
    finally:
        block_convolution._AT_ONCE = before
    for ours, theirs in zip(found, of_pytorch(x, weights, d_y), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize(("stride", "padding"), [(5, "valid"), (3, "valid"), (2, "same")])
def test_pixels_are_scaled_first_whatever_the_formulation(stride, padding):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 21, 3), np.uint8)
    kernel, bias = drawn(1, 5, 5, 3, 4), drawn(2, 4)
    scaled = (pixels / np.float32(255) - np.float32(SCALE.mean)) / np.float32(SCALE.deviation)

    def ours(kernel, bias):
        return jnp.sin(convolve_pixels(pixels, kernel, bias, scale=SCALE, stride=stride, padding=padding))

    def plain(kernel, bias):
        return jnp.sin(convolve(scaled, kernel, bias, stride=stride, padding=padding))

    np.testing.assert_allclose(ours(kernel, bias), plain(kernel, bias), atol=3e-5)
    gradients = [jax.vjp(f, kernel, bias)[1](np.ones_like(plain(kernel, bias))) for f in (ours, plain)]
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-4)


def test_products_of_few_bits_give_results_of_few_bits_and_a_gradient_that_added_up_in_many():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 500, 500, 3), np.uint8)
    kernel = drawn(1, 5, 5, 3, 2)

    def made(kernel, dtype):
        return convolve_pixels(pixels, kernel, scale=SCALE, stride=5, dtype=dtype)

    assert made(kernel, jnp.bfloat16).dtype == jnp.bfloat16
    exact = made(kernel, jnp.float32)
    np.testing.assert_allclose(made(kernel, jnp.bfloat16).astype(jnp.float32), exact, atol=0.02 * np.abs(exact).max())

    def total(kernel, dtype):
        return made(kernel, dtype).astype(jnp.float32).sum()

    gradients = [jax.grad(total)(kernel, dtype) for dtype in (jnp.bfloat16, jnp.float32)]
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-2 * len(pixels))


def test_pixels_have_no_gradient():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 10, 10, 3), np.uint8)
    _, back = jax.vjp(lambda x: convolve_blocks(x, drawn(1, 5, 5, 3, 2), jnp.float32), pixels)
    (gradient,) = back(drawn(2, 1, 2, 2, 2))
    assert gradient.dtype == jax.dtypes.float0


def test_windows_are_blocks_where_none_overlaps_and_none_is_left_out_between_them():
    assert is_of_blocks(windows((10, 12), (5, 3), (5, 3)))
    assert not is_of_blocks(windows((10, 12), 5, 4))
    assert not is_of_blocks(windows((10, 12), 3, 5))
    assert not is_of_blocks(windows((10, 12), 5, 5, 1, [(0, 0), (1, 2)]))
    assert not is_of_blocks(windows((20, 20), 5, 5, 2))
    assert is_of_blocks(windows((10, 15), 5, 5, 1, "same"))
    assert not is_of_blocks(windows((11, 15), 5, 5, 1, "same"))
