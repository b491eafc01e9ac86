"""The devices that a training runs on."""

import jax
import jax.numpy as jnp

from jaxseq.errors import InputError
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel, devices_for
from jaxseq.training.state import TrainState

FEWEST_ROWS = 4
"""Rows of a batch that a device is worth taking for, where their number is not asked for."""
STATE_SPECS = TrainState._make(SHARDED if name == "carry" else REPLICATED for name in TrainState._fields)


def put_state(parallel: DataParallel, state: TrainState) -> TrainState:
    """A copy of `state` on the devices, which may then be donated: the carry sharded, the rest replicated."""
    # Onto several devices, device_put hands the first of them the array itself, even with may_alias=False.
    copy = jax.tree.map(jnp.array, state)
    return parallel.put(copy._replace(carry=None))._replace(carry=parallel.put(copy.carry, SHARDED))


def choose_devices(requested: int, batch_size: int) -> tuple[DataParallel, str | None]:
    """The devices to share batches of `batch_size`, and a line for the user where they are fewer than meant.

    Every device gets the same number of rows, so it is the largest divisor of `batch_size` up to `requested` (0: all
    devices, as long as each has `FEWEST_ROWS`).

    Raises:
        InputError: there are fewer devices than requested.
    """
    there = len(jax.devices())
    if requested > there:
        raise InputError(f"train.devices is {requested}, there are {there}: ask for fewer, or 0 for all")
    most = requested or min(there, max(1, batch_size // FEWEST_ROWS))
    count = devices_for(batch_size, most=most)
    note = None
    if count < most:
        note = f"a batch of {batch_size} does not divide among {most} devices: {count} will do the work"
    return DataParallel.over(count), note
