"""Functions of models for `jaxseq.interop.exported`, whose sizes are left open where the model allows it."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxseq.interop.exported import ExportedFunction

Example = Mapping[str, NDArray[Any]]

_ROWS, _STEPS = 2, 8
"""Sizes of examples."""


def causal_functions(
    apply: Callable[[Any, Array, Any], tuple[Array, Any]],
    initial_carry: Callable[[int], Any],
    *,
    symbols: int | None = None,
) -> dict[str, ExportedFunction]:
    """What a model that hands on a carry is run with: batch b and time t are open.

    initial_carry   rows [b] int32, of which only the number counts -> carry
    logits          tokens [b, t] int32, carry -> logits [b, t, v], carry
    step            tokens [b] int32, carry -> logits [b, v], carry

    Args:
        apply: (weights, tokens [b, t], carry) -> (logits [b, t, v], carry).
        initial_carry: batch size -> the carry before the first token, the batch leading on every leaf.
        symbols: how many tokens there are, for an example of some; None for none.
    """
    rows, steps = open_sizes("b, t")

    def open_rows(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype)

    def step(weights: Any, tokens: Array, carry: Any) -> tuple[Array, Any]:
        logits, carry = apply(weights, tokens[:, None], carry)
        return logits[:, 0], carry

    def start(weights: Any, rows: Array) -> Any:
        def repeated(leaf: Array) -> Array:
            return jnp.broadcast_to(leaf, (rows.shape[0], *leaf.shape[1:]))

        return jax.tree.map(repeated, initial_carry(1))

    carry = jax.tree.map(open_rows, jax.eval_shape(lambda: initial_carry(1)))
    several, one = (jax.ShapeDtypeStruct(shape, jnp.int32) for shape in ((rows, steps), (rows,)))
    example = {} if symbols is None else {"tokens": example_ids(symbols)}
    return {
        "initial_carry": ExportedFunction(start, {"rows": one}, ("carry",)),
        "logits": ExportedFunction(apply, {"tokens": several, "carry": carry}, ("logits", "carry"), example),
        "step": ExportedFunction(step, {"tokens": one, "carry": carry}, ("logits", "carry")),
    }


def conditioned_functions(
    start: Callable[..., tuple[Array, Any]],
    step: Callable[[Any, Array, Any], tuple[Array, Any]],
    weights: Any,
    inputs: Mapping[str, jax.ShapeDtypeStruct],
    *,
    example: Example | None = None,
) -> dict[str, ExportedFunction]:
    """What a model that goes on from a source, or a picture, is run with.

    start   the inputs -> logits [b, v] of the first token, carry
    step    tokens [b] int32, carry -> logits [b, v] of the next, carry

    Args:
        start: (weights, *inputs) -> (logits [b, v], carry).
        step: (weights, tokens [b], carry) -> (logits [b, v], carry).
        weights: shapes and types of all weights.
        inputs: of `start`, by name, the open batch leading on each.
        example: some for them.
    """
    _, carry = jax.eval_shape(start, weights, *inputs.values())
    rows = next(iter(inputs.values())).shape[0]
    one = jax.ShapeDtypeStruct((rows,), jnp.int32)
    return {
        "start": ExportedFunction(start, inputs, ("logits", "carry"), example or {}),
        "step": ExportedFunction(step, {"tokens": one, "carry": carry}, ("logits", "carry")),
    }


def open_sizes(names: str, **most: int) -> tuple[Any, ...]:
    """Symbols that stand for sizes, by names as "b, t", of one scope; `most` is the largest that some may be."""
    return tuple(jax.export.symbolic_shape(names, constraints=[f"{name} <= {size}" for name, size in most.items()]))


def example_ids(symbols: int, *, rows: int = _ROWS, steps: int = _STEPS) -> NDArray[np.int32]:
    """Ids [rows, steps] below `symbols`, spread over all of them."""
    return (np.arange(rows * steps).reshape(rows, steps) * symbols // (rows * steps)).astype(np.int32)


def example_mask(*, rows: int = _ROWS, steps: int = _STEPS) -> NDArray[np.bool_]:
    """True in every place."""
    return np.ones((rows, steps), np.bool_)
