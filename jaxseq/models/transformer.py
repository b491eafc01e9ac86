"""The decoder-only Transformer, whose carry is its key/value cache."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm
from jaxseq.nn.transformer import add_positions, stack_blocks
from jaxseq.ops.dropout import dropout
from jaxseq.ops.positions import Rotation
from jaxseq.ops.ring_cache import KeyValues, place
from jaxseq.ops.shapes import Array


class TransformerCarry(NamedTuple):
    """What earlier tokens left behind.

    A row's token at position p lies in slot p mod context of every ring. Slots not yet written since the row's last
    reset hold zeros.
    """

    rings: tuple[KeyValues, ...]
    """Keys and values of each layer, in the compute type."""
    position: Int[Array, " b"]
    """Real tokens read since the last reset, so the position of the next."""


class Transformer(nn.Module):
    """Features of tokens, and the carry. A `nn.sequence.CausalBody`.

    A token attends to the last `context` tokens of its row since the last reset, itself included, however the row is
    cut into calls. The fields are those of `jaxseq.config.TransformerConfig`; positions are

    - "rotary": queries and keys turned by their position (d / h must be even);
    - "sinusoidal": added to the embedding, which is then scaled by sqrt(d) as published;
    - "learned": a table of `context` rows, added; the row is the position mod context, so within a window no two
      tokens share one, and a stream may be of any length.

    Weights start as GPT-2's: normal with deviation 0.02, projections back to the residual stream 0.02 / sqrt(2 layers).
    Activations are of type `dtype`; parameters, norms and softmax are float32. Parameters: embedding [v, d], with
    learned positions position_table [context, d], those of the blocks below block_0, block_1, ... and norm.
    """

    vocabulary_size: int
    features: int = 128
    layers: int = 4
    heads: int = 4
    context: int = 64
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    mlp_ratio: int = 4
    activation: Literal["gelu", "gelu_tanh"] = "gelu"
    bias: bool = False
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    TIME_FIRST: ClassVar[bool] = False

    def setup(self) -> None:
        normal = nn.initializers.normal(WEIGHT_SCALE)
        self.embedding = self.param("embedding", normal, (self.vocabulary_size, self.features), jnp.float32)
        if self.positions == "learned":
            self.position_table = self.param("position_table", normal, (self.context, self.features), jnp.float32)
        self.blocks = stack_blocks(
            self.layers,
            features=self.features,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            positions=self.positions,
            activation=self.activation,
            bias=self.bias,
            dropout=self.dropout,
            dtype=self.dtype,
        )
        self.norm = LayerNorm(self.bias)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> TransformerCarry:
        """Empty rings at position 0."""
        empty = jnp.zeros((batch_size, self.context, self.heads, self.features // self.heads), self.dtype)
        rings = tuple(KeyValues(empty, empty) for _ in range(self.layers))
        return TransformerCarry(rings, jnp.zeros((batch_size,), jnp.int32))

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: TransformerCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t {self.features}"], TransformerCarry]:
        """Features, the normalised ones of the last block, zero where masked; and the carry."""
        start = None if carry is None else carry.position
        placement = place(tokens.shape[1], context=self.context, start=start, mask=mask, reset=reset)
        x, rotation = self._embed(tokens if mask is None else jnp.where(mask, tokens, 0), placement.positions)
        if train and self.dropout > 0:
            x = dropout(x, self.dropout, self.make_rng("dropout"))
        rings = []
        for i, block in enumerate(self.blocks):
            ring = None if carry is None else carry.rings[i]
            x, ring = block(x, placement, ring, rotation=rotation, train=train, guard=guard)
            rings.append(ring)
        position = jnp.broadcast_to(placement.next_position, tokens.shape[:1])
        x = self.norm(x)
        return (x if mask is None else jnp.where(mask[:, :, None], x, 0)), TransformerCarry(tuple(rings), position)

    def _embed(self, tokens: Array, positions: Array) -> tuple[Array, Rotation | None]:
        """The embedding with its position code, and the factors of rotary positions."""
        table = self.position_table if self.positions == "learned" else None
        return add_positions(
            self.embedding[tokens], positions, kind=self.positions, table=table, heads=self.heads, dtype=self.dtype
        )

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> Any:
        """The body's own parameters; those that products are made with in the compute type."""

        def narrowed(path: Any, leaf: Array) -> Array:  # the rest is float32 in the products too
            return leaf.astype(self.dtype) if path[-1].key == "kernel" else leaf

        names = {"embedding", "position_table", "norm", *(f"block_{i}" for i in range(self.layers))}
        own = {name: part for name, part in params.items() if name in names}
        return jax.tree_util.tree_map_with_path(narrowed, own)

    @nn.nowrap
    def step(
        self, weights: Any, tokens: Int[Array, " b"], carry: TransformerCarry
    ) -> tuple[Float[Array, "b {self.features}"], TransformerCarry]:
        """Features of tokens, and the carry."""
        result: Any = self.apply({"params": weights}, tokens[:, None], carry, guard=False)
        features, carry = result
        return features[:, 0], carry
