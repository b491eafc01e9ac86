"""A small task that looks rows up: two tables, one of them twice, repeated ids and padding.

A batch is a dict of ids [b, 3], context [b], mask [b, 3] and poison [b]: 1 is harmless, 0 makes the loss infinite.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from toy_training import toy_devices

from jaxseq.config import kinds_of
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.sharding import STACKED_SHARDED
from jaxseq.training.devices import put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import TrainState, init_state

ROWS, SIZE, OTHER_SIZE, DEPTH = 4, 200, 11, 3


def loss_fn(variables: Any, carry: Any, batch: Any, context: LossContext) -> LossOutput:
    """A squared error of sums of rows."""
    params = variables["params"]
    table = params["body"]["table"]
    vectors = jnp.where(batch["mask"][..., None], table[jnp.where(batch["mask"], batch["ids"], 0)], 0)
    hidden = jnp.tanh(vectors.sum(1) @ params["kernel"] + params["embedding"][batch["context"]])
    errors = ((hidden - 0.1 * table[batch["ids"][:, 0]] - 0.5) ** 2).sum(-1) - jnp.log(batch["poison"])
    real = batch["mask"].any(1)
    return LossOutput({"loss": Tally(jnp.where(real, errors, 0).sum(), real.sum(dtype=jnp.float32))})


class TableLoader:
    """Batches of an endless random source, in which low ids are frequent; those in `poisoned` make an infinite loss."""

    batch_size = ROWS
    uniform = True
    steps_per_epoch = 6

    def __init__(self, *, poisoned: tuple[int, ...] = ()) -> None:
        self.poisoned = poisoned

    def __call__(self, step: int, /) -> dict[str, np.ndarray]:
        random = np.random.default_rng(step)
        ids = (SIZE * random.random((ROWS, 3)) ** 3).astype(np.int32)
        mask = random.random((ROWS, 3)) < 0.7
        mask[0] = True
        poison = np.ones(ROWS, np.float32)
        if step in self.poisoned:
            poison[0] = 0.0
        context = random.integers(0, OTHER_SIZE, ROWS).astype(np.int32)
        return {"ids": ids, "context": context, "mask": mask, "poison": poison}


def table_params() -> dict[str, Any]:
    """The same parameters every time."""
    random = np.random.default_rng(7)
    shapes = {"table": (SIZE, DEPTH), "embedding": (OTHER_SIZE, DEPTH), "kernel": (DEPTH, DEPTH)}
    made = {name: jnp.asarray(random.normal(size=shape), jnp.float32) for name, shape in shapes.items()}
    return {"body": {"table": made.pop("table")}, **made}


def table_state(optimizer: Any) -> TrainState:
    """A state before the first step."""
    return init_state({"params": table_params()}, optimizer, key=jax.random.key(3))


BATCHES = [TableLoader()(i) for i in range(30)]


def optimizer_of(kind="sgd", **options):
    return make_optimizer(kinds_of("optimizer")[kind](**{"learning_rate": 0.1, **options}), steps=100)


@functools.cache
def compiled(kind="sgd", devices=1, most=1, loss=loss_fn, **options):
    parallel = toy_devices(devices)
    return compile_training(loss, optimizer_of(kind, **options), parallel=parallel, most=most), parallel


def steps(batches, kind="sgd", *, devices=1, most=1, cuts=None, state=None, **options):
    """State and tallies after the batches, run `most` at a time or as `cuts` say."""
    run, parallel = compiled(kind, devices, most, **options)
    state = put_state(parallel, state or table_state(optimizer_of(kind, **options)))
    rows, step = [], 0
    for count in cuts or [1] * len(batches):
        stacked = stack_batches(lambda i: batches[i], step, count, most)
        state, tallies = run(state, parallel.put(stacked, STACKED_SHARDED), np.int32(count))
        rows.append(jax.tree.map(lambda values, n=count: values[:n], jax.device_get(tallies)))
        step += count
    return jax.device_get(state), jax.tree.map(lambda *values: np.concatenate(values), *rows)


def close(a, b, tolerance=1e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance), a, b)
