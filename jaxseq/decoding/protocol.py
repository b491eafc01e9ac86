"""What decoding asks of a model. It knows no more of models than this, and imports none."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

StepFn = Callable[[Array, Any], tuple[Array, Any]]
"""(tokens [b] int32, carry) -> (logits [b, v], carry): one token read by every row."""


class AutoregressiveModel(Protocol):
    """A model that `generate`, `stream` and `next_tokens` can use.

    It is a static argument of compiled functions, so it must be hashable and equal to every model that computes the
    same: a frozen dataclass, a Linen module for one, is. Parameters, weights and carry are traced arguments. Hence
    other parameters, another key or another call never compile anew; another model or batch size does, once.
    """

    def initial_carry(self, batch_size: int) -> Any:
        """The carry before the first token: a pytree of arrays, leading axis batch."""
        ...

    def apply(self, variables: dict[str, Any], tokens: Array, carry: Any, *, mask: Array) -> tuple[Array, Any]:
        """Logits [b, t, v] of the token after each of tokens [b, t], and the carry; `variables` is {"params": params}.

        Where mask [b, t] is False a token is passed over as if it were not there.
        """
        ...

    def decoding_weights(self, params: Any) -> Any:
        """`params` as `decode_step` wants them: what is the same for every step is computed here, once."""
        ...

    def decode_step(self, weights: Any, tokens: Array, carry: Any) -> tuple[Array, Any]:
        """The model's fastest step: logits [b, v] of the token after tokens [b], and the carry, shaped as given.

        A pure function of its arguments. In a Linen module it and `decoding_weights` are marked `flax.linen.nowrap`.
        """
        ...


class Kept(NamedTuple):
    """A part of a decoder's own carry that stays where it is when its rows change places: what is left of the state
    says of which rows it is then."""

    tree: Any
    """A pytree of arrays [b, ..., k, w]: the rows of a source lie along the last axis but one. Where rows are repeated
    those that are new hold zeros, and what is left of the state is that of the row they come from."""


class Conditioned(NamedTuple):
    """The carry of a model that goes on from a source: n = b * k rows, the k of one source side by side."""

    memory: Any
    """What the source gives: a pytree, leading axis b. Decoding neither changes, copies nor reorders it."""
    state: Any
    """The decoder's own carry: a pytree, leading axis n but for what of it is `Kept`."""
    attention: Array | None
    """[n, s] float32: what the token read last looked at, in sum 1, and 0 where the source is masked. None for a model
    without attention."""


class ConditionalModel(Protocol):
    """A model that goes on from a source; hashable and static as an `AutoregressiveModel` is."""

    def start(
        self, params: Any, source: Array, *, mask: Array | None, begin: Array | None = None
    ) -> tuple[Any, Array, Conditioned]:
        """What `decode_step` wants of `params`, then the logits [b, v] of the first token and the carry that comes with
        them, for source [b, s] int32. Where mask [b, s] is False there is no source; without a mask a source is
        whatever the model reads, [b, ...].

        begin: [b] int32, what each row's text comes after; by default what the model has for that, and a model that
            has nothing else need not take any.
        """
        ...

    def decode_step(self, weights: Any, tokens: Array, carry: Conditioned) -> tuple[Array, Conditioned]:
        """Logits [n, v] of the token after tokens [n], and the carry. The model finds k = n // b."""
        ...


def take_rows(carry: Any, rows: Array) -> Any:
    """The carry whose row i is row rows[i] of `carry`; of a `Conditioned` one the memory stays as it is, and what is
    `Kept`.

    So `rows` [n] must keep those of one source together, and as many for each source.
    """
    if isinstance(carry, Conditioned):
        state, attention = take_rows((carry.state, carry.attention), rows)
        return Conditioned(carry.memory, state, attention)
    return jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, Kept) else leaf[rows], carry, is_leaf=lambda leaf: isinstance(leaf, Kept)
    )


def repeat_rows(carry: Any, count: int) -> Any:
    """Each row of the carry `count` times, side by side."""
    if isinstance(carry, Conditioned):
        state, attention = repeat_rows((carry.state, carry.attention), count)
        return Conditioned(carry.memory, state, attention)

    def repeated(leaf: Any) -> Any:
        if isinstance(leaf, Kept):
            return Kept(jax.tree.map(lambda own: _with_room(own, count), leaf.tree))
        return jnp.repeat(leaf, count, axis=0)

    return jax.tree.map(repeated, carry, is_leaf=lambda leaf: isinstance(leaf, Kept))


def _with_room(own: Array, count: int) -> Array:
    """own [b, ..., k, w] as [b, ..., count * k, w], zeros behind."""
    *others, rows, width = own.shape
    return jnp.zeros((*others, count * rows, width), own.dtype).at[..., :rows, :].set(own)
