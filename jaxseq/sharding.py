"""How a training lies on devices: rows of a batch shared among them, and parameters too where they are many.

The devices form a mesh with the axis "data", along which the rows of a batch are split, and, where a model takes
several devices, the axis "model", along which parameters and optimizer state are split (`RULES`). Without it every
device has all of them. A CPU's cores are such devices as well, see `jaxseq.runtime`; one device runs without any of
this.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

AXIS, MODEL = "data", "model"
REPLICATED, SHARDED, STACKED_SHARDED = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)
"""How an array lies on the mesh: whole on every device; split on its first axis; split on its second."""


class Rule(NamedTuple):
    """How parameters of some names are split, where the devices divide that dimension evenly."""

    pattern: str
    """A regular expression that is searched for in the name, "params/block_0/attention/input/kernel"."""
    split: PartitionSpec
    """A name of an axis, or None, for each dimension."""


_ROWS, _COLUMNS = PartitionSpec(MODEL, None), PartitionSpec(None, MODEL)
_TABLE = r"(^|[/_])(embedding|table)$"
RULES = (
    Rule(_TABLE, _ROWS),  # words among devices, so that logits are too
    Rule(_TABLE, _COLUMNS),  # where their number is no multiple
    Rule(r"feed_forward/(input|output)/kernel$", _COLUMNS),  # that of the output is [features, width]
    Rule(r"attention\w*/output/kernel$", _ROWS),
    Rule(r"attention\w*/\w+/kernel$", _COLUMNS),
    Rule(r"(^|/)(head_)?kernel$", _COLUMNS),
)
"""The first that fits counts; what none fits is whole on every device: biases, scales, the kernels of recurrent layers.
The state of the update rule is named as the parameter that it belongs to, and lies as that one does."""


class DataParallel(NamedTuple):
    """The devices that share a batch, or the parameters too."""

    mesh: Mesh

    @classmethod
    def over(cls, count: int) -> "DataParallel":
        """The first `count` devices of this process."""
        return cls(Mesh(np.array(jax.local_devices()[:count]), (AXIS,)))

    @classmethod
    def across(cls, count: int, *, model: int = 1) -> "DataParallel":
        """The first `count` times `model` devices of every process; each `model` of them share the parameters."""
        found: dict[int, list[Any]] = {}
        for device in jax.devices():
            found.setdefault(device.process_index, []).append(device)
        devices = [device for _, there in sorted(found.items()) for device in there[: count * model]]
        if model == 1:
            return cls(Mesh(np.array(devices), (AXIS,)))
        return cls(Mesh(np.array(devices).reshape(-1, model), (AXIS, MODEL)))

    @classmethod
    def sharing(cls, rows: int, *, fewest: int) -> "DataParallel":
        """As many devices of this process as `rows` divide evenly among, each with `fewest` of them or more; one at
        least."""
        return cls.over(devices_for(rows, most=max(1, min(jax.local_device_count(), rows // fewest))))

    @property
    def shares(self) -> int:
        """Into how many shares a batch is split."""
        return self.mesh.shape[AXIS]

    @property
    def axis(self) -> str | None:
        """Name of the mesh axis the batch is split over; None where it is not."""
        return AXIS if self.shares > 1 else None

    @property
    def splits_parameters(self) -> bool:
        """Whether devices share the parameters."""
        return MODEL in self.mesh.shape

    @property
    def spread(self) -> bool:
        """Whether devices of other processes are among them."""
        return self.mesh.is_multi_process

    def own_rows(self, rows: int) -> slice:
        """Which of the `rows` of a batch this process has to give."""
        if not self.spread:
            return slice(0, rows)
        each = rows // jax.process_count()
        return slice(each * jax.process_index(), each * (jax.process_index() + 1))

    def put(self, tree: Any, spec: PartitionSpec = REPLICATED) -> Any:
        """`tree` on the devices, as `spec` says; arrays that lie there already are not copied. With other processes
        each gives all of it."""
        sharding = self._sharding(spec)
        if not self.spread:
            return jax.device_put(tree, sharding)
        return jax.tree.map(lambda leaf: _spread(leaf, sharding), tree)

    def put_rows(self, tree: Any, spec: PartitionSpec) -> Any:
        """`tree` on the devices, as `spec` says, of which this process gives its `own_rows` alone."""
        if not self.spread:
            return self.put(tree, spec)
        sharding = self._sharding(spec)
        return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), tree)

    def put_named(self, tree: Any) -> Any:
        """`tree` on the devices, each leaf as `RULES` say of its name."""
        if not self.splits_parameters:
            return self.put(tree)
        shardings = self.shardings(tree)
        return jax.tree.map(_spread, tree, shardings) if self.spread else jax.device_put(tree, shardings)

    def arranged(self, tree: Any) -> Any:
        """In a compiled function: `tree`, of which the result shall lie as `RULES` say."""
        return jax.lax.with_sharding_constraint(tree, self.shardings(tree)) if self.splits_parameters else tree

    def shardings(self, tree: Any) -> Any:
        """Where each leaf of `tree` lies, by `RULES`: a tree of shardings."""

        def sharding(path: Any, leaf: Any) -> Sharding:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            return self._sharding(self._rule(name, np.shape(leaf)))

        return jax.tree_util.tree_map_with_path(sharding, tree)

    def local(self, tree: Any) -> Any:
        """`tree` for use in this process alone; arrays of which other processes have a share become NumPy's, which
        takes all of them where rows are split."""
        return jax.tree.map(_local, tree) if self.spread else tree

    def shard(self, function: Callable[..., Any], in_specs: Any, out_specs: Any) -> Callable[..., Any]:
        """`function` run by every device on its rows; itself where these are not split. How devices share the
        parameters is left to the compiler."""
        if self.axis is None:
            return function
        # Varying axes go unchecked: sums over the mesh are explicit, and zero carries need no cast.
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, axis_names={AXIS}, check_vma=False
        )

    def _sharding(self, spec: PartitionSpec) -> Sharding:
        one = self.mesh.size == 1
        return SingleDeviceSharding(self.mesh.devices.item()) if one else NamedSharding(self.mesh, spec)

    def _rule(self, name: str, shape: tuple[int, ...]) -> PartitionSpec:
        for pattern, split in RULES:
            if re.search(pattern, name) and len(split) == len(shape):
                sizes = [self.mesh.shape[axis] if axis else 1 for axis in split]
                if all(size % parts == 0 for size, parts in zip(shape, sizes, strict=True)):
                    return split
        return REPLICATED


def devices_for(rows: int, *, most: int) -> int:
    """The most devices, up to `most`, among which `rows` divide evenly."""
    return next(count for count in range(most, 0, -1) if rows % count == 0)


def _spread(leaf: Any, sharding: Sharding) -> jax.Array:
    """`leaf`, which every process has, on the devices of all of them."""
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    whole = np.asarray(leaf)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def _local(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return leaf
    if leaf.is_fully_replicated:
        return leaf.addressable_data(0)
    whole = np.empty(leaf.shape, leaf.dtype)
    missing = np.ones(leaf.shape, bool)
    for shard in leaf.addressable_shards:
        whole[shard.index] = np.asarray(shard.data)
        missing[shard.index] = False
    if missing.any():
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))
    return whole
