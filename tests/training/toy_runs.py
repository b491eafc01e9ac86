"""Runs of the toy task through the training loop, and loaders that disturb them."""

import functools
import os
import signal

import jax
import numpy as np
from toy_training import ToyLoader, assert_same, loss_fn, toy_devices, toy_optimizer, toy_state

from jaxseq.config import TrainConfig
from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.reporting.reporter import Silent
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.training.loop import Storage, Training, fit

TOTAL = 13
PLAN = {"steps": TOTAL, "log_every": 5, "checkpoint_every": 4, "evaluate_every": 6, "steps_per_dispatch": 2}

make_optimizer = functools.cache(toy_optimizer)


class Crash(Exception):
    """Stands for a SIGKILL: nothing after it runs."""


class Notes(Silent):
    """Remembers what it was told."""

    def __init__(self):
        self.said = []
        self.begun = []

    def say(self, text):
        self.said.append(text)

    def begin(self, step, total):
        self.begun.append(step)


def norm_as_loss(variables, whole):
    """A validation loss that goes up and down in a known way: the largest weight."""
    return {"loss": float(np.abs(variables["params"]["kernel"]).max()), "accuracy": 1.0 if whole else 0.5}


def run(directory, *, loader=None, evaluate=norm_as_loss, options=None, notes=None, loss=loss_fn, stop=None, **plan):
    """A toy run in `directory`."""
    config = TrainConfig(**{**PLAN, "devices": 1, **plan})
    toy_devices(config.devices)
    optimizer = make_optimizer(config.steps, warmup_steps=3, schedule="cosine", **(options or {"accumulate": 3}))
    training = Training(loss, toy_state(optimizer), loader or ToyLoader(), optimizer, evaluate, TOKEN_METRICS)
    storage = Storage(directory, CheckpointStore(directory / "checkpoints"))
    return fit(training, storage, config, reporter=notes, stop=stop)


def assert_same_run(directory, result, other_directory, other):
    assert_same(jax.device_get(result.state), jax.device_get(other.state))
    assert (directory / "metrics.csv").read_bytes() == (other_directory / "metrics.csv").read_bytes()
    assert (result.best_value, result.best_step) == (other.best_value, other.best_step)


class CrashingLoader(ToyLoader):
    """Crashes when asked for one batch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def __call__(self, step, /):
        if step == self.at:
            raise Crash
        return super().__call__(step)


class StoppingLoader(ToyLoader):
    """Sends this process a signal when asked for one batch."""

    def __init__(self, at, number=signal.SIGTERM, **options):
        super().__init__(**options)
        self.at, self.number = at, number

    def __call__(self, step, /):
        if step == self.at:
            os.kill(os.getpid(), self.number)
        return super().__call__(step)
