"""What a run of several processes, or of devices that share a model, asks for beyond one of a single device."""

import dataclasses
import hashlib
from typing import Any

import jax

from jaxseq import processes
from jaxseq.config import ExperimentConfig, differences, from_json, to_json
from jaxseq.config.fields import FREE
from jaxseq.errors import ConfigError
from jaxseq.tasks.capabilities import fits_at_once
from jaxseq.tasks.task import Task

_ITS_OWN = ("train.process", "train.coordinator", "train.allocator")
"""Fields that may be another in each process, beside those of its data that say where they lie."""


def require_same_everywhere(config: ExperimentConfig) -> None:
    """Refuses a configuration that is not that of process 0.

    Raises:
        ConfigError: in every process, where one has another; the fields are named.
    """
    if processes.count() == 1:
        return
    given = [from_json(text) for text in processes.exchange(to_json(config))]
    for number, other in enumerate(given):
        told = [str(each) for each in differences(given[0], other) if not _may_differ(each)]
        if told:
            raise ConfigError(
                f"process {number} of {len(given)} was given another configuration than process 0 "
                f"({'; '.join(told)}): start all of them with the same one"
            )


def _may_differ(difference: Any) -> bool:
    section = difference.name.partition(".")[0]
    return difference.name in _ITS_OWN or (section == "data" and difference.resuming is FREE)


def remembered(config: ExperimentConfig) -> ExperimentConfig:
    """`config` as a run keeps it: without what says where one process of it was started."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, process=-1, coordinator=""))


def require_same_parts(task: Task) -> None:
    """Refuses data, or what was learned of them, that are not the same in every process.

    Raises:
        InputError: as told.
    """
    if processes.count() == 1:
        return
    processes.require_equal(task.fingerprint(), "the data", "give all of them the same data, as --data.source")
    digest = hashlib.sha256()
    for name, content in sorted(task.artifacts().items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    processes.require_equal(digest.hexdigest(), "what was made of the data (a tokenizer, say)", "use one installation")


def require_one_device(config: ExperimentConfig, task: Task) -> None:
    """Refuses what cannot be shared among processes or devices.

    Raises:
        ConfigError: as told.
    """
    train = config.train
    if train.processes > 1 and fits_at_once(task):
        raise ConfigError(f"train.processes is {train.processes}: {config.model.kind} is fitted at once, by one: set 1")
    if train.processes > 1 and train.debug_nonfinite:
        raise ConfigError(f"train.processes is {train.processes}: train.debug_nonfinite looks in one: leave it out")
    if train.model_devices > 1 and config.optimizer.rows:
        raise ConfigError(
            f"train.model_devices is {train.model_devices}: rows of tables that are split are not updated by "
            "themselves; set it to 1, or optimizer.rows to false"
        )


def first_place(config: ExperimentConfig) -> Any:
    """Where parameters are made: in the memory of the machine where they may be too many for one device."""
    return jax.local_devices(backend="cpu")[0] if config.train.model_devices > 1 else None
