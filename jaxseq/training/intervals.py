"""Which step does what: a pure function of the configuration."""

from typing import NamedTuple

from jaxseq.config import TrainConfig
from jaxseq.errors import ConfigError

_COUNTED = 2**31 - 1
"""Most steps: their number is an int32 in the state."""


def total_steps(config: TrainConfig, steps_per_epoch: int) -> int:
    """Batches that a run trains on.

    Raises:
        ConfigError: there are more than can be counted.
    """
    total = config.steps or config.epochs * steps_per_epoch
    if total > _COUNTED:
        raise ConfigError(
            f"train.epochs is {config.epochs}: with {steps_per_epoch:,} batches in an epoch these are more steps than "
            f"can be counted, {_COUNTED:,}; give at most {_COUNTED // steps_per_epoch:,}"
        )
    return total


class Intervals(NamedTuple):
    """Steps are counted in batches seen; something "due at step n" happens when n batches have been seen."""

    total: int
    log_every: int
    evaluate_every: int
    checkpoint_every: int
    most: int
    """Steps that go into one call of the compiled function at most."""

    @classmethod
    def of(cls, config: TrainConfig, steps_per_epoch: int, *, uniform: bool = True) -> "Intervals":
        """The intervals of a run whose epochs have `steps_per_epoch` batches; only `uniform` ones, all of one shape, go
        together into one call."""
        log, evaluate, checkpoint = (
            every or steps_per_epoch for every in (config.log_every, config.evaluate_every, config.checkpoint_every)
        )
        most = 1 if config.debug_nonfinite or not uniform else min(config.steps_per_dispatch, log, evaluate, checkpoint)
        return cls(total_steps(config, steps_per_epoch), log, evaluate, checkpoint, most)

    def logs_at(self, step: int) -> bool:
        """Whether a row of training metrics is due."""
        return step % self.log_every == 0 or step == self.total

    def evaluates_at(self, step: int) -> bool:
        """Whether an evaluation is due."""
        return step % self.evaluate_every == 0 or step == self.total

    def saves_at(self, step: int) -> bool:
        """Whether a checkpoint is due."""
        return step % self.checkpoint_every == 0 or step == self.total

    def halt_after(self, step: int) -> int:
        """The first step after `step` at which an evaluation or a checkpoint is due."""
        return min(self.total, _next(step, self.evaluate_every), _next(step, self.checkpoint_every))

    def count_after(self, step: int) -> int:
        """Steps to run in one call after `step`: up to `most`, without passing a step at which something is due."""
        return min(self.most, _next(step, self.log_every) - step, self.halt_after(step) - step)


def _next(step: int, every: int) -> int:
    return (step // every + 1) * every
