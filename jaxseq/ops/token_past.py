"""Keys and values of the tokens so far, for rows that step on together and change places at every step.

Beam search goes on with other hypotheses than it had, some of them twice. Here no key and no value moves when it does:
each stays with the row that wrote it, and what moves is a number for each token of a text, the place of that row.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from jaxseq.ops.attention import attend
from jaxseq.ops.shapes import Array

FINE, FEW = 8, 32
"""As many slots are read as hold something, rounded up: to a multiple of FINE up to FEW, beyond to twice as many."""


class Past(NamedTuple):
    """A layer's keys and values: those of the token at position p lie in slot p mod c of the row that wrote them. The m
    rows of a source lie side by side in a slot, so that the first slots of all of them are one piece of memory."""

    keys: Float[Array, "b h c m k"]
    values: Float[Array, "b h c m k"]


class Step(NamedTuple):
    """Where the token of one step goes and what it sees; worked out once for all layers. See `step_on`."""

    position: Int[Array, ""]
    """Where it stands in its text."""
    places: Int[Array, "n c"]
    """For each slot of a row's own text, its last token included, the place of the row that wrote it among the rows of
    the same source; below 0 where there is none."""
    own: Bool[Array, "b m s"]
    """The same as what a row sees of the s = c * m tokens of its source's rows."""


def empty_past(sources: int, *, heads: int, slots: int, width: int, dtype: DTypeLike) -> Past:
    """A layer's past before the first token, a row for each source."""
    nothing = jnp.zeros((sources, heads, slots, 1, width), dtype)
    return Past(nothing, nothing)


def step_on(places: Int[Array, "n c"], position: Int[Array, " n"], *, siblings: int) -> Step:
    """The step of tokens at `position`, the same in all rows, after those at `places`.

    siblings: rows of a source, which lie side by side.
    """
    rows, slots = places.shape
    among = jnp.arange(siblings, dtype=places.dtype)
    itself = jnp.tile(among, rows // siblings)[:, None]
    places = lax.dynamic_update_slice_in_dim(places, itself, position[0] % slots, axis=1)
    own = places[:, :, None] == among
    return Step(position[0], places, own.reshape(-1, siblings, slots * siblings))


def attend_to_past(
    query: Float[Array, "n 1 h k"],
    key: Float[Array, "n 1 h k"],
    value: Float[Array, "n 1 h k"],
    past: Past,
    step: Step,
) -> tuple[Float[Array, "n 1 h k"], Past]:
    """What each row's token gathers of its own text, itself included, and the past with it.

    The rows of a source ask together, each of all their tokens, of which it sees its own.
    """
    sources, heads, slots, siblings, _ = past.keys.shape
    slot = step.position % slots
    grouped, *new = (x.reshape(sources, siblings, *x.shape[2:]) for x in (query, key, value))
    new = (jnp.swapaxes(x, 1, 2)[:, :, None] for x in new)
    past = Past(*(lax.dynamic_update_slice_in_dim(old, x, slot, axis=2) for old, x in zip(past, new, strict=True)))

    def look(size: int) -> Callable[[Array, Past, Array], Array]:
        def gather(query: Array, past: Past, own: Array) -> Array:
            seen = (x[:, :, :size].reshape(sources, heads, size * siblings, -1) for x in past)
            seen = (jnp.swapaxes(x, 1, 2) for x in seen)
            return attend(query, *seen, visible=own[..., : size * siblings], guard=False)

        return gather

    sizes = _sizes(slots)
    which = (step.position >= jnp.array(sizes[:-1], jnp.int32)).sum()
    gathered = lax.switch(which, [look(size) for size in sizes], grouped, past, step.own)
    return gathered.reshape(query.shape), past


def _sizes(slots: int) -> list[int]:
    """How many slots may be read, ascending."""
    sizes, size = list(range(FINE, FEW, FINE)), FEW
    while size < slots:
        sizes.append(size)
        size *= 2
    return [*(size for size in sizes if size < slots), slots]
