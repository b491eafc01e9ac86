"""Tables [v, d] that a step reads some rows of, and what it reads put together by rows.

The gradient of a loss by such a table is as large as the table, and zero but in the rows that were looked up. Where a
`RowTable` takes the table's place in the loss, the gradient is that of the vectors looked up instead: each lookup adds
a *tap*, zeros that the loss is differentiated by, and leaves its ids to whoever made it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Float, Int32

from jaxseq.ops.shapes import Array

TABLE_NAMES = frozenset({"embedding", "table"})
"""What models call a parameter that they look rows up in, as the last part of its path."""


class RowTableError(TypeError):
    """A table was used otherwise than by its rows; the message says which, and how."""


class RowTable(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands in for a table whose rows are looked up: `table[ids]`, with ids of any shape.

    It has the shape and type of the table, and is no pytree: a leaf, which Flax hands on as it does a parameter. It is
    of use only where it was made: inside the function that is differentiated, outside of any inner scan, jit or vmap.
    """

    def __init__(self, table: Float[Array, "v d"], name: str, taps: Sequence[Float[Array, "..."]] | None = None):
        """Args:
        name: what errors call it.
        taps: one for each lookup, in order, of the shape of what it gives; None adds none.
        """
        self.lookups: list[Array] = []
        """The ids of each lookup, int32, as numbers of rows; the size of the table where there is no such row."""
        self.error: RowTableError | None = None
        """What was raised last: JAX may raise something of its own in its place."""
        self._table = table
        self._name = name
        self._taps = taps
        self._trace = get_opaque_trace_state()

    @property
    def constant(self) -> Array:
        """The table itself, which has no gradient."""
        return self._table

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the table."""
        return self._table.shape

    @property
    def ndim(self) -> int:
        """2."""
        return self._table.ndim

    @property
    def dtype(self) -> Any:
        """Of the table."""
        return self._table.dtype

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, ids: Any) -> Float[Array, "..."]:
        kind = np.asarray(ids).dtype if isinstance(ids, int) else getattr(ids, "dtype", np.dtype(object))
        if not np.issubdtype(kind, np.integer):
            raise self._misuse("indexed by something else than whole numbers")
        if get_opaque_trace_state() != self._trace:
            self.error = RowTableError(
                f"rows of the parameter {self._name} are looked up inside a scan, jit, vmap or checkpoint of the loss, "
                "where what was looked up cannot be known outside"
            )
            raise self.error
        # As JAX reads an array: from the end where negative; beyond an end that end, which has no gradient from there.
        numbers = jnp.asarray(ids, jnp.int32)
        numbers = jnp.where(numbers < 0, numbers + len(self), numbers)
        vectors = self._table[jnp.clip(numbers, 0, len(self) - 1)]
        if self._taps is not None:
            vectors = vectors + self._taps[len(self.lookups)]
        self.lookups.append(jnp.where((numbers >= 0) & (numbers < len(self)), numbers, len(self)))
        return vectors

    # What else an array can do needs all of the table. JAX and NumPy ask for these where they are given no array.

    @property
    def __jax_array__(self) -> Any:
        raise self._misuse("taken as an array")

    @property
    def __array__(self) -> Any:
        raise self._misuse("taken as an array")

    def __array_ufunc__(self, *arguments: Any, **options: Any) -> Any:
        raise self._misuse("computed with")

    def __iter__(self) -> Any:
        raise self._misuse("gone through row by row")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(jax.Array, name):
            raise self._misuse(f"asked for its .{name}")
        raise AttributeError(name)

    def _misuse(self, how: str) -> RowTableError:
        self.error = RowTableError(f"the parameter {self._name} is used as a whole ({how}), not by its rows alone")
        return self.error


def without_gradient(tree: Any) -> Any:
    """The tree as constants, tables that a `RowTable` stands in for too: these may be used as a whole."""

    def constant(leaf: Any) -> Array:
        return leaf.constant if isinstance(leaf, RowTable) else jax.lax.stop_gradient(leaf)

    return jax.tree.map(constant, tree)


class CombinedRows(NamedTuple):
    """Rows of a table put together, each once; m is n or the size of the table, whichever is less."""

    ids: Int32[Array, " m"]
    """Sorted; the size of the table behind the last one, where a scatter with mode "drop" writes nothing."""
    rows: Float[Array, "m d"]
    """Sums; zeros behind the last one."""
    counts: Int32[Array, " m"]
    """How many were added up to each."""


def combine(ids: Int32[Array, " n"], rows: Float[Array, "n d"], size: int) -> CombinedRows:
    """Adds up the rows that have the same id, in the order they stand in; leaves out those whose id is `size`."""
    most = min(len(ids), size)
    # Numbers alone are sorted in a sixth of the time that numbers with their places take on a CPU, and the places then
    # looked for; so rows stay where they are.
    ordered = jnp.sort(jnp.asarray(ids), stable=False)
    is_first = jnp.concatenate([jnp.ones(1, bool), ordered[1:] != ordered[:-1]])[: len(ids)]
    # Past the end, where nothing is written, for what is left out.
    firsts = jnp.where(ordered < size, jnp.cumsum(is_first, dtype=jnp.int32) - 1, most)
    unique = jnp.full(most, size, jnp.int32).at[firsts].set(ordered, mode="drop", indices_are_sorted=True)
    found = jnp.searchsorted(unique, jnp.asarray(ids), method="scan_unrolled").astype(jnp.int32)
    places = jnp.where(ids < size, found, most)

    def summed(values: Array) -> Array:
        return jnp.zeros((most, *values.shape[1:]), values.dtype).at[places].add(values, mode="drop")

    return CombinedRows(unique, summed(jnp.asarray(rows)), summed(jnp.ones(len(ids), jnp.int32)))
