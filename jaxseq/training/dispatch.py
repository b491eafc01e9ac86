"""Several steps in one call of a compiled function.

How many of the stacked batches to run is an argument of the compiled function, not a part of it. So every step of a
run, however the run is cut into calls, goes through one and the same program: that a resumed run is bit-identical
does not hang on where it was stopped.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxseq.ops.objective import LossFn, Tallies
from jaxseq.sharding import REPLICATED, SHARDED, STACKED_SHARDED, DataParallel
from jaxseq.training.devices import STATE_SPECS
from jaxseq.training.optim import Optimizer
from jaxseq.training.state import PyTree, TrainState
from jaxseq.training.step import make_eval_step, make_train_step

Loader = Callable[[int], PyTree]
"""Batch number -> batch of NumPy arrays; pure."""


REQUEST = "request"
"""Name, among the tallies of a call that processes share, of the largest number that came with its batches."""


class TrainLoader(Protocol):
    """A loader that knows the size of its batches, whether all have one shape, and how many make an epoch."""

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def uniform(self) -> bool: ...

    def __call__(self, step: int, /) -> PyTree: ...


def stack_batches(loader: Loader, step: int, count: int, most: int, *, rows: slice | None = None) -> PyTree:
    """Batches `step` to `step + count` as one, stacked on a new first axis of `most`; zeros where there are fewer.

    Args:
        rows: which of every batch; None for all. A loader that has `part(step, rows)` reads no others.
    """
    batches = [_part(loader, step + i, rows) for i in range(count)]

    def stack(*leaves: np.ndarray) -> np.ndarray:
        first = leaves[0]
        stacked = np.zeros((most, *first.shape), first.dtype)
        for i, leaf in enumerate(leaves):
            stacked[i] = leaf
        return stacked

    return jax.tree.map(stack, *batches)


def _part(loader: Loader, step: int, rows: slice | None) -> PyTree:
    if rows is None:
        return loader(step)
    part = getattr(loader, "part", None)
    return part(step, rows) if part is not None else jax.tree.map(lambda leaf: leaf[rows], loader(step))


def compile_training(
    loss_fn: LossFn, optimizer: Optimizer, *, parallel: DataParallel, most: int
) -> Callable[[TrainState, PyTree, Any], tuple[TrainState, Tallies]]:
    """`run(state, batches, count) -> (state, tallies)`: the first `count` of `most` stacked batches, a step each.

    The state given is consumed (donated). Every tally is an array of `most`, one entry a step, zero past `count`.
    Where several processes share the batches, these are a pair with int32 [1, shares], and `REQUEST` the largest of it.
    """
    step = make_train_step(loss_fn, optimizer, axis=parallel.axis)

    def run(state: TrainState, batches: PyTree, count: Array) -> tuple[TrainState, Tallies]:
        if not parallel.spread:
            return _repeat(step, state, batches, count, most)
        batches, requests = batches
        state, tallies = _repeat(step, state, batches, count, most)
        # After the steps: on CPU, messages of two collectives that are under way at the same time mix.
        after = jnp.where(tallies["loss"].count[0] >= 0, requests.max(), 0)
        return state, {**tallies, REQUEST: lax.pmax(after, parallel.axis)}

    specs = (STATE_SPECS, STACKED_SHARDED, REPLICATED)
    shared = parallel.shard(run, specs, (STATE_SPECS, REPLICATED))

    def arranged(state: TrainState, batches: PyTree, count: Array) -> tuple[TrainState, Tallies]:
        state, tallies = shared(state, batches, count)
        return parallel.arranged(state._replace(carry=None))._replace(carry=state.carry), tallies

    return jax.jit(arranged if parallel.splits_parameters else shared, donate_argnums=0)


def compile_evaluation(
    loss_fn: LossFn, *, parallel: DataParallel, most: int
) -> Callable[[PyTree, PyTree, PyTree, Any], tuple[PyTree, Tallies]]:
    """`run(variables, carry, batches, count) -> (carry, tallies)`, as `compile_training` does it for training."""
    step = make_eval_step(loss_fn, axis=parallel.axis)

    def run(variables: PyTree, carry: PyTree, batches: PyTree, count: Array) -> tuple[PyTree, Tallies]:
        return _repeat(lambda carry, batch: step(variables, carry, batch), carry, batches, count, most)

    return jax.jit(parallel.shard(run, (REPLICATED, SHARDED, STACKED_SHARDED, REPLICATED), (SHARDED, REPLICATED)))


def _repeat(
    step: Callable[[PyTree, PyTree], tuple[PyTree, Tallies]], state: PyTree, batches: PyTree, count: Array, most: int
) -> tuple[PyTree, Tallies]:
    def batch_at(i: int | Array) -> PyTree:
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, i, keepdims=False), batches)

    if most == 1:
        state, tallies = step(state, batch_at(0))
        return state, jax.tree.map(lambda value: value[None], tallies)

    def body(i: Array, loop: tuple[PyTree, Tallies]) -> tuple[PyTree, Tallies]:
        state, rows = loop
        state, tallies = step(state, batch_at(i))
        return state, jax.tree.map(lambda row, value: row.at[i].set(value), rows, tallies)

    shapes = jax.eval_shape(lambda: step(state, batch_at(0))[1])
    rows = jax.tree.map(lambda shape: jnp.zeros((most, *shape.shape), shape.dtype), shapes)
    return lax.fori_loop(0, count, body, (state, rows))
