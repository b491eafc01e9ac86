"""Gradients of a loss: by whole parameters, and of tables by the rows that were looked up."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.errors import InputError
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.row_tables import RowTable
from jaxseq.training.state import PyTree


class LookedUp(NamedTuple):
    """The gradient of a table [v, d] by what was looked up in it; a row may be there several times."""

    ids: Array
    """int32 [n]; v where the gradient is zero, as that of padding is: it counts as not looked up."""
    rows: Array
    """[n, d]"""


def loss_gradients(
    loss_fn: LossFn, variables: Mapping[str, PyTree], carry: PyTree, batch: PyTree, context: LossContext
) -> tuple[PyTree, LossOutput]:
    """Gradient of the summed loss by the parameters, and what the loss gives; a carry of None stays None."""
    return jax.grad(_total(loss_fn, variables, carry, batch, context), has_aux=True)(variables["params"])


def row_gradients(
    loss_fn: LossFn,
    variables: Mapping[str, PyTree],
    carry: PyTree,
    batch: PyTree,
    context: LossContext,
    *,
    tables: Sequence[int],
) -> tuple[dict[int, Array], dict[int, LookedUp], LossOutput]:
    """As `loss_gradients`, of some parameters by rows.

    Args:
        tables: numbers of parameters, as leaves are counted, of which the loss only looks rows up.

    Returns:
        Gradients of the other parameters by number, those of tables by number, and what the loss gives.

    Raises:
        InputError: a table is used otherwise.
    """
    leaves, structure = jax.tree.flatten(variables["params"])
    names = parameter_names(variables["params"])
    total = _total(loss_fn, variables, carry, batch, context)
    others = {i: leaf for i, leaf in enumerate(leaves) if i not in tables}
    rows: dict[int, RowTable] = {}

    def with_taps(
        others: Mapping[int, Array], taps: Mapping[int, Sequence[Array]]
    ) -> tuple[Array, tuple[LossOutput, dict[int, list[Array]]]]:
        rows.update({i: RowTable(leaves[i], names[i], taps.get(i)) for i in tables})
        value, output = total(structure.unflatten([rows.get(i, others.get(i)) for i in range(len(leaves))]))
        return value, (output, {i: table.lookups for i, table in rows.items()})

    try:  # without taps, whose shapes are not known yet
        _, (_, found) = jax.eval_shape(with_taps, others, {})
    except Exception as error:
        if misuse := next((table.error for table in rows.values() if table.error), None):
            raise InputError(
                f"optimizer.rows is true, and {misuse}: set it to false, or have the parameter looked up only (an "
                "output layer that is tied to it, model.tie_embedding, takes all of it)"
            ) from error
        raise
    taps = {i: [jnp.zeros((*ids.shape, leaves[i].shape[1]), leaves[i].dtype) for ids in found[i]] for i in tables}
    (of_others, of_taps), (output, ids) = jax.grad(with_taps, argnums=(0, 1), has_aux=True)(others, taps)
    return of_others, {i: _looked_up(leaves[i], ids[i], of_taps[i]) for i in tables}, output


def parameter_names(params: PyTree) -> list[str]:
    """What errors call each leaf of `params`: "body/embedding"."""
    paths = jax.tree_util.tree_leaves_with_path(params)
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]


def _total(
    loss_fn: LossFn, variables: Mapping[str, PyTree], carry: PyTree, batch: PyTree, context: LossContext
) -> Callable[[PyTree], tuple[Array, LossOutput]]:
    def total(params: PyTree) -> tuple[Array, LossOutput]:
        output = loss_fn({**variables, "params": params}, carry, batch, context)
        output = output._replace(carry=None if carry is None else output.carry, collections=dict(output.collections))
        return output.tallies["loss"].total, output

    return total


def _looked_up(table: Array, ids: Sequence[Array], gradients: Sequence[Array]) -> LookedUp:
    size, depth = table.shape
    numbers = jnp.concatenate([jnp.zeros(0, jnp.int32), *(each.reshape(-1) for each in ids)])
    rows = jnp.concatenate([jnp.zeros((0, depth), table.dtype), *(each.reshape(-1, depth) for each in gradients)])
    return LookedUp(jnp.where((rows != 0).any(axis=1), numbers, size), rows)
