"""From gradients to updates, with optax: clip, rescale by the update rule, decay weights, step by the learning rate.

The rules are PyTorch's, number for number, given the same settings; tests compare both libraries over many updates.
Keras 3 differs from them where the table says so (g gradient, m and v its moments, lr learning rate):

    rule           here and in PyTorch                       Keras 3
    adam, adamw    m' / (sqrt(v') + eps), where              eps next to the uncorrected sqrt(v), the paper's "epsilon
                   m' = m / (1 - b1^t),                      hat": as with an eps of eps / sqrt(1 - b2^t) here, which is
                   v' = v / (1 - b2^t)                       31.6 times as much in the first update and 3.2 times in the
                                                             hundredth, at b2 = 0.999. It matters where |g| is not far
                                                             above eps: there updates differ by up to that factor
    adamw          decays by lr * weight_decay               the same; of every variable that is not excluded
    rmsprop        g / (sqrt(v) + eps)                       g / sqrt(v + eps), as in optax by default: about
                                                             sqrt(eps) takes the place of eps
    its momentum   gathers that, and lr comes after:         gathers it times lr: the same while lr does not change
                   m = momentum m + that
    adadelta       sqrt(d + eps) / sqrt(v + eps) g           the same
    adagrad        g / (sqrt(s) + eps), where s = initial    g / sqrt(s + eps), initial 0.1
                   and the sum of all g^2 so far
    sgd            m = momentum m + g                        m = momentum m - lr g: the same while lr does not change
    default eps    1e-8 (1e-10 for adagrad; PyTorch: 1e-6    1e-7
                   for adadelta)
    clip_norm      of all parameters together                global_clipnorm; clipnorm is one parameter's alone

Elements are clipped (clip_value) before the norm is (clip_norm), so that both limits hold. Weight decay is decoupled:
neither clipped nor rescaled, and left out for biases and norms (`decayed`).

Schedules count updates, not batches: with `accumulate` 4, four batches are one step of the warm-up. A run of n batches
makes ceil(n / accumulate) updates, the last of them of the batches that are left.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxseq.config import (
    AdadeltaConfig,
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
    RMSpropConfig,
    SGDConfig,
    kinds_of,
)
from jaxseq.errors import ConfigError
from jaxseq.ops.row_tables import TABLE_NAMES

Schedule = Callable[[jax.typing.ArrayLike], jax.typing.ArrayLike]
ENDING = ("cosine", "linear")
"""Courses of the learning rate that hang on where a run ends."""


class Rows(NamedTuple):
    """How tables are updated of which a batch sees some rows only."""

    names: frozenset[str]
    """Last parts of the paths of parameters that are such tables."""
    cap: int
    """A row that a batch looks up `count` times has its update divided by max(1, count / cap); 0 for no such limit."""


class Optimizer(NamedTuple):
    """What a training step needs to know: parameters become `params - schedule(updates made) * transform(gradient)`."""

    transform: optax.GradientTransformation
    """Clipping, update rule and weight decay, without sign and learning rate."""
    schedule: Schedule
    """Learning rate of an update, given how many were made before."""
    accumulate: int
    """Batches to one update."""
    steps: int
    """Batches of the run: after the last of them there is an update of however many are gathered."""
    rows: Rows | None = None
    """None where all parameters are updated as a whole."""
    ema_decay: float = 0.0
    """Of the average of parameters that the state keeps; 0 for none."""


def make_optimizer(config: OptimizerConfig, *, steps: int, tables: frozenset[str] = TABLE_NAMES) -> Optimizer:
    """The optimizer that `config` describes, for a run over `steps` batches.

    Args:
        tables: last parts of the paths of the parameters that `config.rows` is for.

    Raises:
        ConfigError: there is no rule for its kind.
    """
    transforms = []
    if config.clip_value:
        transforms.append(optax.clip(config.clip_value))
    if config.clip_norm:  # after the elements, so that both limits hold
        transforms.append(optax.clip_by_global_norm(config.clip_norm))
    transforms.extend(_rule(config))
    updates = -(-steps // config.accumulate)
    schedule = learning_rate_schedule(config, updates=updates)
    rows = Rows(tables, config.row_cap)
    return Optimizer(
        optax.chain(*transforms),
        schedule,
        config.accumulate,
        steps,
        rows if config.rows else None,
        config.ema_decay,
    )


def learning_rate_schedule(config: OptimizerConfig, *, updates: int) -> Schedule:
    """Learning rate by the number of updates made before, for a run of `updates`.

    The warm-up is linear: its first update takes 1/warmup_steps of the peak, its last the peak; one that is longer than
    the run is just not finished. What follows counts from its end:

    - constant: the peak;
    - cosine: half a wave, whose first update takes the peak and whose last, that of the run, final_fraction of it; a
      single update takes final_fraction of it. (The course of version 0.1 reached that one update after the run; its
      runs go on with this one.)
    - linear: a straight line between the same two;
    - step: the peak, times step_factor after every step_every updates;
    - inverse_sqrt: update n takes sqrt(warmup_steps / n) of it (Vaswani et al. 2017, whose peak is
      1 / sqrt(features * warmup_steps)); with no warm-up 1 / sqrt(n).

    Updates that are not made, because all their batches were skipped, do not count: so many are missing at the end.
    """
    peak, warmup = config.learning_rate, config.warmup_steps
    if config.schedule in ENDING and updates - warmup == 1:
        after = optax.constant_schedule(peak * config.final_fraction)
    elif config.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(1, updates - warmup - 1), alpha=config.final_fraction)
    elif config.schedule == "linear":
        after = optax.linear_schedule(peak, peak * config.final_fraction, max(1, updates - warmup - 1))
    elif config.schedule == "step":
        after = _steps(peak, every=config.step_every, factor=config.step_factor)
    elif config.schedule == "inverse_sqrt":
        after = _inverse_sqrt(peak, warmup=warmup)
    else:
        after = optax.constant_schedule(peak)
    if warmup == 0:
        return after
    return optax.join_schedules([optax.linear_schedule(peak / warmup, peak, max(1, warmup - 1)), after], [warmup])


def _steps(peak: float, *, every: int, factor: float) -> Schedule:
    # optax.exponential_decay divides in float32, and misses a step after ten million updates.
    return lambda count: peak * jnp.float32(factor) ** (jnp.asarray(count) // every)


def _inverse_sqrt(peak: float, *, warmup: int) -> Schedule:
    first = max(1, warmup)  # of the updates counted from 1, the one that took the peak
    return lambda count: peak * jnp.sqrt(first / (first + jnp.asarray(count, jnp.float32) + (warmup > 0)))


def decayed(params: optax.Params) -> optax.Params:
    """True for each leaf of `params` that weight decay is for: matrices and larger, unless their name says bias.

    So biases, the scales of norms and scalars are left alone, and two-row biases as Keras's GRU has them.
    """

    def is_decayed(path: tuple[jax.tree_util.KeyEntry, ...], leaf: jax.Array) -> bool:
        return leaf.ndim >= 2 and "bias" not in jax.tree_util.keystr(path[-1:])

    return jax.tree_util.tree_map_with_path(is_decayed, params)


def _rule(config: OptimizerConfig) -> list[optax.GradientTransformation]:
    match config:
        case AdamWConfig(weight_decay=decay) if decay:
            adam = optax.scale_by_adam(config.b1, config.b2, config.eps)
            return [adam, optax.add_decayed_weights(decay, decayed)]
        case AdamConfig():
            return [optax.scale_by_adam(config.b1, config.b2, config.eps)]
        case RMSpropConfig():
            return [optax.scale_by_rms(config.decay, config.eps, eps_in_sqrt=False), *_momentum(config.momentum)]
        case AdadeltaConfig():
            return [optax.scale_by_adadelta(config.decay, config.eps)]
        case AdagradConfig():
            return [_scale_by_adagrad(config.initial, config.eps)]
        case SGDConfig():
            return [optax.identity(), *_momentum(config.momentum)]
    kind = getattr(config, "kind", type(config).__name__)
    raise ConfigError(
        f"optimizer.kind is {kind!r}: there is no update rule for it, choose {', '.join(kinds_of('optimizer'))}"
    )


def _scale_by_adagrad(initial: float, eps: float) -> optax.GradientTransformation:
    """`optax.scale_by_rss` has eps under the root, and where the sum is 0 no update."""

    def init(params: optax.Params) -> optax.Updates:
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, initial), params)

    def update(
        updates: optax.Updates, state: optax.Updates, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.Updates]:
        sums = jax.tree.map(lambda total, g: total + jnp.square(g), state, updates)
        return jax.tree.map(lambda g, total: g / (jnp.sqrt(total) + eps), updates, sums), sums

    return optax.GradientTransformation(init, update)


def _momentum(momentum: float) -> list[optax.GradientTransformation]:
    return [optax.trace(momentum)] if momentum else []
