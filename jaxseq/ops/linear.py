"""The linear layer with its gradient written out.

Plain autodiff multiplies output gradient and input the other way round and transposes the product; XLA on CPU then
copies the gradient into a transposed buffer, and computes whatever made it once more on the way.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from jaxseq.ops.shapes import Array


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def linear(
    x: Float[Array, "*n d"],
    kernel: Float[Array, "d f"] | Float[Array, "f d"],
    bias: Float[Array, " f"] | None = None,
    transposed: bool = False,
) -> Float[Array, "*n f"]:
    """x times kernel, plus bias. Only reverse-mode differentiation is defined.

    Products take the type of `x`, which is also that of the result; gradients of kernel and bias add up in float32.
    A `transposed` kernel is [f, d]. The gradient of a kernel takes a transposed copy of one operand, x for [d, f] and
    the gradient of the result for [f, d]: choose the narrower one.
    """
    y = lax.dot_general(x, kernel.astype(x.dtype), (((x.ndim - 1,), (int(transposed),)), ((), ())))
    return y if bias is None else y + bias.astype(x.dtype)


def _forward(
    x: Array, kernel: Array, bias: Array | None, transposed: bool
) -> tuple[Array, tuple[Array, Array, Array | None]]:
    return linear(x, kernel, bias, transposed), (x, kernel, bias)


def _backward(
    transposed: bool, saved: tuple[Array, Array, Array | None], d_y: Array
) -> tuple[Array, Array, Array | None]:
    x, kernel, bias = saved
    last, rows = x.ndim - 1, tuple(range(x.ndim - 1))
    d_x = lax.dot_general(d_y, kernel.astype(x.dtype), (((last,), (int(not transposed),)), ((), ())))
    pair = (d_y, x) if transposed else (x, d_y)
    d_kernel = lax.dot_general(*pair, ((rows, rows), ((), ())), preferred_element_type=jnp.float32)
    d_bias = None if bias is None else d_y.sum(rows, dtype=jnp.float32).astype(bias.dtype)
    return d_x, d_kernel.astype(kernel.dtype), d_bias


linear.defvjp(_forward, _backward)
