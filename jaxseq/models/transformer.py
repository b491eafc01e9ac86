"""The decoder-only Transformer language model, whose carry is its key/value cache."""

from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm
from jaxseq.nn.transformer import add_positions, stack_blocks
from jaxseq.ops.dropout import dropout
from jaxseq.ops.finite import product
from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.ring_cache import KeyValues, place


class TransformerCarry(NamedTuple):
    """What earlier tokens left behind.

    A row's token at position p lies in slot p mod context of every ring. Slots not yet written since the row's last
    reset hold zeros.
    """

    rings: tuple[KeyValues, ...]
    """Keys and values of each layer, [b, context, h, d / h] in the compute type."""
    position: Array
    """[b] int32: real tokens read since the last reset, so the position of the next."""


class TransformerLanguageModel(nn.Module):
    """Logits of the next token after each of tokens [b, t], and the carry.

    A token attends to the last `context` tokens of its row since the last reset, itself included, however the row is
    cut into calls. The fields are those of `jaxseq.config.TransformerConfig`; positions are

    - "rotary": queries and keys turned by their position (d / h must be even);
    - "sinusoidal": added to the embedding, which is then scaled by sqrt(d) as published;
    - "learned": a table of `context` rows, added; the row is the position mod context, so within a window no two
      tokens share one, and a stream may be of any length.

    Weights start as GPT-2's: normal with deviation 0.02, projections back to the residual stream 0.02 / sqrt(2 layers).
    Activations are of type `dtype`; parameters, norms, softmax, logits and loss are float32.
    """

    vocabulary_size: int
    features: int = 128
    layers: int = 4
    heads: int = 4
    context: int = 64
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    mlp_ratio: int = 4
    bias: bool = False
    tie_embedding: bool = True
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        normal = nn.initializers.normal(WEIGHT_SCALE)
        self.embedding = self.param("embedding", normal, (self.vocabulary_size, self.features), jnp.float32)
        if self.positions == "learned":
            self.position_table = self.param("position_table", normal, (self.context, self.features), jnp.float32)
        if not self.tie_embedding:
            self.head_kernel = self.param("head_kernel", normal, (self.features, self.vocabulary_size), jnp.float32)
        self.blocks = stack_blocks(
            self.layers,
            features=self.features,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            positions=self.positions,
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
        tokens: Array,
        carry: TransformerCarry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[Array, TransformerCarry]:
        """Logits [b, t, v] float32 of the token after each of tokens [b, t], zero where masked; and the carry."""
        features, carry = self.features_of(tokens, carry, mask=mask, reset=reset, train=train)
        logits = product(features, self._head(), dtype=self.dtype)
        return (logits if mask is None else jnp.where(mask[:, :, None], logits, 0)), carry

    def loss(
        self,
        tokens: Array,
        targets: Array,
        carry: TransformerCarry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Tally], TransformerCarry]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets [b, t], and the carry.

        The same as from the logits, without ever holding those of the whole batch.
        """
        # Where every token counts, what is not finite makes the sum of their losses so, whichever it reaches.
        guard = mask is not None or reset is not None
        features, carry = self.features_of(tokens, carry, mask=mask, reset=reset, train=train, guard=guard)
        loss, hits = linear_cross_entropy(
            features.reshape(-1, self.features),
            self._head(),
            None,
            targets.reshape(-1),
            None if mask is None else mask.reshape(-1),
        )
        return {"loss": loss, "accuracy": hits}, carry

    def features_of(
        self,
        tokens: Array,
        carry: TransformerCarry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Array, TransformerCarry]:
        """What the last block gives, normalised, [b, t, features]; and the carry. `guard` as `SelfAttention` has it."""
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
        return self.norm(x), TransformerCarry(tuple(rings), position)

    def _embed(self, tokens: Array, positions: Array) -> tuple[Array, tuple[Array, Array] | None]:
        """The embedding with its position code [b, t, features], and the factors of rotary positions."""
        table = self.position_table if self.positions == "learned" else None
        return add_positions(
            self.embedding[tokens], positions, kind=self.positions, table=table, heads=self.heads, dtype=self.dtype
        )

    def _head(self) -> Array:
        return self.embedding.T if self.tie_embedding else self.head_kernel

    @nn.nowrap
    def decoding_weights(self, params: Any) -> Any:
        """The parameters as `decode_step` wants them, made once before many steps."""

        def narrowed(path: Any, leaf: Array) -> Array:  # what products are made with; the rest is float32 in them too
            return leaf.astype(self.dtype) if "kernel" in path[-1].key else leaf

        return jax.tree_util.tree_map_with_path(narrowed, params)

    @nn.nowrap
    def decode_step(self, weights: Any, tokens: Array, carry: TransformerCarry) -> tuple[Array, TransformerCarry]:
        """Logits [b, v] float32 of the token after tokens [b], and the carry."""
        result: Any = self.apply({"params": weights}, tokens, carry, method="_step")
        return result

    def _step(self, tokens: Array, carry: TransformerCarry) -> tuple[Array, TransformerCarry]:
        features, carry = self.features_of(tokens[:, None], carry, guard=False)
        logits = jnp.matmul(features, self._head().astype(self.dtype), preferred_element_type=jnp.float32)
        return logits[:, 0], carry
