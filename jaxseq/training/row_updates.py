"""Updates of the rows that a batch has seen, and of nothing else of their tables.

Of a table's gradient, parameter and state of the update rule, the rows seen are taken out as a block [m, d], the rule
is applied to the blocks as if they were the parameters, and what comes of it is written back into their places: in
arrays that are donated, without a copy. A rule that leaves a row alone whose gradient is zero (SGD, Adagrad) gives
what it gives for whole tables. Others (Adam, RMSprop, Adadelta) become *lazy*: moments of rows that a batch has not
seen neither decay nor move them, as in PyTorch's SparseAdam. Updates are counted for all rows together.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from jaxseq.errors import InputError
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.row_tables import CombinedRows, combine
from jaxseq.training.gradients import LookedUp, loss_gradients, parameter_names, row_gradients
from jaxseq.training.optim import Optimizer
from jaxseq.training.state import PyTree, TrainState

_WHOLE = -1
"""In place of a table's number: of what belongs to no table."""
_PROMISED: Any = {"mode": "drop", "indices_are_sorted": True, "unique_indices": True}


def tables_of(params: PyTree, optimizer: Optimizer) -> tuple[int, ...]:
    """Which of the parameters, as leaves are counted, are updated by rows.

    Raises:
        InputError: there should be some, and there is none.
    """
    rows = optimizer.rows
    if rows is None:
        return ()
    leaves, names = jax.tree.leaves(params), parameter_names(params)
    tables = tuple(i for i, name in enumerate(names) if name.rpartition("/")[2] in rows.names and leaves[i].ndim == 2)
    if not tables:
        raise InputError(
            f"optimizer.rows is true, and the model has no embedding to look rows up in (a parameter called "
            f"{' or '.join(sorted(rows.names))}): set it to false, or give the model an embedding"
        )
    return tables


class SeenRows(NamedTuple):
    """The rows that a batch has seen of each table."""

    combined: Mapping[int, CombinedRows]
    """By the table's number among the leaves of the parameters; empty where all parameters are updated as a whole."""
    sizes: Mapping[int, int]
    """Rows of each table."""
    marks: tuple[PyTree, PyTree]
    """Like (params, opt_state): the table that each leaf belongs to."""
    cap: int
    """As `Rows` has it."""

    def joined(self, others: Mapping[int, Array]) -> PyTree:
        """Gradients as a tree like the parameters: `others` by number, and of tables the sums for the rows seen."""
        structure = jax.tree.structure(self.marks[0])
        blocks = {**others, **{i: each.rows for i, each in self.combined.items()}}
        return structure.unflatten([blocks[i] for i in range(structure.num_leaves)])

    def taken(self, trees: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
        """(params, opt_state) with the rows seen in place of tables and of their state."""

        def take(mark: int, leaf: Array) -> Array:
            return leaf if mark == _WHOLE else leaf.at[self.combined[mark].ids].get(mode="fill", fill_value=0)

        return jax.tree.map(take, self.marks, trees)

    def moved(self, condition: Array, params: PyTree, steps: PyTree) -> PyTree:
        """`params` less the steps, which have the rows seen in place of tables, where the condition holds."""

        def move(mark: int, old: Array, step: Array) -> Array:
            if mark == _WHOLE:
                return jnp.where(condition, old - step, old)
            return self._places(mark, condition, old).add(-step, **_PROMISED)

        return jax.tree.map(move, self.marks[0], params, steps)

    def put(self, condition: Array, new: PyTree, old: PyTree) -> PyTree:
        """The state of the update rule: `new`, as `taken` has it, where the condition holds; else `old`."""

        def put(mark: int, new: Array, old: Array) -> Array:
            if mark == _WHOLE:
                return jnp.where(condition, new, old)
            return self._places(mark, condition, old).set(new, **_PROMISED)

        return jax.tree.map(put, self.marks[1], new, old)

    def _places(self, table: int, condition: Array, array: Array) -> Any:
        """The rows seen of an array like the table, to be written; none where the condition does not hold."""
        size, ids = self.sizes[table], self.combined[table].ids
        # Past the end nothing is written. No two alike, and sorted: that much is promised.
        beyond = size + jnp.arange(len(ids), dtype=jnp.int32)
        return array.at[jnp.where(condition & (ids < size), ids, beyond)]

    def capped(self, direction: PyTree) -> PyTree:
        """The update's direction, divided by max(1, count / cap) in rows that were seen `count` times."""
        if not self.cap:
            return direction

        def cap(mark: int, leaf: Array) -> Array:
            if mark == _WHOLE:
                return leaf
            counts = self.combined[mark].counts.astype(leaf.dtype)
            return leaf / jnp.maximum(1, counts / self.cap)[:, None]

        return jax.tree.map(cap, self.marks[0], direction)


def step_gradients(
    loss_fn: LossFn, state: TrainState, batch: PyTree, context: LossContext, *, optimizer: Optimizer
) -> tuple[dict[int, Array], dict[int, LookedUp], LossOutput]:
    """The gradient of a batch's summed loss by the parameters of `state`, and what the loss gives.

    Returns:
        Gradients of parameters that are updated as a whole, by number; those of tables, by number; what the loss gives.

    Raises:
        InputError: a table that is to be updated by rows is used as a whole.
    """
    tables, given = tables_of(state.params, optimizer), (loss_fn, state.variables, state.carry, batch, context)
    if tables:
        return row_gradients(*given, tables=tables)
    grads, output = loss_gradients(*given)
    return dict(enumerate(jax.tree.leaves(grads))), {}, output


def seen_rows(
    looked_up: Mapping[int, LookedUp], state: TrainState, *, optimizer: Optimizer, axis: str | None = None
) -> SeenRows:
    """What was looked up, each row once; on all devices along `axis` together, where that is given."""
    leaves, structure = jax.tree.flatten(state.params)
    if axis is not None:
        looked_up = lax.all_gather(looked_up, axis, tiled=True)
    sizes = {i: len(leaves[i]) for i in looked_up}
    combined = {i: combine(each.ids, each.rows, sizes[i]) for i, each in looked_up.items()}
    marks = structure.unflatten([i if i in looked_up else _WHOLE for i in range(len(leaves))])
    state_marks = optax.tree_utils.tree_map_params(
        optimizer.transform,
        lambda leaf, mark: mark,
        state.opt_state,
        marks,
        transform_non_params=lambda leaf: _WHOLE,
    )
    return SeenRows(combined, sizes, (marks, state_marks), optimizer.rows.cap if optimizer.rows else 0)


def require_lookups(
    loss_fn: LossFn, variables: Mapping[str, PyTree], carry: PyTree, batch: PyTree, *, optimizer: Optimizer
) -> None:
    """Sees to it, by a trace alone, that the loss only looks rows up where rows are to be updated.

    Args:
        variables: as the loss takes them, or their shapes; so are carry and batch.

    Raises:
        InputError: a table is used as a whole, or there is none.
    """
    if optimizer.rows is None:
        return
    tables = tables_of(variables["params"], optimizer)

    def gradients(variables: PyTree, carry: PyTree, batch: PyTree, key: Array) -> PyTree:
        context = LossContext(jnp.zeros((), jnp.int32), key)
        return row_gradients(loss_fn, variables, carry, batch, context, tables=tables)[:2]

    jax.eval_shape(gradients, dict(variables), carry, batch, jax.random.key(0))
