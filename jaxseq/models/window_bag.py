"""A causal bag of words: the mean of the last few tokens' vectors, whose carry is these tokens."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.embedding import small_uniform
from jaxseq.nn.layers import Dense
from jaxseq.ops.row_tables import RowTable
from jaxseq.ops.shapes import Array


class LastTokens(NamedTuple):
    """The carry: what was read before."""

    tokens: Int[Array, "b window-1"]
    """The last ones, the latest at the end; -1 where there was none."""


class WindowBag(nn.Module):
    """Features of each token: the mean of its vector and those of the `window` - 1 before it, as many as there are,
    and a layer with ReLU on that.

    Parameters: embedding [v, features], hidden.kernel and hidden.bias; without `hidden` the mean is the feature.
    """

    vocabulary_size: int
    features: int = 8
    window: int = 4
    hidden: int = 8
    dtype: DTypeLike = jnp.float32

    TIME_FIRST: ClassVar[bool] = False

    def setup(self) -> None:
        self.embedding = self.param("embedding", small_uniform, (self.vocabulary_size, self.features), jnp.float32)
        if self.hidden:
            self.layer = Dense(self.hidden, name="hidden")

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> LastTokens:
        """No token."""
        return LastTokens(jnp.full((batch_size, self.window - 1), -1, jnp.int32))

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: LastTokens | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t f"], LastTokens]:
        """Features in the compute type, zero where masked; and the carry."""
        before = self.initial_carry(len(tokens)) if carry is None else carry
        windows, after = _windows(tokens, before, mask, reset, self.window)
        x = _mean(self.embedding, windows).astype(self.dtype)
        if self.hidden:
            x = nn.relu(self.layer(x)).astype(self.dtype)
        return (x if mask is None else jnp.where(mask[:, :, None], x, 0)), after

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as they are."""
        return {name: params[name] for name in ("embedding", "hidden") if name in params}

    @nn.nowrap
    def step(
        self, weights: Mapping[str, Any], tokens: Int[Array, " b"], carry: LastTokens
    ) -> tuple[Float32[Array, "b f"], LastTokens]:
        """Features of tokens, and the carry; float32 throughout."""
        window = jnp.concatenate([carry.tokens, tokens[:, None]], axis=1)
        x = _mean(weights["embedding"], window)
        if self.hidden:
            x = nn.relu(x @ weights["hidden"]["kernel"] + weights["hidden"]["bias"])
        return x, LastTokens(window[:, 1:])


def _windows(
    tokens: Array, before: LastTokens, mask: Array | None, reset: Array | None, window: int
) -> tuple[Int[Array, "b t window"], LastTokens]:
    """The tokens that each position sees, -1 where there is none, and the carry.

    Tokens are counted, not places: what is masked has no number, so it is seen by none and pushes none out.
    """
    rows, steps = tokens.shape
    kept = window - 1
    if mask is None:
        numbers = jnp.broadcast_to(jnp.arange(1, steps + 1), tokens.shape)
        line = jnp.concatenate([before.tokens, tokens], axis=1)
    else:
        numbers = jnp.cumsum(mask, axis=1)
        places = jnp.where(mask, kept + numbers - 1, kept + steps)  # outside, where nothing is written
        line = jnp.pad(before.tokens, ((0, 0), (0, steps)), constant_values=-1)
        line = line.at[jnp.arange(rows)[:, None], places].set(tokens, mode="drop")
    # The number of the first token since the last reset; before any, those of the carry count too.
    first = jnp.full(tokens.shape, 1 - kept)
    if reset is not None:
        begun = jnp.where(reset, numbers if mask is None else numbers + ~mask, 1 - kept)
        first = lax.cummax(begun, axis=1)
    seen = numbers[:, :, None] + jnp.arange(-kept, 1)
    found = jnp.take_along_axis(line[:, None, :], jnp.maximum(seen + kept - 1, 0), axis=2)
    windows = jnp.where(seen >= first[:, :, None], found, -1)
    count, begin = (numbers[:, -1:], first[:, -1:]) if steps else (0, 1 - kept)
    last = jnp.broadcast_to(count + jnp.arange(1 - kept, 1), before.tokens.shape)
    ends = jnp.take_along_axis(line, last + kept - 1, axis=1)
    return windows, LastTokens(jnp.where(last >= begin, ends, -1))


def _mean(embedding: Float32[Array, "v d"] | RowTable, windows: Int[Array, "*n window"]) -> Float32[Array, "*n d"]:
    """The mean of the vectors of those tokens that are there."""
    there = windows >= 0
    vectors = jnp.where(there[..., None], embedding[jnp.maximum(windows, 0)], 0)
    return vectors.sum(-2) / jnp.maximum(there.sum(-1, keepdims=True), 1)
