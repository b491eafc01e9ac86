"""Whether a run may go on under a configuration that is not, field by field, the one that it was made with.

What is declared beside each field (`jaxseq.config.fields`) decides: fields that take part in the results so far stay as
they were, others may be what they like. The end of a run may move where nothing so far depends on it.
"""

from pathlib import Path

from jaxseq.config import ExperimentConfig, differences
from jaxseq.config.fields import FIXED, FREE, Resuming
from jaxseq.errors import ConfigError
from jaxseq.runs.load import experiment_of
from jaxseq.storage.snapshot import Snapshot
from jaxseq.training.intervals import total_steps
from jaxseq.training.optim import ENDING


def require_same(run_dir: Path, config: ExperimentConfig, checkpoint: Snapshot) -> None:
    """Refuses `config` for the run in `run_dir` where a field differs that takes part in the results so far.

    Args:
        checkpoint: what the run goes on from. What it says of itself counts; the config.json beside the checkpoints is
            a copy for people, and may be of a process that was killed before it saved anything.

    Raises:
        ConfigError: one does, or the checkpoint's own configuration cannot be read.
    """
    told = _told(_configuration(checkpoint), config)
    if told:
        raise ConfigError(
            f"{run_dir} was made with another configuration ({told}): go on with that one, choose another --name or "
            "--run-dir, or start anew with --fresh"
        )


def require_end(run_dir: Path, config: ExperimentConfig, checkpoint: Snapshot, *, steps_per_epoch: int) -> None:
    """Refuses to move the end of the run in `run_dir` where its steps so far would have been others.

    Raises:
        ConfigError: as told.
    """
    before = _configuration(checkpoint)
    old, new, step = (
        total_steps(before.train, steps_per_epoch),
        total_steps(config.train, steps_per_epoch),
        checkpoint.step,
    )
    if new == old:
        return
    name = "train.steps" if config.train.steps else "train.epochs"
    moved = (
        f"{name} is {getattr(config.train, name.removeprefix('train.'))}, which moves the end of {run_dir} from step "
    )
    moved += f"{old:,} to {new:,}"
    if config.optimizer.schedule in ENDING:
        raise ConfigError(
            f"{moved}: optimizer.schedule is {config.optimizer.schedule}, which ends with the run, so every step so "
            "far would have been another; leave the end where it is, or train a new run under another --name"
        )
    if new <= step:
        raise ConfigError(
            f"{moved}, and step {step:,} has been reached: give an end beyond it, or leave it where it is"
        )
    left, accumulate = step % config.optimizer.accumulate, config.optimizer.accumulate
    if step == old and left:
        raise ConfigError(
            f"{moved}: the update at step {old:,}, the last, was made of {left} batches, and a longer run would have "
            f"made it of {accumulate} (optimizer.accumulate); leave the end where it is, or train a new run under "
            "another --name"
        )


def _configuration(checkpoint: Snapshot) -> ExperimentConfig:
    try:
        return experiment_of(checkpoint.files)
    except (ConfigError, KeyError) as error:
        reason = error if isinstance(error, ConfigError) else "config.json is missing"
        raise ConfigError(f"{checkpoint.path} cannot be used: {reason}; start anew with --fresh") from error


def _told(old: ExperimentConfig, new: ExperimentConfig) -> str:
    """The fields that may not differ and do; "" where there are none. Those that end a run are named beside others."""
    changed: list[tuple[Resuming, str]] = [(each.resuming, str(each)) for each in differences(old, new)]
    if all(resuming is not FIXED for resuming, _ in changed):
        return ""
    return "; ".join(line for resuming, line in changed if resuming is not FREE)
