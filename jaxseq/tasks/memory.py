"""What a request takes of memory at least, by the shapes of its arrays: told before anything is made."""

from typing import Any, Protocol

import jax

_CHUNK = 64
"""Tokens of a sample that `jaxseq.decoding.stream` makes at a time."""
_NUMBER = 4
"""Bytes of a float32 or an int32."""
_TRANSCRIPT = 600
"""Bytes of a transcript without text in CPython: the object, its decoder and its filter."""
_BATCH_TOKEN = 2 * _NUMBER + 2
"""Bytes of a token in a batch: input, target, mask and reset."""


class Carrying(Protocol):
    """What is asked of a model here."""

    def initial_carry(self, batch_size: int) -> Any: ...


def sampling_bytes(model: Carrying, vocabulary_size: int, *, rows: int, length: int) -> int:
    """Bytes of the host that `rows` samples of `length` tokens take at least while they are made.

    Of each: the transcript, where a character of the text is a byte or more and two tokens at most on average; and,
    where the host is the device, the carry, the logits and the tokens of a chunk.
    """
    arrays = _carry_bytes(model, rows) + rows * (vocabulary_size + _CHUNK) * _NUMBER
    return rows * (_TRANSCRIPT + length // 2) + (arrays if _on_host() else 0)


def evaluation_bytes(model: Carrying, *, rows: int, length: int) -> int:
    """Bytes of the host that an evaluation of `rows` rows of windows of `length` tokens takes at least: a batch, and,
    where the host is the device, the carry."""
    return rows * length * _BATCH_TOKEN + (_carry_bytes(model, rows) if _on_host() else 0)


def _on_host() -> bool:
    return jax.default_backend() == "cpu"


def _carry_bytes(model: Carrying, rows: int) -> int:
    carry = jax.eval_shape(lambda: model.initial_carry(rows))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))
