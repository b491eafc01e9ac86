"""From gradients to updates, with optax: clip, rescale by the update rule, decay weights, step by the learning rate.

The rules are PyTorch's, number for number, given the same settings:

    adam, adamw   eps outside the square root
    rmsprop       g / (sqrt(v) + eps): eps outside the square root, as in PyTorch and Keras 2; Keras 3 and the default
                  of optax have it inside. Momentum gathers the rescaled gradient, before the learning rate.
    adadelta      eps inside both square roots
    sgd           momentum gathers the gradient: m = momentum m + g

Schedules count updates, not batches: with `accumulate` 4, four batches are one step of the warm-up.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from jaxseq.config import OptimizerConfig
from jaxseq.errors import ConfigError

Schedule = Callable[[jax.typing.ArrayLike], jax.typing.ArrayLike]


class Optimizer(NamedTuple):
    """What a training step needs to know: parameters become `params - schedule(updates made) * transform(gradient)`."""

    transform: optax.GradientTransformation
    """Clipping, update rule and weight decay, without sign and learning rate."""
    schedule: Schedule
    """Learning rate of an update, given how many were made before."""
    accumulate: int
    """Batches to one update."""


def make_optimizer(config: OptimizerConfig, *, steps: int) -> Optimizer:
    """The optimizer that `config` describes, for a run over `steps` batches.

    Raises:
        ConfigError: momentum or weight decay is set for a rule that has none.
    """
    if config.momentum and config.name not in ("sgd", "rmsprop"):
        raise ConfigError(f"optimizer.momentum is {config.momentum}: {config.name} has none, take sgd or rmsprop")
    if config.weight_decay and config.name != "adamw":
        raise ConfigError(f"optimizer.weight_decay is {config.weight_decay}: {config.name} has none, take adamw")
    transforms = []
    if config.clip_value:
        transforms.append(optax.clip(config.clip_value))
    if config.clip_norm:  # after the elements, so that both limits hold
        transforms.append(optax.clip_by_global_norm(config.clip_norm))
    transforms.append(_rule(config))
    if config.momentum:
        transforms.append(optax.trace(config.momentum))
    if config.weight_decay:
        transforms.append(optax.add_decayed_weights(config.weight_decay, decayed))
    updates = steps // config.accumulate
    return Optimizer(optax.chain(*transforms), learning_rate_schedule(config, updates=updates), config.accumulate)


def learning_rate_schedule(config: OptimizerConfig, *, updates: int) -> Schedule:
    """Learning rate by the number of updates made before, for a run of `updates`.

    The warm-up is linear: its first update takes 1/warmup_steps of the peak, its last the peak. What follows counts
    from there: constant; half a cosine, to final_fraction of the peak at the end of the run; or a factor of step_factor
    after every step_every updates.
    """
    peak, warmup = config.learning_rate, config.warmup_steps
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(1, updates - warmup), alpha=config.final_fraction)
    elif config.schedule == "step":
        after = optax.exponential_decay(peak, config.step_every, config.step_factor, staircase=True)
    else:
        after = optax.constant_schedule(peak)
    if warmup == 0:
        return after
    return optax.join_schedules([optax.linear_schedule(peak / warmup, peak, max(1, warmup - 1)), after], [warmup])


def decayed(params: optax.Params) -> optax.Params:
    """True for each leaf of `params` that weight decay is for: matrices and larger, unless their name says bias.

    So biases, the scales of norms and scalars are left alone, and two-row biases as Keras's GRU has them.
    """

    def is_decayed(path: tuple[jax.tree_util.KeyEntry, ...], leaf: jax.Array) -> bool:
        return leaf.ndim >= 2 and "bias" not in jax.tree_util.keystr(path[-1:])

    return jax.tree_util.tree_map_with_path(is_decayed, params)


def _rule(config: OptimizerConfig) -> optax.GradientTransformation:
    if config.name in ("adam", "adamw"):
        return optax.scale_by_adam(config.b1, config.b2, config.eps)
    if config.name == "rmsprop":
        return optax.scale_by_rms(config.decay, config.eps, eps_in_sqrt=False)
    if config.name == "adadelta":
        return optax.scale_by_adadelta(config.decay, config.eps)
    return optax.identity()
