"""Vectors that are rows of a table, not yet looked up.

What comes next is often a product with a weight. Where the table has fewer rows than there are vectors, the product of
the whole table is cheaper, and its rows are then looked up instead. So a layer is given the ids and the table.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jaxseq.ops.row_tables import RowTable
from jaxseq.ops.shapes import Array, is_open


@partial(jax.tree_util.register_dataclass, data_fields=("ids", "table", "scale"), meta_fields=("depth",))
@dataclasses.dataclass(frozen=True)
class Lookup:
    """Vectors [b, t, depth]: rows of the table chosen by ids, each times its scale."""

    ids: Int[Array, "b t"]
    table: Float[Array, "v depth"] | RowTable | None
    """None for the identity: one-hot vectors."""
    depth: int
    scale: Float[Array, "b t"] | None = None
    """None for 1."""

    # A tree that is mapped over is made again with whatever came of its leaves; only methods are checked.
    __no_type_check__ = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the vectors."""
        rows, steps = self.ids.shape
        return rows, steps, self.depth

    @property
    def is_narrow(self) -> bool:
        """Whether the product of the whole table is cheaper than that of the vectors, and may be taken."""
        if self.table is None:
            return True
        if isinstance(self.table, RowTable) or is_open(*self.ids.shape):
            return False
        return len(self.table) <= self.ids.size and self.ids.shape[1] > 1

    def vectors(self, mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b t {self.depth}"]:
        """The vectors themselves; row 0 where the mask is False."""
        ids = self.ids if mask is None else jnp.where(mask, self.ids, 0)
        rows = jax.nn.one_hot(ids, self.depth, dtype=jnp.float32) if self.table is None else self.table[ids]
        return rows if self.scale is None else rows * self.scale[:, :, None]
