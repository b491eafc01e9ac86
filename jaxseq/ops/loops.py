"""Loops that XLA fuses with nothing else."""

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from jaxseq.ops.shapes import Array


def apart(function: Callable[..., Any], *arrays: Array) -> Any:
    """What `function` makes of the arrays, in a loop that is fused with nothing before or behind it.

    What it reads and what it makes is in memory then. On a CPU that is sometimes far better: XLA fuses whatever it can,
    and a loop that works out an array anew wherever it is read, or reads one that is being padded or sliced, may take 5
    to 20 times as long. `function` should call `lax` alone: functions of `jax.numpy` may be loops of their own.
    """
    with set_xla_metadata(inlineable="false"):
        return jax.jit(function)(*arrays)
