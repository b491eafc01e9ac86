"""Training in a script or a notebook: a loss and a loader in, parameters out, nothing on disk."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxseq.config import AdamConfig, OptimizerConfig
from jaxseq.data.batching import Loader
from jaxseq.errors import InputError
from jaxseq.ops.objective import LossFn
from jaxseq.sharding import STACKED_SHARDED
from jaxseq.training.devices import choose_devices, put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.run_record import DivergedError, RunRecord
from jaxseq.training.state import init_state

_MOST_SKIPPED = 10


def train_model(
    loss_fn: LossFn,
    params: Mapping[str, Any],
    loader: Loader,
    *,
    steps: int,
    carry: Any = None,
    optimizer: OptimizerConfig | None = None,
    seed: int = 0,
    steps_per_dispatch: int = 10,
) -> dict[str, Any]:
    """`params` after `steps` batches of `loader`, by gradient steps on `loss_fn`; on all devices that JAX has.

    The same steps as `jaxseq train` makes, without validation, logs and checkpoints.

    Args:
        carry: what enters the first batch, and is handed on; None begins anew in each.
        optimizer: Adam by default.
        seed: of dropout and whatever else is random.
        steps_per_dispatch: of a loader whose batches are all of one shape; of others it is 1.

    Raises:
        InputError: training has diverged: loss or gradient of ten batches in a row is not finite, or the parameters at
            the end are not. (Single such batches are skipped.)
    """
    optimizer = optimizer or AdamConfig()
    rule = make_optimizer(optimizer, steps=steps)
    parallel, _ = choose_devices(0, loader.batch_size)
    most = steps_per_dispatch if loader.uniform else 1
    run = compile_training(loss_fn, rule, parallel=parallel, most=most)
    key = jax.random.fold_in(jax.random.key(seed), 1)
    state = put_state(parallel, init_state({"params": params}, rule, key=key, carry=carry))
    record, waiting = RunRecord(), None
    for step in range(0, steps, most):
        count = min(most, steps - step)
        batches = stack_batches(loader, step, count, most)
        state, tallies = run(state, parallel.put(batches, STACKED_SHARDED), np.int32(count))
        _enter(record, waiting, optimizer)  # one dispatch late: the devices need not wait for the host
        waiting = jax.tree.map(lambda values, count=count: values[:count], tallies)
    _enter(record, waiting, optimizer)
    trained = jax.device_get(state.trained["params"])
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained)):
        raise _diverged("the parameters after the last update are not finite", optimizer)
    return trained


def _enter(record: RunRecord, tallies: Any, optimizer: OptimizerConfig) -> None:
    try:
        if tallies is not None:
            record.add(jax.device_get(tallies), max_nonfinite=_MOST_SKIPPED)
    except DivergedError as error:
        raise _diverged(f"loss or gradient of {_MOST_SKIPPED} batches in a row was not finite", optimizer) from error


def _diverged(what: str, optimizer: OptimizerConfig) -> InputError:
    return InputError(f"{what}: lower the learning rate ({optimizer.learning_rate:g}), or set clip_norm")
