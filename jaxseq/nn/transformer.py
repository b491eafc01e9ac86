"""The Transformer block, and what models that stack it have in common."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from jaxseq.errors import ConfigError
from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm, Linear
from jaxseq.ops.activations import ACTIVATIONS, gelu
from jaxseq.ops.dropout import dropout
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.normalization import EPSILON
from jaxseq.ops.positions import Rotation, rotary_factors, sinusoidal
from jaxseq.ops.ring_cache import KeyValues, Placement
from jaxseq.ops.shapes import Array
from jaxseq.ops.token_past import Past, Step


class FeedForward(nn.Module):
    """Vectors to width, the activation (GELU is exact, not its tanh approximation), and back to d.

    Parameters: input.kernel [d, width], output.kernel [d, width] (transposed: output first), and with `bias` input.bias
    and output.bias.
    """

    width: int
    bias: bool = True
    activation: Callable[[Array], Array] = gelu
    input_scale: float | None = WEIGHT_SCALE
    output_scale: float | None = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"], *, guard: bool = True) -> Float[Array, "*n d"]:
        """With `guard` an x that is not finite gives NaN, and no gradient where that of its result is 0."""
        x, sound = finite_rows(x) if guard else (x, None)
        widen = Linear(self.width, bias=self.bias, initial_scale=self.input_scale, dtype=self.dtype, name="input")
        hidden = self.activation(widen(x))
        output = Linear(
            x.shape[-1],
            bias=self.bias,
            transposed=True,
            initial_scale=self.output_scale,
            dtype=self.dtype,
            name="output",
        )
        return output(hidden) if sound is None else poison(output(hidden), sound[..., None])


class ResidualBlock(nn.Module):
    """What blocks have in common: branches that are added to a residual stream.

    Attributes:
        heads: Of the attention.
        width: Of the feed-forward layer.
        norm: "pre" is x + branch(norm(x)) (Xiong et al. 2020), "post" is norm(x + branch(x)) (Vaswani et al. 2017).
        epsilon: What norms add to a variance.
        activation: Of the feed-forward layer.
        dropout: Rate, on the branches.
        attention_dropout: Whether the attention weights have it too.
        input_scale, output_scale: Of the projections from the residual stream and back to it, as `Linear` has it.
    """

    heads: int
    width: int
    norm: Literal["pre", "post"] = "pre"
    epsilon: float = EPSILON
    bias: bool = True
    activation: Callable[[Array], Array] = gelu
    dropout: float = 0.0
    attention_dropout: bool = True
    input_scale: float | None = WEIGHT_SCALE
    output_scale: float | None = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        common: dict[str, Any] = {
            "bias": self.bias,
            "input_scale": self.input_scale,
            "output_scale": self.output_scale,
            "dtype": self.dtype,
        }
        self.attention = SelfAttention(self.heads, dropout=self._attention_rate, **common)
        self.attention_norm = LayerNorm(self.bias, self.epsilon)
        self.feed_forward = FeedForward(self.width, activation=self.activation, **common)
        self.feed_forward_norm = LayerNorm(self.bias, self.epsilon)

    @property
    def _attention_rate(self) -> float:
        return self.dropout if self.attention_dropout else 0.0

    def _before(self, norm: LayerNorm, x: Array) -> Array:
        """What a branch takes."""
        return norm(x) if self.norm == "pre" else x

    def _after(self, norm: LayerNorm, x: Array, branch: Array, train: bool) -> Array:
        """The stream with what a branch gives."""
        if train and self.dropout > 0:
            branch = dropout(branch, self.dropout, self.make_rng("dropout"))
        return x + branch if self.norm == "pre" else norm(x + branch)

    def attend_to_self(
        self,
        x: Float[Array, "b t d"],
        placement: Placement | Step,
        ring: KeyValues | Past | None = None,
        *,
        rotation: Rotation | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t d"], Any]:
        """The stream after the first branch, and its ring; arguments as `SelfAttention` has."""
        branch, ring = self.attention(
            self._before(self.attention_norm, x), placement, ring, rotation=rotation, train=train, guard=guard
        )
        return self._after(self.attention_norm, x, branch, train), ring

    def transform(self, x: Float[Array, "b t d"], *, train: bool = False, guard: bool = True) -> Float[Array, "b t d"]:
        """The stream after the last branch, the feed-forward layer."""
        branch = self.feed_forward(self._before(self.feed_forward_norm, x), guard=guard)
        return self._after(self.feed_forward_norm, x, branch, train)


class Block(ResidualBlock):
    """Self-attention, then the feed-forward layer."""

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
        x, after = self.attend_to_self(x, placement, ring, rotation=rotation, train=train, guard=guard)
        return self.transform(x, train=train, guard=guard), after


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
    norm: Literal["pre", "post"] = "pre",
    epsilon: float = EPSILON,
    activation: str = "gelu",
) -> list[Block]:
    """Blocks "block_0" and so on of the module in whose `setup` it is called, `features` wide. Projections back to the
    residual stream start at 0.02 / sqrt(2 layers), as GPT-2's, or at 0.02 where each branch is normalised after it, as
    BERT's.

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
    scale = WEIGHT_SCALE if norm == "post" else WEIGHT_SCALE / (2 * layers) ** 0.5
    common: dict[str, Any] = {"norm": norm, "epsilon": epsilon, "bias": bias, "dropout": dropout}
    common |= {"output_scale": scale, "dtype": dtype, "activation": ACTIVATIONS[activation]}
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
