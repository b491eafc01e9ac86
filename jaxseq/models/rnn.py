"""Recurrent language models: tokens, a stack of recurrent layers, a linear layer to the vocabulary."""

from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.layers import Head
from jaxseq.nn.recurrent import GRU, LSTM, RecurrentLayer, SimpleRNN, StepWeights
from jaxseq.ops.cells import State
from jaxseq.ops.dropout import dropout, dropout_mask
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.losses import Tally

Carry = tuple[State, ...]


class DecodingWeights(NamedTuple):
    """Weights of `RNNLanguageModel.decode_step`: the embedding is folded into the first layer's table, and the head has
    columns of zeros up to a multiple of 8, for which a product with one row takes a quarter less time on a CPU."""

    layers: tuple[StepWeights, ...]
    head_kernel: Array
    head_bias: Array


class RNNLanguageModel(nn.Module):
    """Logits of the next token after each of tokens [b, t], and the carry: a tuple of one named tuple a layer.

    `embedding=0` feeds one-hot vectors. The dropouts are those of `jaxseq.config.RNNConfig`; with `variational` each
    uses one mask for all steps of a call. `predict="last"` trains on the token after the window only.
    """

    vocabulary_size: int
    features: int = 256
    layers: int = 1
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    reset_after: bool = True
    embedding: int = 0
    input_dropout: float = 0.0
    dropout: float = 0.0
    output_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    variational: bool = False
    predict: Literal["every", "last"] = "every"
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        if self.embedding:
            self.embedding_table = self.param(
                "embedding", nn.initializers.uniform(0.1), (self.vocabulary_size, self.embedding), jnp.float32
            )
        self.stack = [self._layer(name=f"layer_{i}") for i in range(self.layers)]
        self.head = Head(self.features, self.vocabulary_size, dtype=self.dtype)

    @nn.nowrap
    def _layer(self, **place: Any) -> RecurrentLayer:
        """A layer at `place` in this module (name), or outside it (parent=None)."""
        common = {"recurrent_dropout": self.recurrent_dropout, "dtype": self.dtype, **place}
        if self.cell == "gru":
            return GRU(self.features, reset_after=self.reset_after, **common)
        return {"lstm": LSTM, "rnn": SimpleRNN}[self.cell](self.features, **common)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Carry:
        """Zeros for every layer, leading axis batch."""
        layer = self._layer(parent=None)
        return tuple(layer.initial_carry(batch_size) for _ in range(self.layers))

    def __call__(
        self,
        tokens: Array,
        carry: Carry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[Array, Carry]:
        """Logits [b, t, v] float32 of the token after each of tokens [b, t], and the carry; zero where masked."""
        features, carry = self.features_of(tokens, carry, mask=mask, reset=reset, train=train)
        logits = self.head(features)
        return (logits if mask is None else jnp.where(mask[:, :, None], logits, 0)), carry

    def features_of(
        self,
        tokens: Array,
        carry: Carry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Array, Carry]:
        """What the last layer gives, [b, t, features] in the compute type, and the carry; `guard` as layers have it."""
        x: Any = self._input(tokens, mask, train)
        ends = []
        for i, layer in enumerate(self.stack):
            start = None if carry is None else carry[i]
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

    def loss(
        self,
        tokens: Array,
        targets: Array,
        carry: Carry | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Tally], Carry]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets [b, t], and the carry.

        The same as from the logits, without ever holding those of the whole batch.
        """
        # Where every token counts, what is not finite makes the sum of their losses so, whichever it reaches.
        guard = mask is not None or reset is not None
        features, carry = self.features_of(tokens, carry, mask=mask, reset=reset, train=train, guard=guard)
        if self.predict == "last":
            features, targets = features[:, -1:], targets[:, -1:]
            mask = None if mask is None else mask[:, -1:]
        # Time first, as the recurrence leaves it: no copy.
        features, targets = jnp.swapaxes(features, 0, 1), jnp.swapaxes(targets, 0, 1)
        loss, hits = self.head.cross_entropy(
            features.reshape(-1, self.features),
            targets.reshape(-1),
            None if mask is None else jnp.swapaxes(mask, 0, 1).reshape(-1),
        )
        return {"loss": loss, "accuracy": hits}, carry

    @nn.nowrap
    def decoding_weights(self, params: dict) -> DecodingWeights:
        """The parameters as `decode_step` wants them, float32, made once before many steps."""
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
        layer = self._layer(parent=None)
        first = layer.prepare_lookup(params["layer_0"], params["embedding"] if self.embedding else None)
        others = (layer.prepare(params[f"layer_{i}"]) for i in range(1, self.layers))
        kernel = jnp.pad(params["head"]["kernel"], ((0, 0), (0, -self.vocabulary_size % 8)))
        return DecodingWeights((first, *others), kernel, params["head"]["bias"])

    @nn.nowrap
    def decode_step(self, weights: DecodingWeights, tokens: Array, carry: Carry) -> tuple[Array, Carry]:
        """Logits [b, v] of the token after tokens [b], and the carry; float32 throughout."""
        layer = self._layer(parent=None)
        x, ends = tokens, []
        for own, start in zip(weights.layers, carry, strict=True):
            x, end = layer.step(own, x, start)
            ends.append(end)
        product = (x @ weights.head_kernel)[:, : self.vocabulary_size]
        return product + weights.head_bias, tuple(ends)
