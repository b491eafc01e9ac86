"""The memory that a training, a sample or an evaluation takes at the least, worked out from shapes before anything is
allocated.

It is a lower bound: what a compiled program holds beside these arrays is not counted. So what is refused could not have
been finished; what is let through may still be too much, and is told when it is (`jaxseq.commands.guard`).
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq import runtime
from jaxseq.config import ExperimentConfig, RNNConfig
from jaxseq.errors import InputError
from jaxseq.tasks.corpora import TextLoader
from jaxseq.tasks.language_modeling import LanguageModel, init_params
from jaxseq.training.devices import choose_devices
from jaxseq.training.intervals import Intervals
from jaxseq.training.optim import Optimizer

_NUMBER = np.dtype(np.float32).itemsize
_TOKEN = 2 * np.dtype(np.int32).itemsize + 2 * np.dtype(bool).itemsize
"""Bytes of a token in a batch: input, target, mask and reset."""
_TRANSCRIPT = 600
"""Bytes of a transcript without text in CPython: the object, its decoder and its filter."""
_CHUNK = 64
"""Tokens of a sample that `jaxseq.decoding.stream` makes at a time."""


class Part(NamedTuple):
    """Something that is held at the same time as all other parts."""

    what: str
    size: int
    """Bytes."""
    remedy: str
    on_host: bool = False
    """Whether it is never on the device."""


def require_memory(doing: str, parts: Iterable[Part], *, remedy: str | None = None) -> None:
    """Refuses what needs more memory than this process may use, of the device or of the host.

    Args:
        doing: what needs it, at the beginning of the error.
        remedy: instead of that of the largest part.

    Raises:
        InputError: the parts are more; the largest one is named, with what makes it smaller.
    """
    parts = list(parts)
    device = _device_limit()
    if device is None:  # the host is the device, or does not tell
        pools = [(parts, runtime.memory_limit())]
    else:
        pools = [
            ([p for p in parts if not p.on_host], device),
            ([p for p in parts if p.on_host], runtime.memory_limit()),
        ]
    for held, limit in pools:
        needed = sum(part.size for part in held)
        if limit is not None and needed > limit:
            largest = max(held, key=lambda part: part.size)
            raise InputError(
                f"{doing} needs at least {_gigabytes(needed)} of memory, {_gigabytes(largest.size)} of it for "
                f"{largest.what}, and there are {_gigabytes(limit)}: {remedy or largest.remedy}"
            )


def training_parts(
    config: ExperimentConfig, model: LanguageModel, loader: TextLoader, optimizer: Optimizer
) -> list[Part]:
    """What a device holds while it trains; on CPU the devices are cores, and all of them are counted."""
    rows, length, section = loader.batch_size, loader.length, config.model
    devices = choose_devices(config.train.devices, rows)[0].mesh.size
    together = jax.devices()[0].platform == "cpu"
    copies, share = (devices, 1) if together else (1, devices)

    params = jax.eval_shape(lambda: init_params(model, seed=0))
    state = jax.eval_shape(optimizer.transform.init, params)
    gradients = 2 if optimizer.accumulate > 1 else 1
    smaller = "lower model.features or model.layers"
    batch = "lower data.batch_size, data.length or the size of the model"
    parts = [
        Part("parameters and their gradients", copies * (1 + gradients) * _size(params), smaller),
        Part(f"the state of {config.optimizer.name}", copies * _size(state), smaller),
        Part(
            "the outputs of the layers",
            section.layers * rows * length * section.features * model.dtype.itemsize // share,
            batch,
        ),
    ]
    if loader.carried:
        lower = "lower data.batch_size or the size of the model"
        if not isinstance(section, RNNConfig):
            lower = "lower model.context, data.batch_size or the size of the model"
        parts.append(Part("the carry", _carry_size(model, rows) // share, lower))
    if not isinstance(section, RNNConfig):
        keys = length + (section.context if loader.carried else 0)
        scores = section.layers * rows * section.heads * length * keys * _NUMBER
        lower = f"lower data.length{', model.context' if loader.carried else ''} or data.batch_size"
        parts.append(Part("the weights of attention", scores // share, lower))
    most = Intervals.of(config.train, loader.steps_per_epoch).most
    lower = "lower train.steps_per_dispatch" if most > 1 else batch
    parts.append(Part(f"{most:,} batches for one dispatch", most * rows * length * _TOKEN // share, lower))
    return parts


def sampling_parts(model: LanguageModel, params: Any, *, rows: int, length: int) -> list[Part]:
    """What is held while `rows` samples of `length` tokens are made, some tokens of each in one call.

    `params` may be arrays or their shapes. A character of the text is a byte or more, and two tokens at most on
    average.
    """
    fewer = "sample fewer at once"
    return [
        Part("parameters", _size(params), "take a smaller model"),
        Part("the carry", _carry_size(model, rows), f"{fewer}, or take a model with a smaller carry"),
        Part("logits", rows * model.vocabulary_size * _NUMBER, fewer),
        Part("tokens and what they are drawn with", 2 * _NUMBER * rows * min(_CHUNK, length), fewer),
        Part("the texts", rows * (_TRANSCRIPT + length // 2), f"make the sample shorter, or {fewer}", on_host=True),
    ]


def evaluation_parts(model: LanguageModel, params: Any, *, rows: int, length: int) -> list[Part]:
    """What an evaluation of `rows` rows holds, in windows of `length` tokens; `params` as in `sampling_parts`."""
    return [
        Part("parameters", _size(params), "take a smaller model"),
        Part("the carry", _carry_size(model, rows), "lower the number of rows"),
        Part("a batch", rows * length * _TOKEN, "lower the number of rows"),
    ]


def _device_limit() -> int | None:
    """Bytes of the first device; None where it is the host, or does not tell."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return None
    limit = (device.memory_stats() or {}).get("bytes_limit")
    return None if limit is None else int(limit)


def _carry_size(model: LanguageModel, rows: int) -> int:
    return _size(jax.eval_shape(lambda: model.initial_carry(rows)))


def _size(tree: Any) -> int:
    """Bytes of the arrays of a tree of shapes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
