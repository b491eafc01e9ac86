"""A small task with everything a training loop can meet: a carry, uneven masks, dropout, and batches that go wrong.

A batch is a dict of x [b, 3], y [b, 5], mask [b] and poison [b]: 1 is harmless, 0 makes the loss infinite.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.config import AdamConfig
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.sharding import DataParallel
from jaxseq.training.devices import choose_devices
from jaxseq.training.optim import Optimizer, make_optimizer
from jaxseq.training.state import TrainState, init_state

ROWS = 4
TARGET = np.random.default_rng(9).normal(size=(3, 5)).astype(np.float32)


def loss_fn(variables: Any, carry: Any, batch: Any, context: LossContext) -> LossOutput:
    """Squared error of one recurrent step."""
    params, key = variables["params"], context.key
    before = jnp.zeros((batch["x"].shape[0], 5), jnp.float32) if carry is None else carry
    hidden = jnp.tanh(batch["x"] @ params["kernel"] + params["bias"] + before)
    kept = hidden if key is None else hidden * jax.random.bernoulli(key, 0.9, hidden.shape)
    errors = ((kept - batch["y"]) ** 2).sum(-1) - jnp.log(batch["poison"])
    count = batch["mask"].sum()
    errors = jnp.where(batch["mask"] > 0, errors, 0.0)
    hits = ((errors < 1) * batch["mask"]).sum()
    return LossOutput({"loss": Tally(errors.sum(), count), "accuracy": Tally(hits, count)}, 0.5 * before + hidden)


class ToyLoader:
    """Batches of an endless random source; those numbered in `poisoned` make an infinite loss."""

    batch_size = ROWS
    uniform = True

    def __init__(self, *, steps_per_epoch: int = 6, poisoned: tuple[int, ...] = (), seed: int = 0) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.poisoned = poisoned
        self.seed = seed

    def __call__(self, step: int, /) -> dict[str, np.ndarray]:
        random = np.random.default_rng((self.seed, step))
        x = random.normal(size=(ROWS, 3)).astype(np.float32)
        mask = (random.random(ROWS) < 0.6).astype(np.float32)
        mask[0] = 1.0
        poison = np.ones(ROWS, np.float32)
        if step in self.poisoned:
            poison[0] = 0.0
        return {"x": x, "y": np.tanh(x @ TARGET), "mask": mask, "poison": poison}


def toy_devices(devices: int) -> DataParallel:
    """The devices of a toy batch; skips the test where JAX was started with fewer devices."""
    if len(jax.devices()) < devices:
        pytest.skip(f"needs {devices} devices, JAX was started with {len(jax.devices())}")
    return choose_devices(devices, ROWS)[0]


def toy_params() -> dict[str, jax.Array]:
    """The same parameters every time."""
    return {"kernel": jnp.full((3, 5), 0.1, jnp.float32), "bias": jnp.zeros(5, jnp.float32)}


def toy_optimizer(steps: int = 100, **options: Any) -> Optimizer:
    """Adam at 0.05, or what `options` say."""
    return make_optimizer(AdamConfig(**{"learning_rate": 0.05, **options}), steps=steps)


def toy_state(optimizer: Optimizer, *, carried: bool = True) -> TrainState:
    """A state before the first step."""
    carry = jnp.zeros((ROWS, 5), jnp.float32) if carried else None
    return init_state({"params": toy_params()}, optimizer, key=jax.random.key(3), carry=carry)


def assert_same(a: Any, b: Any) -> None:
    """Two pytrees are equal bit for bit."""
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()
