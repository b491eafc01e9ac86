"""What decoding begins from: a prompt as rows, read, and these rows shared among devices."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from jaxseq.decoding.protocol import AutoregressiveModel
from jaxseq.sharding import SHARDED, DataParallel

_READ_AT_ONCE = 256
"""Most tokens of a prompt that one call of the model reads: bounds the memory its logits take."""
_FEWEST_ROWS = 8
"""Rows that a device is worth taking for."""


def begin(model: AutoregressiveModel, params: Any, prompt: NDArray[np.int32]) -> tuple[Any, Array, Any]:
    """The weights for single steps, and the logits [b, v] and the carry after prompt [b, t].

    The prompt is padded on the left to a length that few compiled functions serve.
    """
    rows, length = prompt.shape
    width = min(power_of_two(length), _READ_AT_ONCE)
    padding = -length % width
    tokens = np.pad(prompt, ((0, 0), (padding, 0))) if padding else prompt
    mask = np.broadcast_to(np.arange(length + padding) >= padding, tokens.shape)
    weights, logits, carry = None, jnp.zeros((rows, 0), jnp.float32), None
    for at in range(0, length + padding, width):
        part = slice(at, at + width)
        last = part.stop == length + padding
        weights, logits, carry = _read(model, params, tokens[:, part], carry, mask[:, part], last=last)
    if prompt.min() < 0 or prompt.max() >= logits.shape[-1]:
        raise ValueError(
            f"the prompt holds tokens from {prompt.min()} to {prompt.max()}, "
            f"the model knows those from 0 to {logits.shape[-1] - 1}"
        )
    return shared_among_devices(weights, logits, carry)


def devices_of(rows: int) -> DataParallel:
    """The devices that share so many rows: each has enough of them to be worth it."""
    return DataParallel.sharing(rows, fewest=_FEWEST_ROWS)


def shared_among_devices(weights: Any, logits: Array, carry: Any) -> tuple[Any, Array, Any]:
    """The same, the rows split evenly over the devices where each gets enough of them to be worth it."""
    parallel = devices_of(len(logits))
    if parallel.axis is None:
        return weights, logits, carry
    return parallel.put(weights), *parallel.put((logits, carry), SHARDED)


@partial(jax.jit, static_argnums=0, static_argnames="last")
def _read(
    model: AutoregressiveModel, params: Any, tokens: Array, carry: Any, mask: Array, *, last: bool
) -> tuple[Any, Array, Any]:
    """The logits [b, v] and the carry after tokens [b, t]; after the last of a prompt, the weights for single steps."""
    carry = model.initial_carry(len(tokens)) if carry is None else carry
    logits, carry = model.apply({"params": params}, tokens, carry, mask=mask)
    return model.decoding_weights(params) if last else None, logits[:, -1], carry


def as_rows(prompt: ArrayLike) -> NDArray[np.int32]:
    """`prompt` [b, t] or [t] as [b, t]."""
    array = np.asarray(prompt)
    if array.ndim not in (1, 2) or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"a prompt of shape {list(array.shape)} and type {array.dtype} cannot be gone on from: "
            "give token ids [t] or [b, t], one at least"
        )
    return array.reshape(-1, array.shape[-1]).astype(np.int32)


def check_length(length: int) -> None:
    if length < 1:
        raise ValueError(f"{length} tokens cannot be made: ask for 1 or more")


def power_of_two(length: int) -> int:
    """The first power of two that is not below `length`."""
    return 1 << (length - 1).bit_length()
