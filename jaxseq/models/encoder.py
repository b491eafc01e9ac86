"""The Transformer encoder: every token sees every other of its text."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from jaxseq.errors import InputError
from jaxseq.nn.layers import WEIGHT_SCALE, LayerNorm
from jaxseq.nn.stateless import refuse_carry
from jaxseq.nn.transformer import add_positions, stack_blocks
from jaxseq.ops.dropout import dropout
from jaxseq.ops.normalization import EPSILON
from jaxseq.ops.positions import Rotation
from jaxseq.ops.ring_cache import place_all
from jaxseq.ops.shapes import Array


class TransformerEncoder(nn.Module):
    """Features of tokens, each of which knows the whole text, before it and behind it.

    Positions count a row's real tokens, so neither the amount of padding nor its place matters. They are

    - "rotary": queries and keys turned by their position (features / heads must be even);
    - "sinusoidal": added to the embedding, which is then scaled by sqrt(features) as published;
    - "learned": a table of `context` rows, added; longer texts are refused.

    Blocks normalise what a branch reads, with a norm after the last block (`norm` "pre": Xiong et al. 2020), or what it
    leaves, with a norm before the first block ("post": Devlin et al. 2019). Weights start normal with deviation 0.02,
    with "pre" projections back to the residual stream 0.02 / sqrt(2 layers), as GPT-2's. Activations are of type
    `dtype`; parameters, norms and softmax are float32.

    Attributes:
        segments: Parts of a text that are told apart, 0 for none; a table of as many rows is added to the embedding.
        epsilon: What norms add to a variance.
    """

    vocabulary_size: int
    features: int = 128
    layers: int = 2
    heads: int = 4
    context: int = 512
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    segments: int = 0
    mlp_ratio: int = 4
    norm: Literal["pre", "post"] = "pre"
    epsilon: float = EPSILON
    bias: bool = True
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        normal = nn.initializers.normal(WEIGHT_SCALE)
        self.embedding = self.param("embedding", normal, (self.vocabulary_size, self.features), jnp.float32)
        if self.positions == "learned":
            self.position_table = self.param("position_table", normal, (self.context, self.features), jnp.float32)
        if self.segments:
            self.segment_table = self.param("segment_table", normal, (self.segments, self.features), jnp.float32)
        self.blocks = stack_blocks(
            self.layers,
            features=self.features,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            positions=self.positions,
            bias=self.bias,
            dropout=self.dropout,
            dtype=self.dtype,
            norm=self.norm,
            epsilon=self.epsilon,
        )
        self.outer_norm = LayerNorm(self.bias, self.epsilon, name="norm")

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Empty: every text is read at once."""
        return ()

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: tuple[()] | None = None,
        *,
        segments: Int[Array, "b t"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t {self.features}"], tuple[()]]:
        """Features in the compute type, zero where the mask is False; and the empty carry.

        `guard` as `SelfAttention` has it; without `segments` all is of the first one.

        Raises:
            ValueError: a carry or a reset is given, or segments where none are told apart.
            InputError: a text is longer than the table of positions.
        """
        refuse_carry("TransformerEncoder", carry, reset)
        if segments is not None and not self.segments:
            raise ValueError("segments are given to an encoder without: make it with a number of segments")
        length = tokens.shape[1]
        if self.positions == "learned" and length > self.context:
            raise InputError(
                f"texts of {length} tokens are longer than model.context ({self.context}): cut them, raise "
                "--model.context, or choose --model.positions rotary"
            )
        placement = place_all(length, mask=mask)
        if mask is not None:
            tokens = jnp.where(mask, tokens, 0)
            segments = None if segments is None else jnp.where(mask, segments, 0)
        x, rotation = self._embed(tokens, segments, placement.positions)
        if self.norm == "post":
            x = self.outer_norm(x)
        if train and self.dropout > 0:
            x = dropout(x, self.dropout, self.make_rng("dropout"))
        for block in self.blocks:
            x, _ = block(x, placement, rotation=rotation, train=train, guard=guard)
        if self.norm == "pre":
            x = self.outer_norm(x)
        return (x if mask is None else jnp.where(mask[:, :, None], x, 0)), ()

    def _embed(self, tokens: Array, segments: Array | None, positions: Array) -> tuple[Array, Rotation | None]:
        """The embedding with the codes of segment and position, and the factors of rotary positions."""
        table = self.position_table if self.positions == "learned" else None
        x = self.embedding[tokens]
        if self.segments:
            x = x + (self.segment_table[0] if segments is None else self.segment_table[segments])
        return add_positions(x, positions, kind=self.positions, table=table, heads=self.heads, dtype=self.dtype)
