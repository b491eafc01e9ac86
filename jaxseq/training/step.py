"""One training step and one evaluation step, as pure functions.

The loss of a batch is a sum and a count, so the gradient is that of sum(totals) / sum(counts) over every device and
every accumulated batch: exact however unevenly their masks are filled. Of tables that are updated by rows, nothing as
large as the table is made (`jaxseq.training.row_updates`).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import EVALUATION, LossContext, LossFn, Tallies
from jaxseq.training.optim import Optimizer
from jaxseq.training.row_updates import seen_rows, step_gradients
from jaxseq.training.state import Accumulated, PyTree, TrainState

LEARNING_RATE, GRADIENT_NORM, SKIPPED = "learning_rate", "gradient_norm", "skipped"
"""Names of the tallies that a training step adds to those of the loss."""


def make_train_step(
    loss_fn: LossFn, optimizer: Optimizer, *, axis: str | None = None
) -> Callable[[TrainState, PyTree], tuple[TrainState, Tallies]]:
    """`train_step(state, batch) -> (state, tallies)`, pure.

    Where batches are accumulated an update is due every `optimizer.accumulate` of them, and at the last one of the run,
    whatever has been gathered by then: the gradient is the mean over the items of the batches in it.

    A batch whose loss, new carry, new collections or gradient, alone or added to what is gathered, is not finite is
    skipped: only `step` changes, its tallies are zero and the tally "skipped" counts it. An update goes without it, and
    is not made where all its batches were skipped. "gradient_norm" (before clipping) and "learning_rate" count the
    updates made.

    Args:
        axis: name of the mesh axis that the batch is split over, where the step runs inside a `shard_map`. Of other
            collections than parameters the devices keep the mean of what each has made.
    """

    def train_step(state: TrainState, batch: PyTree) -> tuple[TrainState, Tallies]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        if axis is not None:
            key = jax.random.fold_in(key, lax.axis_index(axis))
        context = LossContext(state.step, key)
        grads, looked_up, output = step_gradients(loss_fn, state, batch, context, optimizer=optimizer)
        tallies, carry, changed = output
        broken = (~_all_finite((carry, changed))).astype(jnp.float32)
        if axis is not None:
            grads, tallies, broken = _sum_over(axis, (grads, tallies, broken))
            changed = lax.pmean(changed, axis)
        loss = tallies["loss"]
        seen = seen_rows(looked_up, state, optimizer=optimizer, axis=axis)
        gathered = Accumulated(seen.joined(grads), loss.count)
        if state.accumulated is not None:
            gathered = jax.tree.map(jnp.add, state.accumulated, gathered)
        finite = jnp.isfinite(loss.total) & jnp.isfinite(_norm(gathered.grads)) & (broken == 0)

        due, rest = finite, None
        if state.accumulated is not None:
            gathered = _select(finite, gathered, state.accumulated)
            batches = state.step + 1
            due = (batches % optimizer.accumulate == 0) | (batches == optimizer.steps)
            rest = _select(due, jax.tree.map(jnp.zeros_like, gathered), gathered)
        items = jnp.where(gathered.items > 0, gathered.items, 1.0)
        mean = jax.tree.map(lambda g: g / items, gathered.grads)
        norm = _norm(gathered.grads) / items
        update = due & jnp.isfinite(norm) & (gathered.items > 0)

        before, opt_state = seen.taken((state.params, state.opt_state))
        direction, opt_state = optimizer.transform.update(mean, opt_state, before)
        rate = jnp.asarray(optimizer.schedule(state.updates), jnp.float32) * state.lr_scale
        steps = jax.tree.map(lambda d: rate * d, seen.capped(direction))
        updates, params = state.updates + update.astype(jnp.int32), seen.moved(update, state.params, steps)
        average = state.average
        if average is not None:
            average = _select(update, _averaged(average, params, updates, optimizer.ema_decay), average)
        new_state = TrainState(
            step=state.step + 1,
            updates=updates,
            params=params,
            collections=_select(finite, {**state.collections, **changed}, state.collections),
            opt_state=seen.put(update, opt_state, state.opt_state),
            carry=_select(finite, carry, state.carry),
            accumulated=rest,
            average=average,
            lr_scale=state.lr_scale,
            key=state.key,
        )
        kept = _select(finite, tallies, jax.tree.map(jnp.zeros_like, tallies))
        return new_state, {
            **kept,
            GRADIENT_NORM: _counted(norm, update),
            LEARNING_RATE: _counted(rate, update),
            SKIPPED: Tally(1.0 - finite.astype(jnp.float32), jnp.ones((), jnp.float32)),
        }

    return train_step


def make_eval_step(
    loss_fn: LossFn, *, axis: str | None = None
) -> Callable[[PyTree, PyTree, PyTree], tuple[PyTree, Tallies]]:
    """`eval_step(variables, carry, batch) -> (carry, tallies)`, pure; a carry of None stays None."""

    def eval_step(variables: PyTree, carry: PyTree, batch: PyTree) -> tuple[PyTree, Tallies]:
        tallies, new_carry, _ = loss_fn(variables, carry, batch, EVALUATION)
        if axis is not None:
            tallies = lax.psum(tallies, axis)
        return (None if carry is None else new_carry), tallies

    return eval_step


_LARGE = 2**18
"""Elements of an array whose copy would take longer than a meeting of devices."""


def _sum_over(axis: str, tree: PyTree) -> PyTree:
    """`lax.psum` of a tree of float32 arrays, small ones as one vector: on CPU devices meet once for every array that
    they add up."""
    leaves, structure = jax.tree.flatten(tree)
    small = [leaf for leaf in leaves if leaf.size < _LARGE]
    vector, apart = ravel_pytree(small)
    summed = iter(apart(lax.psum(vector, axis)))
    return structure.unflatten(lax.psum(leaf, axis) if leaf.size >= _LARGE else next(summed) for leaf in leaves)


def _averaged(average: PyTree, params: PyTree, updates: Array, decay: float) -> PyTree:
    """The average of parameters after the last of so many updates, each counting `decay` times as much as the next."""
    # (1 - decay) / (1 - decay^updates): the first has all of it, so that where parameters began has no part.
    share = (1 - decay) / -jnp.expm1(updates * jnp.float32(math.log(decay)))
    return jax.tree.map(lambda mean, new: mean + share * (new - mean), average, params)


def _select(condition: Array, chosen: PyTree, other: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, other)


def _norm(tree: PyTree) -> Array:
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))


def _counted(value: jax.typing.ArrayLike, condition: Array) -> Tally:
    return Tally(jnp.where(condition, value, 0.0).astype(jnp.float32), condition.astype(jnp.float32))


def _all_finite(tree: PyTree) -> Array:
    floats = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in floats])) if floats else jnp.bool_(True)
