"""Convolutions and their transposes whose gradients a CPU works out as fast in a loop as outside of one.

On a CPU XLA has fast code for a convolution whose axes lie in one order: [b, n, d], and kernels [k, d, f]. One in
another order is brought into it, but not inside of a loop, and the gradients that JAX derives are in others. There
those of convolutions of 3 x 3 took 26 to 60 times as long as outside of one, and those of a transposed one with a
stride of 2 took 20 times as long as here even outside. So here each gradient is written in that order.

Only reverse-mode differentiation is defined.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import Windows, span

LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC")}
"""By how many axes a window has."""


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_loopable(
    x: Float[Array, "b *n d"], kernel: Float[Array, "*k d f"], geometry: Windows
) -> Float[Array, "b *m f"]:
    """The convolution of x with kernel, both of one type."""
    return _seen(x, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_transposed_loopable(
    x: Float[Array, "b *n d"], kernel: Float[Array, "*k d f"], geometry: Windows
) -> Float[Array, "b *m f"]:
    """The transpose of the convolution of this geometry with `kernel`, its last axes exchanged; both of one type."""
    return spread(x, kernel, geometry)


def spread(x: Float[Array, "b *n d"], kernel: Float[Array, "*k d f"], geometry: Windows) -> Float[Array, "b *m f"]:
    """What `convolve_transposed_loopable` gives, with the derivatives of JAX."""
    pads = []
    for axis, (n, m) in enumerate(zip(geometry.output, geometry.size, strict=True)):
        front = span(geometry.kernel[axis], geometry.dilation[axis]) - 1 - geometry.padding[axis][0]
        pads.append((front, m - (n - 1) * geometry.stride[axis] - 1 + geometry.padding[axis][0]))
    turned = jnp.flip(kernel, tuple(range(kernel.ndim - 2)))
    ones = (1,) * len(pads)
    return _convolved(x, turned, ones, pads, lhs_dilation=geometry.stride, rhs_dilation=geometry.dilation)


def _seen(x: Array, kernel: Array, geometry: Windows) -> Array:
    return _convolved(x, kernel, geometry.stride, geometry.padding, rhs_dilation=geometry.dilation)


def _kernel_gradient(x: Array, d_y: Array, geometry: Windows) -> Array:
    """[*k, d, f] from what goes into a convolution, [b, *n, d], and the gradient of what comes out, [b, *m, f]: itself
    a convolution, over the batch, whose outputs are the places of the kernel."""
    pads = []
    for axis, (n, m) in enumerate(zip(geometry.size, geometry.output, strict=True)):
        reach = span(geometry.kernel[axis], geometry.dilation[axis]) + (m - 1) * geometry.stride[axis]
        before = geometry.padding[axis][0]
        pads.append((before, reach - n - before))
    found = _convolved(
        jnp.moveaxis(x, (-1, 0), (0, -1)),
        jnp.moveaxis(d_y, 0, -2),
        geometry.dilation,
        pads,
        rhs_dilation=geometry.stride,
    )
    return jnp.moveaxis(found, 0, -2)


def _convolved(x: Array, kernel: Array, stride: Any, padding: Any, **dilations: Any) -> Array:
    layout = LAYOUTS[x.ndim - 2]
    return lax.conv_general_dilated(x, kernel, stride, padding, dimension_numbers=layout, **dilations)


def _exchanged(kernel: Array) -> Array:
    return jnp.swapaxes(kernel, -1, -2)


def _forward(x: Array, kernel: Array, geometry: Windows) -> tuple[Array, tuple[Array, Array]]:
    return _seen(x, kernel, geometry), (x, kernel)


def _backward(geometry: Windows, saved: tuple[Array, Array], d_y: Array) -> tuple[Array, Array]:
    x, kernel = saved
    return spread(d_y, _exchanged(kernel), geometry), _kernel_gradient(x, d_y, geometry)


def _forward_transposed(x: Array, kernel: Array, geometry: Windows) -> tuple[Array, tuple[Array, Array]]:
    return spread(x, kernel, geometry), (x, kernel)


def _backward_transposed(geometry: Windows, saved: tuple[Array, Array], d_y: Array) -> tuple[Array, Array]:
    x, kernel = saved
    return _seen(d_y, _exchanged(kernel), geometry), _exchanged(_kernel_gradient(d_y, x, geometry))


convolve_loopable.defvjp(_forward, _backward)
convolve_transposed_loopable.defvjp(_forward_transposed, _backward_transposed)
