"""Training in a script or a notebook: a loader in, parameters out, nothing on disk."""

from typing import Any

import jax
import numpy as np

from jaxseq.config import OptimizerConfig
from jaxseq.tasks.corpora import TextLoader
from jaxseq.tasks.language_model import LanguageModel, init_params, make_loss_fn
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.sharding import STACKED_SPLIT, choose_layout
from jaxseq.training.state import init_state


def train_model(
    model: LanguageModel,
    loader: TextLoader,
    *,
    steps: int,
    optimizer: OptimizerConfig | None = None,
    seed: int = 0,
    steps_per_dispatch: int = 10,
) -> dict[str, Any]:
    """Parameters of `model` after `steps` batches of `loader`, from fresh ones; on all devices that JAX has.

    The same steps as `jaxseq train` makes, without validation, logs and checkpoints. `optimizer` is Adam by default.
    """
    rule = make_optimizer(optimizer or OptimizerConfig(), steps=steps)
    layout, _ = choose_layout(0, loader.batch_size)
    run = compile_training(make_loss_fn(model, loader), rule, layout=layout, most=steps_per_dispatch)
    carry = model.initial_carry(loader.batch_size) if loader.carried else None
    key = jax.random.fold_in(jax.random.key(seed), 1)
    state = layout.put_state(init_state(init_params(model, seed=seed), rule, key=key, carry=carry))
    for step in range(0, steps, steps_per_dispatch):
        count = min(steps_per_dispatch, steps - step)
        batches = stack_batches(loader, step, count, steps_per_dispatch)
        state, _ = run(state, layout.put(batches, STACKED_SPLIT), np.int32(count))
    return jax.device_get(state.params)
