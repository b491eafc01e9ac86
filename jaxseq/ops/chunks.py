"""A loop over chunks of the leading axis, where not all of it shall be in memory at one time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def over_chunks(step: Callable, init: Any, xs: Any, *, size: int) -> tuple[Any, Any]:
    """`lax.scan` of `step` over chunks of `size` of the leading axis, the remainder as a chunk of its own."""
    n = len(xs[0])
    whole = n - n % size
    outputs: list[Any] = []
    if whole:
        chunks = jax.tree.map(lambda x: x[:whole].reshape(-1, size, *x.shape[1:]), xs)
        init, ys = lax.scan(step, init, chunks)
        outputs.append(jax.tree.map(lambda y: y.reshape(whole, *y.shape[2:]), ys))
    if n % size:
        init, ys = step(init, jax.tree.map(lambda x: x[whole:], xs))
        outputs.append(ys)
    return init, outputs[0] if len(outputs) == 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *outputs)
