"""Gradients of convolutions that are written out, beside those that JAX derives."""

import jax
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax
from jax.extend.core import Jaxpr

from jaxseq.ops.convolution import convolve, convolve_transposed
from jaxseq.ops.loopable_convolution import LAYOUTS, convolve_loopable, convolve_transposed_loopable, spread
from jaxseq.ops.spatial import span, windows

RNG = np.random.default_rng(0)


def derived(x, kernel, geometry):
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.stride,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=LAYOUTS[x.ndim - 2],
    )


def compared(ours, theirs, x, kernel, geometry):
    found, asked = [], None
    for form in (ours, theirs):
        y, back = jax.vjp(lambda x, kernel, form=form: form(x, kernel, geometry), x, kernel)
        asked = RNG.normal(size=y.shape).astype(np.float32) if asked is None else asked
        found.append((y, *back(asked)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_gradients_are_those_that_jax_derives(data):
    axes = data.draw(st.integers(1, 2))
    drawn = [[data.draw(st.integers(low, high)) for _ in range(axes)] for low, high in ((1, 9), (1, 4), (1, 3), (1, 3))]
    size, kernel, stride, dilation = drawn
    padding = [(data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))) for _ in range(axes)]
    spans = [span(k, d) for k, d in zip(kernel, dilation, strict=True)]
    assume(all(n + sum(pad) >= needed for n, pad, needed in zip(size, padding, spans, strict=True)))
    geometry = windows(size, kernel, stride, dilation, padding)
    weights = RNG.normal(size=(*kernel, 3, 2)).astype(np.float32)
    x = RNG.normal(size=(2, *size, 3)).astype(np.float32)
    compared(convolve_loopable, derived, x, weights, geometry)
    x = RNG.normal(size=(2, *geometry.output, 3)).astype(np.float32)
    compared(convolve_transposed_loopable, spread, x, weights, geometry)


def convolutions(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.params["dimension_numbers"]
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if isinstance(inner, Jaxpr):
                yield from convolutions(inner)


def test_every_convolution_of_a_training_step_has_its_axes_in_the_order_that_is_fast_in_loops():
    def loss(x, kernel, back):
        y = convolve(x, kernel, stride=2, padding="same")
        return (convolve_transposed(y, back, stride=2, padding="same") ** 2).sum()

    x, kernel, back = (
        RNG.normal(size=shape).astype(np.float32) for shape in ((2, 8, 8, 3), (3, 3, 3, 4), (3, 3, 4, 3))
    )
    traced = jax.make_jaxpr(jax.grad(loss, argnums=(0, 1, 2)))(x, kernel, back)
    order = lax.conv_dimension_numbers(x.shape, kernel.shape, LAYOUTS[2])
    found = list(convolutions(traced.jaxpr))
    assert len(found) == 6
    assert set(found) == {order}
