"""How far apart vectors are, and how alike vectors and sets: a figure for each pair of rows.

Leading axes broadcast: x [n, 1, d] and y [1, m, d] are all pairs, [n, m]. Sums are float32, or float64 where x or y is.
Numbers whose squares are beyond float32 do no harm.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

from jaxseq.ops.shapes import Array


def length(x: Float[Array, "*n d"]) -> Float[Array, "*n"]:
    """The Euclidean norm. Of a zero vector it is 0, and so is the gradient there."""
    scaled, scale = _scaled(x)
    return scale[..., 0] * _root(jnp.square(scaled).sum(axis=-1))


def unit(x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """The vector of length 1 in the direction of x; zeros, which have none, stay zeros."""
    scaled, _ = _scaled(x)
    norm = _root(jnp.square(scaled).sum(axis=-1, keepdims=True))
    return scaled / jnp.where(norm == 0, 1, norm)


def euclidean_distance(x: Float[Array, "*#n d"], y: Float[Array, "*#n d"]) -> Float[Array, "*#n"]:
    """The length of x - y; where they are equal the gradient is 0."""
    return length(_wide(x) - _wide(y))


def manhattan_distance(x: Float[Array, "*#n d"], y: Float[Array, "*#n d"]) -> Float[Array, "*#n"]:
    """The sum of |x - y|."""
    return jnp.abs(_wide(x) - _wide(y)).sum(axis=-1)


def cosine_similarity(x: Float[Array, "*#n d"], y: Float[Array, "*#n d"]) -> Float[Array, "*#n"]:
    """The cosine of the angle between x and y, from -1 to 1; 0 where one of them is zero."""
    return jnp.clip((unit(x) * unit(y)).sum(axis=-1), -1, 1)


def cosine_similarities(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
    """The same of all pairs, as a product of matrices."""
    return jnp.clip(jnp.matmul(unit(x), unit(y).T, precision=lax.Precision.HIGHEST), -1, 1)


def jaccard_similarity(x: Bool[Array, "*#n d"], y: Bool[Array, "*#n d"]) -> Float[Array, "*#n"]:
    """Of two sets, each as whether it holds each of d things: the size of their intersection by that of their union
    (Jaccard 1912). Two empty sets are equal: 1."""
    return _share((x & y).sum(axis=-1), (x | y).sum(axis=-1))


def jaccard_similarity_of_ids(
    x: Int[Array, "*n s"],
    y: Int[Array, "*n t"],
    x_mask: Bool[Array, "*n s"] | None = None,
    y_mask: Bool[Array, "*n t"] | None = None,
) -> Float[Array, "*n"]:
    """The same of sets of ids, in any order and as often as it may be; a mask says which are there, None all.

    Every id is held against every other: for sets of hundreds, not of a hundred thousand.
    """
    x_mask = jnp.ones(x.shape, bool) if x_mask is None else x_mask
    y_mask = jnp.ones(y.shape, bool) if y_mask is None else y_mask
    x_first, y_first = _first_of_equals(x, x_mask), _first_of_equals(y, y_mask)
    both = (x_first & _among(x, y, y_mask)).sum(axis=-1)
    return _share(both, x_first.sum(axis=-1) + y_first.sum(axis=-1) - both)


def _wide(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _scaled(x: Array) -> tuple[Array, Array]:
    """x with its largest number 1, and that number [*n, 1]; 1 for zeros."""
    x = _wide(x)
    largest = jnp.abs(x).max(axis=-1, keepdims=True, initial=0)
    scale = lax.stop_gradient(jnp.where(largest == 0, 1, largest))  # what it is makes no difference to the result
    return x / scale, scale


def _root(x: Array) -> Array:
    """The square root, with a gradient of 0 at 0."""
    is_zero = x == 0
    return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, x)))


def _share(part: Array, whole: Array) -> Array:
    return jnp.where(whole == 0, 1, part / jnp.maximum(whole, 1)).astype(jnp.float32)


def _among(x: Array, y: Array, y_mask: Array) -> Array:
    """Whether each of x [*n, s] is one of y [*n, t]."""
    return ((x[..., :, None] == y[..., None, :]) & y_mask[..., None, :]).any(axis=-1)


def _first_of_equals(x: Array, mask: Array) -> Array:
    """Where those of x [*n, s] stand that are there, each once."""
    earlier = jnp.tri(x.shape[-1], k=-1, dtype=bool)
    repeats = (x[..., :, None] == x[..., None, :]) & mask[..., None, :] & earlier
    return mask & ~repeats.any(axis=-1)
