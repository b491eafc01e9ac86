"""Vectors that are rows of a table, not yet looked up.

What comes next is often a product with a weight. Where the table has fewer rows than there are vectors, the product of
the whole table is cheaper, and its rows are then looked up instead. So a layer is given the ids and the table.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array


@partial(jax.tree_util.register_dataclass, data_fields=("ids", "table", "scale"), meta_fields=("depth",))
@dataclasses.dataclass(frozen=True)
class Lookup:
    """Vectors [b, t, depth]: rows of table [v, depth] chosen by ids [b, t] int32, each times scale [b, t]."""

    ids: Array
    table: Array | None
    """None for the identity: one-hot vectors."""
    depth: int
    scale: Array | None = None
    """None for 1."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the vectors."""
        rows, steps = self.ids.shape
        return rows, steps, self.depth

    @property
    def is_narrow(self) -> bool:
        """Whether the product of the whole table is cheaper than that of the vectors."""
        return self.table is None or (len(self.table) <= self.ids.size and self.ids.shape[1] > 1)

    def vectors(self, mask: Array | None = None) -> Array:
        """The vectors themselves; row 0 where mask [b, t] is False."""
        ids = self.ids if mask is None else jnp.where(mask, self.ids, 0)
        rows = jax.nn.one_hot(ids, self.depth, dtype=jnp.float32) if self.table is None else self.table[ids]
        return rows if self.scale is None else rows * self.scale[:, :, None]
