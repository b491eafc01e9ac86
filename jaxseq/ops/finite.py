"""Keeping what is not finite to where it belongs.

A NaN may reach what depends on it and nothing else. But 0 times NaN is NaN: a product reaches everything that stands
in it, whatever the weight, and so does a product of the backward pass, whatever the gradient. So before a product rows
that are not finite become zeros (`finite_rows`), and after it what depends on them becomes NaN again (`poison`). There
the gradient is NaN where one is asked for, and zero where none is.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32

from jaxseq.ops.shapes import Array


def finite_rows(x: Float[Array, "*n d"]) -> tuple[Float[Array, "*n d"], Bool[Array, "*n"]]:
    """x with zeros for every row that holds NaN or infinity, and where there is none of these."""
    sound = jnp.isfinite(x).all(axis=-1)
    return jnp.where(sound[..., None], x, 0), sound


@jax.custom_vjp
def poison(y: Float[Array, "*n"], sound: Bool[Array, "*#n"]) -> Float[Array, "*n"]:
    """y, NaN where `sound` is False.

    So is the gradient there, but zero where that of the result is zero: what does not count cannot do harm.
    """
    return jnp.where(sound, y, jnp.nan)


def _forward(y: Array, sound: Array) -> tuple[Array, Array]:
    return poison(y, sound), sound


def _backward(sound: Array, d_y: Array) -> tuple[Array, None]:
    return jnp.where(sound | (d_y == 0), d_y, jnp.nan), None


poison.defvjp(_forward, _backward)


def row_table(rows: Float[Array, "v d"], kernel: Float[Array, "d f"], dtype: DTypeLike) -> Float32[Array, "v f"]:
    """rows times kernel, operands in `dtype`, for rows of which some are looked up.

    A row that is not finite gives NaN, and the kernel no gradient but by the NaN that comes back where it was looked up
    and counts. Unlike `product` it costs nothing but in the kernel's gradient.
    """
    return _row_table(rows, kernel, dtype)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _row_table(rows: Array, kernel: Array, dtype: DTypeLike) -> Array:
    return jnp.matmul(rows.astype(dtype), kernel.astype(dtype), preferred_element_type=jnp.float32)


def _table_forward(rows: Array, kernel: Array, dtype: DTypeLike) -> tuple[Array, tuple[Array, Array]]:
    return _row_table(rows, kernel, dtype), (rows, kernel)


def _table_backward(dtype: DTypeLike, saved: tuple[Array, Array], d: Array) -> tuple[Array, Array]:
    rows, kernel = saved
    d, rows_there = d.astype(dtype), jnp.where(jnp.isfinite(rows), rows, 0).astype(dtype)
    d_rows = jnp.matmul(d, kernel.astype(dtype).T, preferred_element_type=jnp.float32)
    d_kernel = jnp.matmul(rows_there.T, d, preferred_element_type=jnp.float32)
    return d_rows.astype(rows.dtype), d_kernel.astype(kernel.dtype)


_row_table.defvjp(_table_forward, _table_backward)


def product(x: Float[Array, "*n d"], kernel: Float[Array, "d f"], *, dtype: DTypeLike) -> Float32[Array, "*n f"]:
    """x times kernel, operands in `dtype`.

    Rows of x and columns of the kernel that are not finite make their own rows and columns of the result NaN, and no
    gradient but that of those.
    """
    x, sound_rows = finite_rows(x)
    columns, sound_columns = finite_rows(kernel.T)
    y = jnp.matmul(x.astype(dtype), columns.T.astype(dtype), preferred_element_type=jnp.float32)
    return poison(y, sound_rows[..., None] & sound_columns)
