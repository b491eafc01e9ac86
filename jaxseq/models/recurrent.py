"""The recurrent body: tokens, and a stack of recurrent layers, which may read both ways."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.recurrent import GRU, LSTM, RecurrentLayer, SimpleRNN, StepWeights
from jaxseq.ops.cells import State
from jaxseq.ops.dropout import dropout, dropout_mask
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.shapes import Array

Carry = tuple[State | BidirectionalCarry, ...]


class Recurrent(nn.Module):
    """Features of tokens, and the carry: a tuple of one named tuple a layer. A `nn.sequence.CausalBody`,
    unless it is bidirectional.

    `embedding=0` feeds one-hot vectors. The dropouts are those of `jaxseq.config.RNNConfig`; with `variational` each
    uses one mask for all steps of a call. Parameters: embedding [v, embedding], and those of each layer below layer_0,
    layer_1, ..., in forward and backward there with `bidirectional`, which makes features of twice the width: every
    text is read whole, and neither `prepare` nor `step` is to be had.
    """

    vocabulary_size: int
    features: int = 256
    layers: int = 1
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    reset_after: bool = True
    bidirectional: bool = False
    embedding: int = 0
    input_dropout: float = 0.0
    dropout: float = 0.0
    output_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    variational: bool = False
    dtype: DTypeLike = jnp.float32

    TIME_FIRST: ClassVar[bool] = True

    def setup(self) -> None:
        if self.embedding:
            self.embedding_table = self.param(
                "embedding", nn.initializers.uniform(0.1), (self.vocabulary_size, self.embedding), jnp.float32
            )
        make = self._both_ways if self.bidirectional else self._layer
        self.stack = [make(name=f"layer_{i}") for i in range(self.layers)]

    @nn.nowrap
    def _layer(self, **place: Any) -> RecurrentLayer:
        """A layer at `place` in this module (name), or outside it (parent=None)."""
        common = {"recurrent_dropout": self.recurrent_dropout, "dtype": self.dtype, **place}
        if self.cell == "gru":
            return GRU(self.features, reset_after=self.reset_after, **common)
        return {"lstm": LSTM, "rnn": SimpleRNN}[self.cell](self.features, **common)

    @nn.nowrap
    def _both_ways(self, **place: Any) -> Bidirectional:
        return Bidirectional(self._layer(parent=None), self._layer(parent=None), **place)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Carry:
        """Zeros for every layer, leading axis batch."""
        layer = self._both_ways(parent=None) if self.bidirectional else self._layer(parent=None)
        return tuple(layer.initial_carry(batch_size) for _ in range(self.layers))

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: Carry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t f"], Carry]:
        """Features, those of the last layer, zero where masked; and the carry."""
        x: Any = self._input(tokens, mask, train)
        ends = []
        for i, layer in enumerate(self.stack):
            start: Any = None if carry is None else carry[i]
            x, end = layer(x, start, mask=mask, reset=reset, train=train, guard=guard)
            ends.append(end)
            x = self._drop(x, self.output_dropout if i == self.layers - 1 else self.dropout, train)
        return x.astype(self.dtype), tuple(ends)

    def _input(self, tokens: Array, mask: Array | None, train: bool) -> Array | Lookup:
        """What the first layer takes: rows to be looked up, or vectors where dropout is on their parts."""
        tokens = tokens if mask is None else jnp.where(mask, tokens, 0)
        drop = train and self.input_dropout > 0
        if self.embedding:
            vectors = Lookup(tokens, self.embedding_table, self.embedding)
            return self._drop(vectors.vectors(), self.input_dropout, train) if drop else vectors
        scale = None
        if drop:
            # Of a one-hot vector only one element can be dropped that is not zero already.
            key = self.make_rng("dropout")
            if self.variational:
                choices = dropout_mask(key, self.input_dropout, (len(tokens), self.vocabulary_size))
                scale = jnp.take_along_axis(choices, tokens, axis=1)
            else:
                scale = dropout_mask(key, self.input_dropout, tokens.shape)
        return Lookup(tokens, None, self.vocabulary_size, scale)

    def _drop(self, x: Array, rate: float, train: bool) -> Array:
        if not train or rate == 0:
            return x
        return dropout(x, rate, self.make_rng("dropout"), shared_axes=(1,) if self.variational else ())

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> tuple[StepWeights, ...]:
        """Weights of the layers, float32; the embedding is folded into the first one's table."""
        if self.bidirectional:
            raise ValueError("a bidirectional model has no single steps: give it whole texts")
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
        layer = self._layer(parent=None)
        first = layer.prepare_lookup(params["layer_0"], params["embedding"] if self.embedding else None)
        return first, *(layer.prepare(params[f"layer_{i}"]) for i in range(1, self.layers))

    @nn.nowrap
    def step(
        self, weights: tuple[StepWeights, ...], tokens: Int[Array, " b"], carry: tuple[State, ...]
    ) -> tuple[Float32[Array, "b {self.features}"], tuple[State, ...]]:
        """Features of tokens, and the carry; float32 throughout."""
        layer = self._layer(parent=None)
        x, ends = tokens, []
        for own, start in zip(weights, carry, strict=True):
            x, end = layer.step(own, x, start)
            ends.append(end)
        return x, tuple(ends)
