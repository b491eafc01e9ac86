"""Data parallelism over the devices of one machine: the batch is split, the parameters are copied.

A CPU's cores are such devices as well, see `jaxseq.runtime`; one device runs without any of this.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from jaxseq.errors import InputError
from jaxseq.training.state import PyTree, TrainState

AXIS = "data"
REPLICATED, SHARDED, STACKED_SHARDED = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)
"""How an array lies on the mesh: whole on every device; split on its first axis; split on its second."""


class DataParallel(NamedTuple):
    """The devices that share a batch."""

    mesh: Mesh

    @property
    def axis(self) -> str | None:
        """Name of the mesh axis the batch is split over; None on one device."""
        return AXIS if self.mesh.size > 1 else None

    def put(self, tree: PyTree, spec: PartitionSpec = REPLICATED) -> PyTree:
        """`tree` on the devices, as `spec` says; arrays that lie there already are not copied."""
        return jax.device_put(tree, self._sharding(spec))

    def put_state(self, state: TrainState) -> TrainState:
        """A copy of `state`, which may then be donated: the carry split, the rest whole on every device."""
        # Onto several devices, device_put hands the first of them the array itself, even with may_alias=False.
        copy = jax.tree.map(jnp.array, state)
        return self.put(copy._replace(carry=None))._replace(carry=self.put(copy.carry, SHARDED))

    def _sharding(self, spec: PartitionSpec) -> Sharding:
        return NamedSharding(self.mesh, spec) if self.axis else SingleDeviceSharding(self.mesh.devices.item())

    def shard(self, function: Callable[..., Any], in_specs: Any, out_specs: Any) -> Callable[..., Any]:
        """`function` run by every device on its share; itself on one device."""
        if self.axis is None:
            return function
        # Varying axes go unchecked: sums over the mesh are explicit, and zero carries need no cast.
        return jax.shard_map(function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)


FEWEST_ROWS = 4
"""Rows of a batch that a device is worth taking for, where their number is not asked for."""
STATE_SPECS = TrainState._make(SHARDED if name == "carry" else REPLICATED for name in TrainState._fields)


def choose_devices(requested: int, batch_size: int) -> tuple[DataParallel, str | None]:
    """The devices to share batches of `batch_size`, and a line for the user where they are fewer than meant.

    Every device gets the same number of rows, so it is the largest divisor of `batch_size` up to `requested` (0: all
    devices, as long as each has `FEWEST_ROWS`).

    Raises:
        InputError: there are fewer devices than requested.
    """
    devices = jax.devices()
    if requested > len(devices):
        raise InputError(f"train.devices is {requested}, there are {len(devices)}: ask for fewer, or 0 for all")
    most = requested or min(len(devices), max(1, batch_size // FEWEST_ROWS))
    count = next(n for n in range(most, 0, -1) if batch_size % n == 0)
    note = None
    if count < most:
        note = f"a batch of {batch_size} does not divide among {most} devices: {count} will do the work"
    return DataParallel(Mesh(np.array(devices[:count]), (AXIS,))), note
