"""Rows of a batch shared among the devices of one machine: the batch is sharded, everything else replicated.

A CPU's cores are such devices as well, see `jaxseq.runtime`; one device runs without any of this.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

AXIS = "data"
REPLICATED, SHARDED, STACKED_SHARDED = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)
"""How an array lies on the mesh: whole on every device; split on its first axis; split on its second."""


class DataParallel(NamedTuple):
    """The devices that share a batch."""

    mesh: Mesh

    @classmethod
    def over(cls, count: int) -> "DataParallel":
        """The first `count` devices."""
        return cls(Mesh(np.array(jax.devices()[:count]), (AXIS,)))

    @classmethod
    def sharing(cls, rows: int, *, fewest: int) -> "DataParallel":
        """As many devices as `rows` divide evenly among, each with `fewest` of them or more; one at least."""
        return cls.over(devices_for(rows, most=max(1, min(len(jax.devices()), rows // fewest))))

    @property
    def axis(self) -> str | None:
        """Name of the mesh axis the batch is split over; None on one device."""
        return AXIS if self.mesh.size > 1 else None

    def put(self, tree: Any, spec: PartitionSpec = REPLICATED) -> Any:
        """`tree` on the devices, as `spec` says; arrays that lie there already are not copied."""
        return jax.device_put(tree, self._sharding(spec))

    def _sharding(self, spec: PartitionSpec) -> Sharding:
        return NamedSharding(self.mesh, spec) if self.axis else SingleDeviceSharding(self.mesh.devices.item())

    def shard(self, function: Callable[..., Any], in_specs: Any, out_specs: Any) -> Callable[..., Any]:
        """`function` run by every device on its share; itself on one device."""
        if self.axis is None:
            return function
        # Varying axes go unchecked: sums over the mesh are explicit, and zero carries need no cast.
        return jax.shard_map(function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)


def devices_for(rows: int, *, most: int) -> int:
    """The most devices, up to `most`, among which `rows` divide evenly."""
    return next(count for count in range(most, 0, -1) if rows % count == 0)
