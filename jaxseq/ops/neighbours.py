"""The rows of a table that are nearest to given vectors, found in blocks: neither the table need be on the device, nor
a figure for every pair in memory.

Letters: v rows of the table, q queries, d numbers in a vector, k rows found, e things a query leaves out.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Float32, Int, Int32

from jaxseq.ops.distances import cosine_similarities, euclidean_distance, manhattan_distance
from jaxseq.ops.shapes import Array

Measure = Literal["cosine", "euclidean", "manhattan"]

ROWS, QUERIES = 2**15, 2**9
"""Of a block: a figure for each pair takes 64 MB."""


class Neighbours(NamedTuple):
    """The nearest rows of each query, the nearest first; of equally near ones the earlier row."""

    rows: Int32[np.ndarray, "q k"]
    """-1 where there are no more."""
    values: Float32[np.ndarray, "q k"]
    """Their similarity by cosine, or their distance."""


def nearest_rows(
    table: Float[np.ndarray, "v d"],
    queries: Float[np.ndarray, "q d"],
    *,
    count: int,
    measure: Measure = "cosine",
    groups: Int[np.ndarray, " v"] | None = None,
    left_out: Int[np.ndarray, "q e"] | None = None,
    block: tuple[int, int] = (ROWS, QUERIES),
    poll: Callable[[], None] = lambda: None,
) -> Neighbours:
    """The `count` rows of the table that are nearest to each query, or all there are.

    By cosine a zero vector is as far from everything as vectors at right angles are.

    Args:
        groups: of each row, for `left_out`; its own number if None.
        left_out: groups whose rows a query is not answered with; -1 is none.
        block: rows and queries that are held against each other at a time.
        poll: called between two blocks.
    """
    v, q = len(table), len(queries)
    k = min(count, v)
    kinds = np.arange(v) if groups is None else groups
    without = np.full((q, 1), -1) if left_out is None else left_out
    height, width = min(block[0], max(v, 1)), min(block[1], max(q, 1))
    asked = [
        (_padded(queries[at : at + width], width), _padded(without[at : at + width], width))
        for at in range(0, q, width)
    ]
    nothing = jnp.full((width, k), -jnp.inf, jnp.float32), jnp.full((width, k), -1, jnp.int32)
    best = [nothing] * len(asked)
    for first in range(0, v, height):
        rows = _padded(table[first : first + height], height)
        group = _padded(kinds[first : first + height], height)
        for number, query in enumerate(asked):
            poll()
            best[number] = _merged(rows, group, jnp.int32(first), jnp.int32(v), *query, *best[number], measure)
    if not best:
        return Neighbours(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32))
    scores, rows = (np.concatenate([np.asarray(pair[i]) for pair in best])[:q] for i in (0, 1))
    return Neighbours(rows, scores if measure == "cosine" else -scores)


def _padded(x: np.ndarray, size: int) -> Array:
    """x with zeros behind it to `size` rows, on the device."""
    return jnp.pad(jnp.asarray(x), [(0, size - len(x)), *[(0, 0)] * (x.ndim - 1)])


@partial(jax.jit, static_argnames="measure")
def _merged(
    table: Array,
    groups: Array,
    first: Array,
    count: Array,
    queries: Array,
    left_out: Array,
    best: Array,
    rows: Array,
    measure: Measure,
) -> tuple[Array, Array]:
    """The best scores and rows so far, and those of a block of the table, whose row 0 is the `first` of `count`."""
    scores = _scores(table, queries, measure)
    numbers = first + jnp.arange(len(table), dtype=jnp.int32)
    refused = (groups[None, :, None] == left_out[:, None, :]).any(axis=-1) | (numbers >= count)
    top, at = lax.top_k(jnp.where(refused, -jnp.inf, scores), min(best.shape[1], len(table)))
    found = jnp.where(jnp.isneginf(top), -1, numbers[at])
    # Of equal ones `top_k` takes the earlier: those of the blocks before.
    top, at = lax.top_k(jnp.concatenate([best, top], axis=1), best.shape[1])
    return top, jnp.take_along_axis(jnp.concatenate([rows, found], axis=1), at, axis=1)


def _scores(table: Array, queries: Array, measure: Measure) -> Array:
    """The larger the nearer, [q, v]."""
    if measure == "cosine":
        return cosine_similarities(queries, table).astype(jnp.float32)
    distance = {"euclidean": euclidean_distance, "manhattan": manhattan_distance}[measure]
    return -distance(queries[:, None], table[None]).astype(jnp.float32)
