"""A scan whose steps multiply with weights, and whose weights have their gradient in one product after all steps.

Autodiff of `lax.scan` adds up the gradient of a weight step by step: it reads and writes a matrix as large as the
weight each time. Here the backward scan only finds the gradient of each product; what was multiplied is kept.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.ops.cells import RecurrentWeights, recurrent_product
from jaxseq.ops.shapes import Array

Times = Callable[[str, Array], Array]
"""(name of a weight, u [n, d]) -> u times that weight [n, g], float32; each name once in a step."""
Step = Callable[[Times, Any, Any, Any, Any], tuple[Any, Any]]
"""(times, carry, x, shared, flags) -> (carry, output); x and flags are those of the step."""


def scan_products(
    step: Step, weights: dict[str, RecurrentWeights], carry: Any, xs: Any, shared: Any, flags: Any
) -> tuple[Any, Any]:
    """`lax.scan` of `step`: the last carry, and outputs [t, ...]. Only reverse-mode differentiation is defined.

    Args:
        step: Holds no array that it is not given.
        weights: Kernels, and biases where they have one, by name.
        carry, xs: Of floats; xs time first.
        shared: What all steps see, of floats.
        flags: Arrays without a gradient, time first.
    """
    return _scan(step, weights, carry, xs, shared, flags)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(step, weights, carry, xs, shared, flags):
    def body(carry, given):
        return step(lambda name, u: recurrent_product(weights[name], u), carry, given[0], shared, given[1])

    return lax.scan(body, carry, (xs, flags))


def _forward(step, weights, carry, xs, shared, flags):
    length = len(jax.tree.leaves((xs, flags))[0])
    rows = len(jax.tree.leaves(carry)[0])

    def run(offsets, carry, xs, shared):
        def body(carry, given):
            x, own, flag = given
            factors = {}

            def times(name, u):
                factors[name] = u
                return recurrent_product(weights[name], u) + own[name]

            carry, output = step(times, carry, x, shared, flag)
            return carry, (output, factors)

        end, (outputs, factors) = lax.scan(body, carry, (xs, offsets, flags))
        return (end, outputs), factors

    # Nothing is added to a product, but the gradient of that nothing is the product's.
    nothing = {name: jnp.zeros((length, rows, own.kernel.shape[1]), jnp.float32) for name, own in weights.items()}
    result, pull, factors = jax.vjp(run, nothing, carry, xs, shared, has_aux=True)
    return result, (pull, factors, weights)


def _backward(step, saved, gradients):
    pull, factors, weights = saved
    d_products, d_carry, d_xs, d_shared = pull(gradients)
    d_weights = {name: _weight_gradient(own, factors[name], d_products[name]) for name, own in weights.items()}
    return d_weights, d_carry, d_xs, d_shared, None


def _weight_gradient(weights: RecurrentWeights, u: Array, d: Array) -> RecurrentWeights:
    dtype = weights.kernel.dtype
    u, d = u.reshape(-1, u.shape[-1]), d.reshape(-1, d.shape[-1])
    kernel = lax.dot_general(
        u.astype(dtype), d.astype(dtype), (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
    )
    return RecurrentWeights(kernel.astype(dtype), None if weights.bias is None else d.sum(0))


_scan.defvjp(_forward, _backward)
