"""A ring of keys and values per row, and who may look at whom: sliding-window attention as a carry.

A row's token at position p lies in slot p mod context, and attends to the positions above p - context, its own
included. Positions count the real tokens of a row since its last reset, so slots and their positions all follow from
one number per row: the position that comes next.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

from jaxseq.ops.shapes import Array, is_open


class KeyValues(NamedTuple):
    """Keys and values of tokens, or of a layer's ring, whose slots are s; empty slots hold zeros."""

    keys: Float[Array, "b s h k"]
    values: Float[Array, "b s h k"]


class Placement(NamedTuple):
    """Where the tokens of one call stand and what they see; worked out once for all layers. See `place`."""

    positions: Int[Array, "#b t"]
    """Position of each token; padding has that of the next real one."""
    visible: Bool[Array, "#b #t s"] | None
    """Over the s keys that `look_up` gives; None for all of them."""
    next_position: Int[Array, "#b"]
    """After the call."""
    source: Int[Array, "#b context"]
    """The token that a slot takes, where `is_taken`."""
    is_taken: Bool[Array, "#b context"]
    is_cleared: Bool[Array, "b 1"] | None
    """The row was reset, so slots that take no token become empty; None where no row was."""


def place(
    length: int,
    *,
    context: int,
    start: Int[Array, " b"] | None = None,
    mask: Bool[Array, "b {length}"] | None = None,
    reset: Bool[Array, "b {length}"] | None = None,
) -> Placement:
    """Place `length` tokens after those that a ring already holds.

    Args:
        length: t, tokens a row.
        context: Slots of the ring.
        start: The position that comes next in each row; None for an empty ring.
        mask: False at padding, which takes no position and is seen by nobody.
        reset: True where a row begins anew: it sees nothing before, and positions restart at 0.
    """
    if length == 0:
        return _unchanged(context, start)
    index = jnp.arange(length, dtype=jnp.int32)
    before = index[None] if mask is None else jnp.cumsum(mask, axis=1, dtype=jnp.int32) - mask
    first = jnp.zeros((1, 1), jnp.int32) if start is None else start[:, None]
    seen = index[:, None] >= index
    if reset is None:
        positions = before + first
        seen, last = seen[None], jnp.ones((1, length), bool)
        is_old = jnp.ones((1, length), bool)
    else:
        segment = jnp.cumsum(reset, axis=1, dtype=jnp.int32)
        at_reset = lax.cummax(jnp.where(reset, before, 0), axis=1)
        is_old = segment == 0
        positions = before - at_reset + jnp.where(is_old, first, 0)
        seen, last = seen & (segment[:, :, None] == segment[:, None]), segment == segment[:, -1:]
    if mask is not None:
        seen, last = seen & mask[:, None], last & mask
    if is_open(length) or length > context:
        seen = seen & (positions[:, None] > positions[:, :, None] - context)

    next_position = positions[:, -1] + (1 if mask is None else mask[:, -1])
    held = _held(next_position, context)
    takes = last[:, None] & (positions[:, None] == held[:, :, None])
    if start is None:
        visible = seen
    elif length == 1:
        visible = (held >= 0)[:, None]
    else:
        old = _held(start, context)[:, None]
        in_ring = (old >= 0) & (old > positions[:, :, None] - context) & is_old[:, :, None]
        visible = jnp.concatenate([in_ring, jnp.broadcast_to(seen, (in_ring.shape[0], length, length))], axis=-1)
    return Placement(
        positions=positions,
        visible=visible,
        next_position=next_position,
        source=lax.argmax(takes, 2, jnp.int32),
        is_taken=takes.any(axis=-1),
        is_cleared=None if reset is None else reset.any(axis=1, keepdims=True),
    )


def place_all(length: int, *, mask: Bool[Array, "b {length}"] | None = None) -> Placement:
    """Place `length` tokens that all see one another, before and behind, and leave nothing in a ring.

    mask: False at padding, which takes no position and is seen by nobody.
    """
    index = jnp.arange(length, dtype=jnp.int32)[None]
    return Placement(
        positions=index if mask is None else jnp.cumsum(mask, axis=1, dtype=jnp.int32) - mask,
        visible=None if mask is None else mask[:, None],
        next_position=jnp.full(1, length, jnp.int32) if mask is None else mask.sum(axis=1, dtype=jnp.int32),
        source=jnp.zeros((1, 0), jnp.int32),
        is_taken=jnp.zeros((1, 0), bool),
        is_cleared=None,
    )


def _unchanged(context: int, start: Array | None) -> Placement:
    """The placement of no tokens."""
    rows = 1 if start is None else len(start)
    return Placement(
        positions=jnp.zeros((rows, 0), jnp.int32),
        visible=jnp.zeros((rows, 0, 0 if start is None else context), bool),
        next_position=jnp.zeros(rows, jnp.int32) if start is None else start,
        source=jnp.zeros((rows, context), jnp.int32),
        is_taken=jnp.zeros((rows, context), bool),
        is_cleared=None,
    )


def _held(next_position: Array, context: int) -> Array:
    """[b, context]: the position that each slot holds; below 0 where it is empty."""
    newest = next_position[:, None] - 1
    return newest - (newest - jnp.arange(context, dtype=jnp.int32)) % context


def look_up(ring: KeyValues | None, new: KeyValues, placement: Placement) -> tuple[KeyValues, KeyValues]:
    """The keys and values that the new tokens may look at, [b, s, h, k], and the ring after them.

    new: those of the tokens [b, t, h, k]. s is t where `ring` is None (an empty one), the ring itself with the new
    token in it where t is 1, else ring and new tokens side by side.
    """
    after = KeyValues(*(_store(None if ring is None else ring[i], new[i], placement) for i in range(2)))
    if ring is None:
        return new, after
    if new.keys.shape[1] == 1:
        return after, after
    return KeyValues(*(jnp.concatenate([a.astype(b.dtype), b], axis=1) for a, b in zip(ring, new, strict=True))), after


def _store(old: Array | None, new: Array, placement: Placement) -> Array:
    def per_slot(x: Array) -> Array:
        return x[:, :, None, None]

    if not new.shape[1]:
        empty = (len(new), placement.is_taken.shape[1], *new.shape[2:])
        return jnp.zeros(empty, new.dtype) if old is None else old.astype(new.dtype)
    taken = new
    if is_open(new.shape[1]) or new.shape[1] > 1:
        source = jnp.broadcast_to(placement.source, (new.shape[0], placement.source.shape[1]))
        taken = jnp.take_along_axis(new, per_slot(source), axis=1)
    if old is None:
        return jnp.where(per_slot(placement.is_taken), taken, 0)
    kept = old.astype(new.dtype)
    if placement.is_cleared is not None:
        kept = jnp.where(per_slot(placement.is_cleared), 0, kept)
    return jnp.where(per_slot(placement.is_taken), taken, kept)
