"""Recurrent layers: they declare parameters and call `ops.recurrence`.

All take x [b, t, d] float, or token ids [b, t] int32 that stand for one-hot vectors, or for the rows of an embedding
[v, d]; and give outputs [b, t, features] float32 and the carry. `carry=None` is the initial carry, all zeros.

Parameters and their layout (biases as in Keras; PyTorch's LSTM and simple RNN have two that only ever add up):

| layer                   | input_kernel | recurrent_kernel | bias | recurrent_bias | gates side by side          |
|-------------------------|--------------|------------------|------|----------------|-----------------------------|
| LSTM                    | [d, 4h]      | [h, 4h]          | [4h] | -              | input forget candidate output |
| GRU, reset_after        | [d, 3h]      | [h, 3h]          | [3h] | [3h]           | reset update candidate      |
| GRU, not reset_after    | [d, 3h]      | [h, 3h]          | [3h] | -              | reset update candidate      |
| SimpleRNN               | [d, h]       | [h, h]           | [h]  | -              | hidden                      |

PyTorch's gates have these orders too; Keras's GRU has update before reset.
"""

from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.ops import cells, recurrence
from jaxseq.ops.cells import Cell, RecurrentWeights, State
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.finite import row_table


class LSTMCarry(NamedTuple):
    """State of an LSTM: h and c, both [b, features] float32."""

    h: Array
    c: Array


class GRUCarry(NamedTuple):
    """State of a GRU: h [b, features] float32."""

    h: Array


class RNNCarry(NamedTuple):
    """State of a simple RNN: h [b, features] float32."""

    h: Array


def forget_bias_one(key: Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> Array:
    """Zeros, and ones for an LSTM's forget gate, which then starts open (Jozefowicz et al. 2015)."""
    width = shape[0] // 4
    return jnp.zeros(shape, dtype).at[width : 2 * width].set(1)


class RecurrentLayer(nn.Module):
    """What the layers below have in common. `recurrent_dropout` acts on the state in the recurrent product, one mask
    for all steps of a call. `dtype` is the type of matrix products; states stay float32."""

    features: int
    recurrent_dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    CARRY: ClassVar[type] = RNNCarry

    def cell(self) -> Cell:
        raise NotImplementedError

    def has_recurrent_bias(self) -> bool:
        return False

    def initial_carry(self, batch_size: int) -> State:
        """Zeros, leading axis batch."""
        return self.CARRY(*(jnp.zeros((batch_size, self.features), jnp.float32) for _ in self.CARRY._fields))

    @nn.compact
    def __call__(
        self,
        x: Array,
        carry: State | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
        embedding: Array | None = None,
        scale: Array | None = None,
        vocabulary_size: int = 0,
        guard: bool = True,
    ) -> tuple[Array, State]:
        """Outputs [b, t, features] and the carry after the last step.

        With token ids for x, give `embedding` [v, d] whose rows they choose, or `vocabulary_size` for one-hot
        vectors; `scale` [b, t] then multiplies each input vector. `guard` as `recurrence.run` has it; the other
        arguments are the carry contract's.
        """
        cell = self.cell()
        is_tokens = jnp.issubdtype(x.dtype, jnp.integer)
        depth = x.shape[-1] if not is_tokens else vocabulary_size if embedding is None else embedding.shape[-1]
        width = len(cell.GATES) * self.features
        is_lstm = "forget" in cell.GATES
        kernel = self.param("input_kernel", nn.initializers.glorot_uniform(), (depth, width), jnp.float32)
        recurrent = self.param("recurrent_kernel", nn.initializers.orthogonal(), (self.features, width), jnp.float32)
        bias = self.param("bias", forget_bias_one if is_lstm else nn.initializers.zeros, (width,), jnp.float32)
        recurrent_bias = (
            self.param("recurrent_bias", nn.initializers.zeros, (width,), jnp.float32)
            if self.has_recurrent_bias()
            else None
        )
        kernel, recurrent = kernel.astype(self.dtype), recurrent.astype(self.dtype)
        if not is_tokens:
            inputs = recurrence.DenseInput(x, kernel, bias)
        elif embedding is None:
            inputs = _token_input(x, kernel.astype(jnp.float32), bias, scale)
        elif len(embedding) <= x.size and x.shape[1] > 1:
            table = row_table(embedding, kernel, self.dtype)
            inputs = _token_input(x, table, bias, scale)
        else:
            # Fewer tokens than the vocabulary has symbols: cheaper to look up vectors than to make the table.
            ids = x if mask is None else jnp.where(mask, x, 0)
            vectors = embedding[ids] if scale is None else embedding[ids] * scale[:, :, None]
            inputs = recurrence.DenseInput(vectors, kernel, bias)
        state_dropout = None
        if train and self.recurrent_dropout > 0:
            shape = (x.shape[0], self.features)
            state_dropout = dropout_mask(self.make_rng("dropout"), self.recurrent_dropout, shape)
        start = self.initial_carry(x.shape[0]) if carry is None else carry
        outputs, end = recurrence.run(
            cell,
            inputs,
            RecurrentWeights(recurrent, recurrent_bias),
            tuple(start),
            mask=mask,
            reset=reset,
            state_dropout=state_dropout,
            guard=guard,
        )
        return outputs, self.CARRY(*end)


def _token_input(ids: Array, table: Array, bias: Array, scale: Array | None) -> recurrence.TokenInput:
    # Adding the bias to the table once is cheaper than to every step's rows; a scale must not touch the bias.
    if scale is None:
        return recurrence.TokenInput(ids, table + bias)
    return recurrence.TokenInput(ids, table, bias, scale)


class LSTM(RecurrentLayer):
    """Long short-term memory; carry `LSTMCarry(h, c)`. The forget gate's bias starts at 1."""

    CARRY: ClassVar[type] = LSTMCarry

    def cell(self) -> Cell:
        return cells.LSTMCell()


class GRU(RecurrentLayer):
    """Gated recurrent unit; carry `GRUCarry(h)`. `reset_after` is PyTorch's form and Keras's default, with a bias of
    its own in the recurrent product; without it the form first published, Keras's `reset_after=False`."""

    reset_after: bool = True

    CARRY: ClassVar[type] = GRUCarry

    def cell(self) -> Cell:
        return cells.GRUCell() if self.reset_after else cells.GRUResetBeforeCell()

    def has_recurrent_bias(self) -> bool:
        return self.reset_after


class SimpleRNN(RecurrentLayer):
    """The simple recurrent network with tanh; carry `RNNCarry(h)`."""

    def cell(self) -> Cell:
        return cells.SimpleCell()
