"""The Transformer of Vaswani et al. (2017): an encoder, and a decoder that looks at what it gives."""

from typing import Any, ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.nn.decoder_block import DecoderBlock, StepState
from jaxseq.nn.layers import LayerNorm
from jaxseq.nn.transformer import Block, add_positions
from jaxseq.ops.dropout import dropout
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.ring_cache import KeyValues, place, place_all
from jaxseq.ops.shapes import Array
from jaxseq.ops.token_past import step_on


class SourceMemory(NamedTuple):
    """What decoding looks at of a source."""

    layers: tuple[KeyValues, ...]
    """Keys and values for each block of the decoder, [b, s, h, k], in the compute type."""
    visible: Bool[Array, "b 1 s"] | None
    """False at padding; None where there is none."""


class _Stack(nn.Module):
    """What encoder and decoder have in common.

    Embedded tokens times sqrt(features), and the sines and cosines of their positions; dropout; blocks with ReLU, whose
    kernels start as Glorot and Bengio (2010) have it; after "pre" norms one more at the end. Activations are of type
    `dtype`; parameters, norms and softmax are float32.
    """

    features: int = 256
    layers: int = 3
    heads: int = 4
    mlp_ratio: int = 4
    norm: Literal["pre", "post"] = "pre"
    dropout: float = 0.0
    attention_dropout: bool = True
    dtype: DTypeLike = jnp.float32

    TIME_FIRST: ClassVar[bool] = False

    def _blocks(self, kind: type, **own: Any) -> list[Any]:
        return [
            kind(
                heads=self.heads,
                width=self.mlp_ratio * self.features,
                norm=self.norm,
                activation=jax.nn.relu,
                dropout=self.dropout,
                attention_dropout=self.attention_dropout,
                input_scale=None,
                output_scale=None,
                dtype=self.dtype,
                name=f"block_{i}",
                **own,
            )
            for i in range(self.layers)
        ]

    def _embed(self, tokens: Lookup, positions: Array, mask: Array | None, train: bool) -> Array:
        vectors = tokens.vectors(mask)
        vectors = vectors if mask is None else jnp.where(mask[:, :, None], vectors, 0)
        x, _ = add_positions(vectors, positions, kind="sinusoidal", table=None, heads=self.heads, dtype=self.dtype)
        return dropout(x, self.dropout, self.make_rng("dropout")) if train and self.dropout > 0 else x

    def _finish(self, x: Array, mask: Array | None) -> Array:
        x = self.final_norm(x) if self.norm == "pre" else x
        return x if mask is None else jnp.where(mask[:, :, None], x, 0)


class TransformerSourceEncoder(_Stack):
    """Features of source tokens, each of which knows all of its source. A `nn.encoder_decoder.SourceEncoder`."""

    def setup(self) -> None:
        self.blocks = self._blocks(Block)
        if self.norm == "pre":
            self.final_norm = LayerNorm()

    def __call__(
        self, tokens: Lookup, *, mask: Bool[Array, "b s"] | None = None, train: bool = False, guard: bool = True
    ) -> tuple[Float[Array, "b s d"], None]:
        """Features, zero where masked; nothing goes from the end of a source to the beginning of a target."""
        placement = place_all(tokens.shape[1], mask=mask)
        x = self._embed(tokens, placement.positions, mask, train)
        for block in self.blocks:
            x, _ = block(x, placement, train=train, guard=guard)
        return self._finish(x, mask), None


class TransformerTargetDecoder(_Stack):
    """Features of target tokens, each of which knows its source and the tokens before it. A
    `nn.target_model.TargetDecoder`.

    A token attends to the last `context` tokens of its target, itself included.
    """

    context: int = 256

    def setup(self) -> None:
        self.blocks = self._blocks(DecoderBlock, features=self.features)
        if self.norm == "pre":
            self.final_norm = LayerNorm()

    def remember(
        self, source: Float[Array, "b s d"], end: None, *, mask: Bool[Array, "b s"] | None = None, guard: bool = True
    ) -> tuple[SourceMemory, None]:
        """The keys and values of a source, and the state before the first token: there is none."""
        layers = tuple(block.project(source, guard=guard) for block in self.blocks)
        return SourceMemory(layers, None if mask is None else mask[:, None]), None

    def __call__(
        self,
        tokens: Lookup,
        memory: SourceMemory,
        state: None = None,
        *,
        mask: Bool[Array, "n t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> Float[Array, "n t d"]:
        """As `nn.target_model.TargetDecoder` has it."""
        placement = place(tokens.shape[1], context=self.context, mask=mask)
        x = self._embed(tokens, placement.positions, mask, train)
        for block, seen in zip(self.blocks, memory.layers, strict=True):
            x, _ = block(x, placement, seen, visible=memory.visible, train=train, guard=guard)
        return self._finish(x, mask)

    def step(
        self, tokens: Lookup, memory: SourceMemory, state: StepState | None
    ) -> tuple[Float[Array, "n 1 d"], StepState]:
        """As `nn.target_model.TargetDecoder` has it; keys and values stay in their places."""
        rows = tokens.shape[0]
        if state is None:
            sizes = {"slots": self.context, "heads": self.heads, "width": self.features // self.heads}
            state = StepState.first(rows, blocks=self.layers, **sizes, dtype=self.dtype)
        here = step_on(state.places, state.position, siblings=rows // memory.layers[0].keys.shape[0])
        x, pasts = self._embed(tokens, state.position[:, None], None, False), []
        for block, seen, past in zip(self.blocks, memory.layers, state.past.tree, strict=True):
            x, past = block(x, here, seen, past, visible=memory.visible, guard=False)
            pasts.append(past)
        return self._finish(x, None), state.after(here, pasts)

    @nn.nowrap
    def with_room(self, length: int) -> "TransformerTargetDecoder":
        """As `nn.target_model.TargetDecoder` has it: fewer slots are held."""
        return self.clone(context=min(self.context, length))

    @nn.nowrap
    def attention_in(self, sown: Any) -> Float[Array, "b t s"]:
        """What each token looked at, of what this module has sown: the last block's weights, the mean of its heads."""
        return sown[f"block_{self.layers - 1}"]["cross_attention"]["weights"].mean(axis=1)
