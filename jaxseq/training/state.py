"""Everything that changes while training, as one value."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.training.optim import Optimizer

PyTree = Any


class Accumulated(NamedTuple):
    """Gradients of the batches since the last update."""

    grads: PyTree
    """Gradient of the summed loss, a leaf for each parameter."""
    items: Array
    """Items in that sum, float32 scalar."""


class TrainState(NamedTuple):
    """State of training after `step` batches. A pytree of arrays: what a checkpoint holds."""

    step: Array
    """Batches seen, int32 scalar."""
    updates: Array
    """Updates made, int32 scalar; behind `step` by accumulation and by skipped batches."""
    params: PyTree
    collections: PyTree
    """Variables that are no parameters, by collection; {} where there are none."""
    opt_state: PyTree
    carry: PyTree
    """Carry that enters the next batch, leading axis = batch; None where every batch begins anew."""
    accumulated: Accumulated | None
    """None where every batch makes an update. Whatever is in it when a run is stopped goes into the checkpoint."""
    average: PyTree
    """Moving average of the parameters after every update so far; None where none is kept."""
    lr_scale: Array
    """Factor on the scheduled learning rate, float32 scalar: halved when a run goes back to a checkpoint."""
    key: Array
    """Data of the run's random key, uint32; batch i draws from fold_in(key, i)."""

    @property
    def variables(self) -> dict[str, PyTree]:
        """Parameters and other collections, as Flax's `apply` takes them: what the next step begins with."""
        return {"params": self.params, **self.collections}

    @property
    def trained(self) -> dict[str, PyTree]:
        """What training has come to, to be measured and used: with the average of the parameters where one is kept."""
        return self.variables if self.average is None else {**self.variables, "params": self.average}


def init_state(
    variables: Mapping[str, PyTree], optimizer: Optimizer, *, key: Array, carry: PyTree = None
) -> TrainState:
    """The state before the first batch.

    Args:
        variables: {"params": ...} and other collections, as Flax's `init` gives them.
        key: a `jax.random.key`, of which only the data is kept.
        carry: the initial carry of the model for the training batch; None for windows that are independent.
    """
    # Types are made strong, as those of a step's results are: another type would be another compiled program.
    variables, carry = jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), (dict(variables), carry))
    params, collections = variables["params"], {name: variables[name] for name in variables if name != "params"}
    zeros = Accumulated(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.float32))
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        updates=jnp.zeros((), jnp.int32),
        params=params,
        collections=collections,
        opt_state=optimizer.transform.init(params),
        carry=carry,
        accumulated=zeros if optimizer.accumulate > 1 else None,
        average=params if optimizer.ema_decay else None,
        lr_scale=jnp.ones((), jnp.float32),
        key=jax.random.key_data(key),
    )
