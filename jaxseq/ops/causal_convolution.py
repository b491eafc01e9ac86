"""A convolution along time that looks back only, as part of the carry contract: masks, resets, and what came before.

Real tokens are moved together, so that a window goes across padding as though it were not there; what was convolved is
moved back. Without a mask nothing moves.
"""

from functools import reduce
from operator import add
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32, Int32

from jaxseq.ops.convolution import convolve
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.shapes import Array
from jaxseq.ops.spatial import span


def causal_convolve(
    x: Float[Array, "b t d"],
    past: Float32[Array, "b p d"],
    kernel: Float[Array, "k d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    dilation: int = 1,
    mask: Bool[Array, "b t"] | None = None,
    reset: Bool[Array, "b t"] | None = None,
    guard: bool = True,
) -> tuple[Float[Array, "b t f"], Float32[Array, "b p d"]]:
    """The convolution of x with kernel, plus bias, and the last p = (k - 1) * dilation inputs after it.

    Output i is the sum over j of the input j * dilation before times kernel[k - 1 - j]; inputs before the first are
    those in `past`, the oldest first. Products have the type of the kernel, and so do outputs, which are zero where
    masked. Masks, resets and `guard` are those of `nn.sequence.SequenceLayer`.
    """
    if not x.shape[1]:
        return jnp.zeros((*x.shape[:2], kernel.shape[-1]), kernel.dtype), past
    joined = _join(x.astype(past.dtype), past, mask, reset)
    vectors, sound = finite_rows(joined.vectors) if guard else (joined.vectors, None)
    vectors = vectors.astype(kernel.dtype)
    windows = _Windows(len(kernel), dilation)
    if joined.texts is None:
        y = convolve(vectors, kernel, dilation=dilation)
    else:
        pieces, ours = windows.cut(vectors), windows.of_one_text(joined.texts)
        kept = [jnp.where(own[..., None], piece, 0) for piece, own in zip(pieces, ours, strict=True)]
        y = reduce(add, (vectors @ kernel[at] for at, vectors in enumerate(kept)))
    y = y if bias is None else (y + bias).astype(y.dtype)
    if sound is not None:
        seen = windows.cut(sound)
        if joined.texts is not None:
            seen = [fine | ~own for fine, own in zip(seen, windows.of_one_text(joined.texts), strict=True)]
        y = poison(y, jnp.stack(seen).all(0)[..., None])
    if mask is not None and joined.places is not None:
        y = jnp.where(mask[..., None], jnp.take_along_axis(y, joined.places[..., None], axis=1), 0)
    return y, _last(joined, past.shape[1], mask, reset)


class _Joined(NamedTuple):
    """The past and, close behind it, the real tokens."""

    vectors: Float32[Array, "b s d"]
    texts: Int32[Array, "b s"] | None
    """Which text of its row each is of, where resets part some: 0 for the past."""
    places: Int32[Array, "b t"] | None
    """Where each real token of x lies, counted from the end of the past, where there is a mask."""


class _Windows(NamedTuple):
    kernel: int
    dilation: int

    def cut(self, joined: Array) -> list[Array]:
        """For each place of a window, the oldest first, what stands there for all windows."""
        reach = span(self.kernel, self.dilation) - 1
        count = joined.shape[1] - reach
        return [joined[:, at * self.dilation : at * self.dilation + count] for at in range(self.kernel)]

    def of_one_text(self, texts: Array) -> list[Array]:
        """The same: whether it is of the text that the window is of."""
        pieces = self.cut(texts)
        return [piece == pieces[-1] for piece in pieces]


def _join(x: Array, past: Array, mask: Array | None, reset: Array | None) -> _Joined:
    rows, width, _ = past.shape
    texts = None if reset is None else jnp.cumsum(reset, axis=1, dtype=jnp.int32)
    places = None
    if mask is not None:
        places = jnp.maximum(jnp.cumsum(mask, axis=1, dtype=jnp.int32) - 1, 0)
        # Padding goes past the end, each to a place of its own, where it is dropped; its gradient is zero.
        beyond = jnp.arange(x.shape[1], 2 * x.shape[1], dtype=jnp.int32)
        to = jnp.arange(rows, dtype=jnp.int32)[:, None], jnp.where(mask, places, beyond)
        x = jnp.zeros_like(x).at[to].set(x, mode="drop", unique_indices=True)
        if texts is not None:
            texts = jnp.zeros_like(texts).at[to].set(texts, mode="drop", unique_indices=True)
    if texts is not None:
        texts = jnp.concatenate([jnp.zeros((rows, width), jnp.int32), texts], axis=1)
    return _Joined(jnp.concatenate([past, x], axis=1), texts, places)


def _last(joined: _Joined, width: int, mask: Array | None, reset: Array | None) -> Array:
    """The last real inputs of each row, zeros for those that are not of its last text."""
    if mask is None:
        begin = jnp.full((len(joined.vectors), 1), joined.vectors.shape[1] - width, jnp.int32)
    else:
        begin = mask.sum(axis=1, keepdims=True, dtype=jnp.int32)
    at = begin + jnp.arange(width, dtype=jnp.int32)
    last = jnp.take_along_axis(joined.vectors, at[..., None], axis=1)
    if reset is None or joined.texts is None:
        return last
    own = jnp.take_along_axis(joined.texts, at, axis=1) == reset.sum(axis=1, keepdims=True, dtype=jnp.int32)
    return jnp.where(own[..., None], last, 0)
