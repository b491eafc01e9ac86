"""The devices that a training runs on."""

import jax
import jax.numpy as jnp

from jaxseq.errors import InputError
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel, devices_for
from jaxseq.training.state import TrainState

FEWEST_ROWS = 4
"""Rows of a batch that a device is worth taking for, where their number is not asked for."""
STATE_SPECS = TrainState._make(SHARDED if name == "carry" else REPLICATED for name in TrainState._fields)
"""How a state lies along the axis that rows are split over."""


def put_state(parallel: DataParallel, state: TrainState) -> TrainState:
    """A copy of `state` on the devices, which may then be donated: the carry as rows are, parameters and what belongs
    to them as `jaxseq.sharding.RULES` say, the rest on every device."""
    if parallel.spread:  # makes copies
        return parallel.put_named(state._replace(carry=None))._replace(carry=parallel.put(state.carry, SHARDED))
    # Onto several devices, device_put hands the first of them the array itself, even with may_alias=False.
    copy = jax.tree.map(jnp.array, state)
    return parallel.put_named(copy._replace(carry=None))._replace(carry=parallel.put(copy.carry, SHARDED))


def choose_devices(requested: int, batch_size: int, *, model: int = 1) -> tuple[DataParallel, str | None]:
    """The devices to share batches of `batch_size`, and a line for the user where they are fewer than meant.

    Every device gets the same number of rows, so it is the largest divisor of the rows of a process up to `requested`
    (0: all devices of it, as long as each has `FEWEST_ROWS`).

    Args:
        requested: devices of each process.
        model: how many of them share the parameters of one copy of the model.

    Raises:
        InputError: there are fewer devices than requested, or a batch does not divide among the processes.
    """
    there, processes = jax.local_device_count(), jax.process_count()
    if requested > there:
        raise InputError(f"train.devices is {requested}, there are {there}: ask for fewer, or 0 for all")
    if model > there or (requested or model) % model:
        raise InputError(
            f"train.model_devices is {model}, and a process has {requested or there} devices: choose a number that "
            "divides them"
        )
    rows, left = divmod(batch_size, processes)
    if left or not rows:
        raise InputError(
            f"a batch of {batch_size} rows does not divide among {processes} processes: choose a multiple of "
            f"{processes} as data.batch_size"
        )
    most = requested // model or min(there // model, max(1, rows // FEWEST_ROWS))
    count = devices_for(rows, most=most)
    note = None
    if count < most:
        note = f"a batch of {batch_size} does not divide among {most * processes} devices: {count * processes} will do "
        note += "the work"
    return DataParallel.across(count, model=model), note


def evaluation_devices(requested: int, batch_size: int, *, model: int = 1) -> DataParallel:
    """The devices to share the batches of an evaluation: those of all processes where they can be, else those of each,
    which then does all of it.

    Raises:
        InputError: there are fewer devices than requested.
    """
    if batch_size % jax.process_count() == 0:
        return choose_devices(requested, batch_size, model=model)[0]
    there = min(requested or jax.local_device_count(), jax.local_device_count())
    return DataParallel.over(devices_for(batch_size, most=max(1, min(there, batch_size // FEWEST_ROWS))))
