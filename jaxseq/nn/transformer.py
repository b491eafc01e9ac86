"""The pre-norm Transformer block, and what models that stack it have in common."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from jaxseq.errors import ConfigError
from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm, Linear
from jaxseq.ops.activations import gelu
from jaxseq.ops.dropout import dropout
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.positions import Rotation, rotary_factors, sinusoidal
from jaxseq.ops.ring_cache import KeyValues, Placement
from jaxseq.ops.shapes import Array


class FeedForward(nn.Module):
    """Vectors to width, GELU (exact, not its tanh approximation), and back to d.

    Parameters: input.kernel [d, width], output.kernel [d, width] (transposed: output first), and with `bias` input.bias
    and output.bias.
    """

    width: int
    bias: bool = True
    output_scale: float = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"], *, guard: bool = True) -> Float[Array, "*n d"]:
        """With `guard` an x that is not finite gives NaN, and no gradient where that of its result is 0."""
        x, sound = finite_rows(x) if guard else (x, None)
        hidden = gelu(Linear(self.width, bias=self.bias, dtype=self.dtype, name="input")(x))
        output = Linear(
            x.shape[-1],
            bias=self.bias,
            transposed=True,
            initial_scale=self.output_scale,
            dtype=self.dtype,
            name="output",
        )
        return output(hidden) if sound is None else poison(output(hidden), sound[..., None])


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)): norms first (Xiong et al. 2020).

    `dropout` acts on the attention weights and on both branches; the other fields are those of the parts.
    """

    heads: int
    width: int
    bias: bool = True
    dropout: float = 0.0
    output_scale: float = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        placement: Placement,
        ring: KeyValues | None = None,
        *,
        rotation: Rotation | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t d"], KeyValues]:
        """The residual stream after this block, and the block's ring; arguments as `SelfAttention` has."""
        common = {"bias": self.bias, "output_scale": self.output_scale, "dtype": self.dtype}
        attention = SelfAttention(self.heads, dropout=self.dropout, name="attention", **common)
        branch, ring = attention(
            LayerNorm(self.bias, name="attention_norm")(x), placement, ring, rotation=rotation, train=train, guard=guard
        )
        x = x + self._drop(branch, train)
        branch = FeedForward(self.width, name="feed_forward", **common)(
            LayerNorm(self.bias, name="feed_forward_norm")(x), guard=guard
        )
        return x + self._drop(branch, train), ring

    def _drop(self, x: Array, train: bool) -> Array:
        return dropout(x, self.dropout, self.make_rng("dropout")) if train and self.dropout > 0 else x


def stack_blocks(
    layers: int,
    *,
    features: int,
    heads: int,
    mlp_ratio: int,
    positions: str,
    bias: bool,
    dropout: float,
    dtype: DTypeLike,
) -> list[Block]:
    """Blocks "block_0" and so on of the module in whose `setup` it is called, `features` wide. Their projections back
    to the residual stream start at 0.02 / sqrt(2 layers), as GPT-2's.

    Raises:
        ConfigError: the heads cannot share the width, or rotary positions cannot turn their parts.
    """
    width, rest = divmod(features, heads)
    if rest:
        raise ConfigError(f"model.features is {features}: it must be a multiple of model.heads ({heads})")
    if positions == "rotary" and width % 2:
        raise ConfigError(
            f"model.features / model.heads is {width}: rotary positions turn pairs, make it even or choose others"
        )
    scale = WEIGHT_SCALE / (2 * layers) ** 0.5
    common = {"bias": bias, "dropout": dropout, "output_scale": scale, "dtype": dtype}
    return [Block(heads=heads, width=mlp_ratio * features, name=f"block_{i}", **common) for i in range(layers)]


def add_positions(
    x: Float[Array, "b t d"],
    positions: Int[Array, "#b t"],
    *,
    kind: str,
    table: Float[Array, "n d"] | None,
    heads: int,
    dtype: DTypeLike,
) -> tuple[Float[Array, "b t d"], Rotation | None]:
    """Embedded tokens x with the code of their positions, in `dtype`, and the factors of rotary
    ones.

    Args:
        kind: "learned", rows of `table` added, that of a position mod their number; "sinusoidal", added to x times
            sqrt(d) as published; or "rotary".

    Raises:
        ConfigError: the kind is none of these.
    """
    features = x.shape[-1]
    if kind == "learned":
        assert table is not None
        x = x + table[positions % len(table)]
    elif kind == "sinusoidal":
        x = x * features**0.5 + sinusoidal(positions, features)
    elif kind == "rotary":
        return x.astype(dtype), rotary_factors(positions, features // heads)
    else:
        raise ConfigError(f"model.positions is {kind!r}: choose learned, sinusoidal or rotary")
    return x.astype(dtype), None
