"""Recurrent layers: they declare parameters and call `ops.recurrence`.

All take vectors along time, or a `Lookup` of such, and give outputs and the carry.
`carry=None` is the initial carry, all zeros. `prepare` and `step` are the same for one step at a time.

Parameters and their layout (biases as in Keras; PyTorch's LSTM and simple RNN have two that only ever add up):

| layer                   | input_kernel | recurrent_kernel | bias | recurrent_bias | gates side by side          |
|-------------------------|--------------|------------------|------|----------------|-----------------------------|
| LSTM                    | [d, 4f]      | [f, 4f]          | [4f] | -              | input forget candidate output |
| GRU, reset_after        | [d, 3f]      | [f, 3f]          | [3f] | [3f]           | reset update candidate      |
| GRU, not reset_after    | [d, 3f]      | [f, 3f]          | [3f] | -              | reset update candidate      |
| SimpleRNN               | [d, f]       | [f, f]           | [f]  | -              | hidden                      |

PyTorch's gates have these orders too; Keras's GRU has update before reset.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int, PRNGKeyArray

from jaxseq.ops import cells, recurrence
from jaxseq.ops.cells import Cell, Part, RecurrentWeights, State
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.finite import row_table
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.row_tables import RowTable
from jaxseq.ops.shapes import Array

_ROWS_FOLDED = 4_096
"""Of a table that is multiplied with the kernel before steps are made: a product for each row, to save one a step."""


class LSTMCarry(NamedTuple):
    """State of an LSTM."""

    h: Part
    c: Part


class GRUCarry(NamedTuple):
    """State of a GRU."""

    h: Part


class RNNCarry(NamedTuple):
    """State of a simple RNN."""

    h: Part


def forget_bias_one(key: PRNGKeyArray, shape: tuple[int], dtype: DTypeLike = jnp.float32) -> Float[Array, " g"]:
    """Zeros, and ones for an LSTM's forget gate, which then starts open (Jozefowicz et al. 2015)."""
    width = shape[0] // 4
    return jnp.zeros(shape, dtype).at[width : 2 * width].set(1)


class LayerWeights(NamedTuple):
    """A layer's parameters as whole sequences take them, kernels in the compute type."""

    kernel: Float[Array, "d g"]
    bias: Float[Array, " g"]
    recurrent: RecurrentWeights


class StepWeights(NamedTuple):
    """A layer's parameters as single steps take them."""

    kernel: Float[Array, "d g"]
    """Where steps take ids a row for each of them, [v, g], the bias in it."""
    bias: Float[Array, " g"] | None
    recurrent: RecurrentWeights
    table: Float[Array, "v d"] | None = None
    """Where steps take ids the rows that these stand for, unless they are in the kernel."""


class RecurrentLayer(nn.Module):
    """What the layers below have in common. `recurrent_dropout` acts on the state in the recurrent product, one mask
    for all steps of a call. `dtype` is the type of matrix products; states stay float32."""

    features: int
    recurrent_dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    CARRY: ClassVar[type] = RNNCarry
    BIAS: ClassVar[nn.initializers.Initializer] = staticmethod(nn.initializers.zeros)
    """How the bias starts."""

    def cell(self) -> Cell:
        raise NotImplementedError

    def has_recurrent_bias(self) -> bool:
        return False

    def initial_carry(self, batch_size: int) -> State:
        """Zeros, leading axis batch."""
        return self.CARRY(*(jnp.zeros((batch_size, self.features), jnp.float32) for _ in self.CARRY._fields))

    @nn.compact
    def weights(self, width: int) -> LayerWeights:
        """The parameters, for inputs of this width."""
        gates = len(self.cell().GATES) * self.features
        kernel = self.param("input_kernel", nn.initializers.glorot_uniform(), (width, gates), jnp.float32)
        recurrent = self.param("recurrent_kernel", nn.initializers.orthogonal(), (self.features, gates), jnp.float32)
        bias = self.param("bias", self.BIAS, (gates,), jnp.float32)
        recurrent_bias = (
            self.param("recurrent_bias", nn.initializers.zeros, (gates,), jnp.float32)
            if self.has_recurrent_bias()
            else None
        )
        in_type = RecurrentWeights(recurrent.astype(self.dtype), recurrent_bias)
        return LayerWeights(kernel.astype(self.dtype), bias, in_type)

    def __call__(
        self,
        x: Float[Array, "b t d"] | Lookup,
        carry: State | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
        reverse: bool = False,
    ) -> tuple[Float32[Array, "b t {self.features}"], State]:
        """Outputs and the carry after the last step.

        `guard` and `reverse` as `recurrence.run` has them; the other arguments are the carry contract's.
        """
        kernel, bias, recurrent = self.weights(x.shape[-1])
        state_dropout = None
        if train and self.recurrent_dropout > 0:
            shape = (x.shape[0], self.features)
            state_dropout = dropout_mask(self.make_rng("dropout"), self.recurrent_dropout, shape)
        start = self.initial_carry(x.shape[0]) if carry is None else carry
        outputs, end = recurrence.run(
            self.cell(),
            _inputs(x, kernel, bias, mask),
            recurrent,
            tuple(start),
            mask=mask,
            reset=reset,
            state_dropout=state_dropout,
            guard=guard,
            reverse=reverse,
        )
        return outputs, self.CARRY(*end)

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> StepWeights:
        """`params` as `step` takes them for vectors."""
        recurrent = RecurrentWeights(params["recurrent_kernel"], params.get("recurrent_bias"))
        return StepWeights(params["input_kernel"], params["bias"], recurrent)

    @nn.nowrap
    def prepare_lookup(self, params: Mapping[str, Any], table: Float[Array, "v d"] | None) -> StepWeights:
        """`params` as `step` takes them for ids of the rows of the table, or of one-hot vectors for None."""
        if table is not None and len(table) > _ROWS_FOLDED:
            return self.prepare(params)._replace(table=table)
        kernel, recurrent = params["input_kernel"], self.prepare(params).recurrent
        return StepWeights((kernel if table is None else table @ kernel) + params["bias"], None, recurrent)

    @nn.nowrap
    def step(
        self, weights: StepWeights, x: Float[Array, "b d"] | Int[Array, " b"], carry: State
    ) -> tuple[Float32[Array, "b {self.features}"], State]:
        """Output and the carry after one step; float32 throughout."""
        x = x if weights.table is None else weights.table[x]
        projected = weights.kernel[x] if weights.bias is None else x @ weights.kernel + weights.bias
        end, _ = self.cell().forward(weights.recurrent, projected, tuple(carry), carry[0])
        return end[0], self.CARRY(*end)


def _inputs(
    x: Array | Lookup, kernel: Array, bias: Array, mask: Array | None
) -> recurrence.DenseInput | recurrence.TokenInput:
    """What x makes of the gates, in the cheapest way."""
    if not isinstance(x, Lookup):
        return recurrence.DenseInput(x, kernel, bias)
    if not x.is_narrow:
        return recurrence.DenseInput(x.vectors(mask), kernel, bias)
    assert not isinstance(x.table, RowTable)  # which is never narrow
    table = kernel.astype(jnp.float32) if x.table is None else row_table(x.table, kernel, kernel.dtype)
    # Adding the bias to the table once is cheaper than to every step's rows; a scale must not touch the bias.
    if x.scale is None:
        return recurrence.TokenInput(x.ids, table + bias)
    return recurrence.TokenInput(x.ids, table, bias, x.scale)


class LSTM(RecurrentLayer):
    """Long short-term memory; carry `LSTMCarry(h, c)`. The forget gate's bias starts at 1."""

    CARRY: ClassVar[type] = LSTMCarry
    BIAS: ClassVar[nn.initializers.Initializer] = staticmethod(forget_bias_one)

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
