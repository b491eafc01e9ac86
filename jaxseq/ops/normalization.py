"""Layer normalisation with its gradient written out.

Under plain autodiff XLA on CPU computes the backward chain again in every consumer; here each pass is a few
reductions over what the forward pass saved.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxseq.ops.shapes import Array

EPSILON = 1e-5
"""Added to the variance, as in PyTorch."""


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layer_norm(
    x: Float[Array, "*n d"],
    scale: Float[Array, " d"],
    bias: Float[Array, " d"] | None = None,
    epsilon: float = EPSILON,
) -> Float[Array, "*n d"]:
    """Each vector of x brought to mean 0 and variance 1, times scale, plus bias (Ba et al. 2016); `epsilon` is added to
    its variance.

    Computed in float32, returned in the type of `x`. An x that is not finite gives NaN, and no gradient where that of
    its result is zero. Only reverse-mode differentiation is defined.
    """
    return _forward(x, scale, bias, epsilon)[0]


class _Saved(NamedTuple):
    x: Array
    mean: Array
    inverse: Array
    scale: Array
    bias: Array | None


def _forward(x: Array, scale: Array, bias: Array | None, epsilon: float) -> tuple[Array, _Saved]:
    wide = x.astype(jnp.float32)
    mean = wide.mean(axis=-1, keepdims=True)
    centred = wide - mean
    inverse = jax.lax.rsqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)
    y = centred * inverse * scale
    return (y if bias is None else y + bias).astype(x.dtype), _Saved(x, mean, inverse, scale, bias)


def _backward(epsilon: float, saved: _Saved, d_y: Array) -> tuple[Array, Array, Array | None]:
    x, mean, inverse, scale, bias = saved
    d_y = d_y.astype(jnp.float32)
    sound = jnp.isfinite(mean) & jnp.isfinite(inverse)
    normal = jnp.where(sound, (x.astype(jnp.float32) - mean) * inverse, 0)
    d_normal = d_y * scale
    along = (d_normal * normal).mean(axis=-1, keepdims=True)
    d_x = (d_normal - d_normal.mean(axis=-1, keepdims=True) - normal * along) * inverse
    d_x = jnp.where(sound, d_x, jnp.where(d_y == 0, 0, jnp.nan))
    rows = tuple(range(x.ndim - 1))
    d_bias = None if bias is None else d_y.sum(rows).astype(bias.dtype)
    return d_x.astype(x.dtype), (d_y * normal).sum(rows).astype(scale.dtype), d_bias


layer_norm.defvjp(_forward, _backward)
