"""The memory that a piece of work takes at the least, worked out from shapes before anything is allocated.

It is a lower bound: what a compiled program holds beside these arrays is not counted. So what is refused could not have
been finished; what is let through may still be too much, and is told when it is (`jaxseq.commands.guard`).
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax

from jaxseq import runtime
from jaxseq.errors import InputError


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


def size_of(tree: Any) -> int:
    """Bytes of a tree of arrays or of their shapes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _device_limit() -> int | None:
    """Bytes of the first device; None where it is the host, or does not tell."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return None
    limit = (device.memory_stats() or {}).get("bytes_limit")
    return None if limit is None else int(limit)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
