"""The memory that a training takes at the least, worked out from shapes before anything is allocated.

It is a lower bound: what a compiled program holds beside these arrays is not counted. So what is refused could not have
been finished; what is let through may still be too much, and is told when it is (`jaxseq.commands.main`).
"""

import contextlib
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq.config import ExperimentConfig, RNNConfig
from jaxseq.errors import InputError
from jaxseq.tasks.corpora import TextLoader
from jaxseq.tasks.language_model import LanguageModel, init_params
from jaxseq.training.optim import Optimizer
from jaxseq.training.plan import Plan
from jaxseq.training.sharding import choose_layout

_TOKEN = 2 * np.dtype(np.int32).itemsize + 2 * np.dtype(bool).itemsize
"""Bytes of a token in a batch: input, target, mask and reset."""
_UNLIMITED = 2**60
"""A container without a limit is given a number near 2^63 by some kernels."""


class Part(NamedTuple):
    """Arrays that are held at the same time as all other parts."""

    what: str
    size: int
    """Bytes."""
    remedy: str


def require_memory(doing: str, parts: Iterable[Part], available: int | None) -> None:
    """Refuses what needs more than there is.

    Args:
        doing: "training", at the beginning of the error.
        available: bytes; None where nobody knows, and nothing is refused.

    Raises:
        InputError: the parts are more; the largest one is named, with what makes it smaller.
    """
    parts = list(parts)
    needed = sum(part.size for part in parts)
    if available is not None and needed > available:
        largest = max(parts, key=lambda part: part.size)
        raise InputError(
            f"{doing} needs at least {_gigabytes(needed)} of memory, {_gigabytes(largest.size)} of it for "
            f"{largest.what}, and {_gigabytes(available)} are free: {largest.remedy}"
        )


def training_parts(
    config: ExperimentConfig, model: LanguageModel, loader: TextLoader, optimizer: Optimizer
) -> list[Part]:
    """What a device holds while it trains; on CPU the devices are cores, and all of them are counted."""
    rows, length, section = loader.batch_size, loader.length, config.model
    devices = choose_layout(config.train.devices, rows)[0].mesh.size
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
        carry = jax.eval_shape(lambda: model.initial_carry(rows))
        lower = "lower data.batch_size or the size of the model"
        if not isinstance(section, RNNConfig):
            lower = "lower model.context, data.batch_size or the size of the model"
        parts.append(Part("the carry", _size(carry) // share, lower))
    if not isinstance(section, RNNConfig):
        keys = length + (section.context if loader.carried else 0)
        scores = section.layers * rows * section.heads * length * keys * np.dtype(np.float32).itemsize
        lower = f"lower data.length{', model.context' if loader.carried else ''} or data.batch_size"
        parts.append(Part("the weights of attention", scores // share, lower))
    most = Plan.of(config.train, loader.steps_per_epoch).most
    lower = "lower train.steps_per_dispatch" if most > 1 else batch
    parts.append(Part(f"{most:,} batches for one dispatch", most * rows * length * _TOKEN // share, lower))
    return parts


def sampling_parts(model: LanguageModel, *, rows: int, length: int) -> list[Part]:
    """What is held while `rows` samples of `length` tokens are made at once."""
    params = jax.eval_shape(lambda: init_params(model, seed=0))
    carry = jax.eval_shape(lambda: model.initial_carry(rows))
    number = np.dtype(np.float32).itemsize
    return [
        Part("parameters, as they are and for single steps", 2 * _size(params), "take a smaller model"),
        Part("the carry", _size(carry), "sample fewer at once, or take a model with a smaller carry"),
        Part("tokens and what they are drawn with", 2 * number * rows * length, "lower the length of the sample"),
    ]


def available_memory() -> int | None:
    """Bytes that this process can still have on its first device; None where nobody knows."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        limit = (device.memory_stats() or {}).get("bytes_limit")
        return None if limit is None else int(limit)
    known = [size for size in (_free(), *_container_free(), _address_space()) if size is not None]
    return min(known, default=None)


def _free() -> int | None:
    """What the machine has free, memory that only caches files included (Linux); elsewhere all it has."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        if "MemAvailable" in values:
            return values["MemAvailable"] + values.get("SwapFree", 0)
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no such thing on Windows
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container_free(root: Path = Path("/sys/fs/cgroup")) -> Sequence[int | None]:
    """What a container's limit leaves (Linux, cgroups of both versions)."""
    files = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    return [_left(root / limit, root / used) for limit, used in files]


def _left(limit: Path, used: Path) -> int | None:
    try:
        most = int(limit.read_text(encoding="ascii"))
        held = int(used.read_text(encoding="ascii"))
        with contextlib.suppress(OSError, ValueError):  # files in its cache count as used, and are given up
            lines = (limit.parent / "memory.stat").read_text(encoding="ascii").splitlines()
            stats = {name: int(value) for name, value in (line.split() for line in lines)}
            held -= stats.get("inactive_file", 0) + stats.get("active_file", 0)
    except (OSError, ValueError):  # there is no such file, or the limit is "max"
        return None
    return None if most >= _UNLIMITED else max(0, most - max(0, held))


def _address_space() -> int | None:
    """The limit that a shell's `ulimit -v` sets."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def _size(tree: Any) -> int:
    """Bytes of the arrays of a tree of shapes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
