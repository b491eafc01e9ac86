"""Recurrent encoders and decoders, without attention (Sutskever et al. 2014) or with (Luong et al. 2015)."""

from typing import Any, ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.nn.attention import leave_weights
from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.recurrent import GRU, LSTM
from jaxseq.nn.scored_attention import ScoredAttention
from jaxseq.ops.cells import RecurrentWeights, State
from jaxseq.ops.dropout import dropout, dropout_mask
from jaxseq.ops.linear import linear
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.shapes import Array
from jaxseq.ops.step_products import scan_products

LAYERS = {"lstm": LSTM, "gru": GRU}
"""Layers by the name of their cell."""


class AttentionMemory(NamedTuple):
    """What decoding looks at of a source."""

    keys: Float[Array, "b s f"]
    """What states are compared with."""
    source: Float[Array, "b s d"]
    """What they gather."""
    visible: Bool[Array, "b 1 s"] | None
    """False at padding; None where there is none."""


class DecoderState(NamedTuple):
    """What earlier tokens of a target left behind."""

    layers: tuple[State, ...]
    """The state of each layer."""
    fed: Float[Array, "n f"] | None
    """The attentional vector of the token before, zeros before the first; None where it is not fed."""


class _Stack(nn.Module):
    """What encoder and decoder have in common: layers of one width.

    Attributes:
        features: Width of a layer.
        input_dropout, dropout, output_dropout: Rates, on embedded tokens, between layers and on the result.
    """

    features: int = 256
    layers: int = 1
    cell: Literal["lstm", "gru"] = "lstm"
    input_dropout: float = 0.0
    dropout: float = 0.0
    output_dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    TIME_FIRST: ClassVar[bool] = True

    def _embed(self, tokens: Lookup, mask: Array | None, train: bool) -> Array | Lookup:
        if train and self.input_dropout > 0:
            return self._drop(tokens.vectors(mask), self.input_dropout, train)
        return tokens

    def _drop(self, x: Array, rate: float, train: bool) -> Array:
        return dropout(x, rate, self.make_rng("dropout")) if train and rate > 0 else x

    def _run(
        self, x: Any, starts: Any, *, mask: Array | None, train: bool, guard: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        """Outputs of the last layer, and the carry of each."""
        ends = []
        for i, layer in enumerate(self.stack):
            x = x if i == 0 else self._drop(x, self.dropout, train)
            x, end = layer(x, None if starts is None else starts[i], mask=mask, train=train, guard=guard)
            ends.append(end)
        return x, tuple(ends)


class RecurrentSourceEncoder(_Stack):
    """Features of source tokens, and where each layer ended. A `nn.encoder_decoder.SourceEncoder`.

    With `bidirectional` each direction has half of the features.
    """

    bidirectional: bool = False

    def setup(self) -> None:
        layer, places = LAYERS[self.cell], [f"layer_{i}" for i in range(self.layers)]
        if self.bidirectional:
            half = self.features // 2
            ways = [[layer(half, dtype=self.dtype, parent=None) for _ in range(2)] for _ in places]
            self.stack = [Bidirectional(*both, name=name) for both, name in zip(ways, places, strict=True)]
        else:
            self.stack = [layer(self.features, dtype=self.dtype, name=name) for name in places]

    def __call__(
        self, tokens: Lookup, *, mask: Bool[Array, "b s"] | None = None, train: bool = False, guard: bool = True
    ) -> tuple[Float[Array, "b s d"], tuple[State, ...]]:
        """Features, zero where masked, and the states after the last token; both directions' side by side."""
        x, ends = self._run(self._embed(tokens, mask, train), None, mask=mask, train=train, guard=guard)
        return self._drop(x, self.output_dropout, train).astype(self.dtype), tuple(map(_side_by_side, ends))


def _side_by_side(end: Any) -> State:
    if not isinstance(end, BidirectionalCarry):
        return end
    return type(end.forward)(*(jnp.concatenate(parts, axis=-1) for parts in zip(*end, strict=True)))


class RecurrentTargetDecoder(_Stack):
    """Features of target tokens, from the states in which an encoder of as many layers and features ended. A
    `nn.target_model.TargetDecoder`.

    With `attention`, as `ScoredAttention` has it, the last layer's output h looks at the source, and the features are
    tanh(W [what it gathers; h]), the attentional vector (Luong et al. 2015). With `input_feeding` that joins the next
    token's embedding; without, the recurrence runs by itself and all tokens look at once.

    Attributes:
        source_features: Width of what it looks at; 0 for that of its layers.
    """

    attention: Literal["none", "additive", "dot", "general"] = "none"
    use_scale: bool = False
    input_feeding: bool = False
    source_features: int = 0

    def setup(self) -> None:
        layer = LAYERS[self.cell]
        self.stack = [layer(self.features, dtype=self.dtype, name=f"layer_{i}") for i in range(self.layers)]
        if self.attention != "none":
            self.look = ScoredAttention(self.features, self.attention, self.use_scale, dtype=self.dtype)
            width = (self.source_features or self.features) + self.features
            glorot, shape = nn.initializers.glorot_uniform(), (width, self.features)
            self.combine_kernel = self.param("combine_kernel", glorot, shape, jnp.float32)

    def remember(
        self,
        source: Float[Array, "b s d"],
        end: tuple[State, ...],
        *,
        mask: Bool[Array, "b s"] | None = None,
        guard: bool = True,
    ) -> tuple[AttentionMemory | None, DecoderState]:
        """What targets look at, None without attention, and the state before the first token."""
        fed = jnp.zeros((source.shape[0], self.features), jnp.float32) if self.input_feeding else None
        memory = None
        if self.attention != "none":
            keys = self.look.keys(self.look.weights(source.shape[-1]), source)
            memory = AttentionMemory(keys, source, None if mask is None else mask[:, None])
        return memory, DecoderState(tuple(end), fed)

    def __call__(
        self,
        tokens: Lookup,
        memory: AttentionMemory | None,
        state: DecoderState,
        *,
        mask: Bool[Array, "n t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> Float[Array, "n t f"]:
        """As `nn.target_model.TargetDecoder` has it."""
        return self._read(tokens, memory, state, mask, train, guard)[0]

    def step(
        self, tokens: Lookup, memory: AttentionMemory | None, state: DecoderState
    ) -> tuple[Float[Array, "n 1 f"], DecoderState]:
        """As `nn.target_model.TargetDecoder` has it."""
        return self._read(tokens, memory, state, None, False, False)

    def _read(
        self,
        tokens: Lookup,
        memory: AttentionMemory | None,
        state: DecoderState,
        mask: Array | None,
        train: bool,
        guard: bool,
    ) -> tuple[Array, DecoderState]:
        x = self._embed(tokens, mask, train)
        if self.input_feeding:
            features, state = self._fed(x, memory, state, mask, train)
        else:
            features, ends = self._run(x, state.layers, mask=mask, train=train, guard=guard)
            features = features if memory is None else self._attentional(features, memory)
            state = DecoderState(ends, None)
        features = self._drop(features, self.output_dropout, train)
        features = features if mask is None else jnp.where(mask[:, :, None], features, 0)
        return features.astype(self.dtype), state

    def _attentional(self, h: Array, memory: AttentionMemory) -> Array:
        """Attentional vectors of outputs h [n, t, f], all at once."""
        _, by, scale = self.look.weights(memory.source.shape[-1])
        query: Any = h if by is None else linear(h.astype(self.dtype), by)
        query = query.reshape(memory.keys.shape[0], -1, self.features)
        gathered, weights = self.look.gather(scale, query, memory.keys, memory.source, memory.visible)
        self._sow(weights)
        both = jnp.concatenate([gathered.reshape(*h.shape[:2], -1), h], axis=-1)
        return jnp.tanh(linear(both.astype(self.dtype), self.combine_kernel))

    def _fed(
        self, x: Array | Lookup, memory: AttentionMemory | None, state: DecoderState, mask: Array | None, train: bool
    ) -> tuple[Array, DecoderState]:
        """Attentional vectors, each of which the next token's step is fed with."""
        assert memory is not None
        vectors = x.vectors(mask) if isinstance(x, Lookup) else x
        rows, length, width = vectors.shape
        _, by, scale = self.look.weights(memory.source.shape[-1])
        kernel, bias, weights = self._fed_weights(width, by)
        drops = None
        if train and self.dropout > 0 and self.layers > 1:
            shape = (length, self.layers - 1, rows, self.features)
            drops = dropout_mask(self.make_rng("dropout"), self.dropout, shape)
        products: Any = linear(jnp.swapaxes(vectors, 0, 1).astype(self.dtype), kernel)
        shown = None if memory.visible is None else memory.visible.astype(jnp.float32)
        flags = (jnp.arange(length), None if mask is None else mask.T[:, :, None], drops)
        layers, carry, cell, look = self.layers, LAYERS[self.cell].CARRY, self.stack[0].cell(), self.look
        wanted = self.is_mutable_collection("intermediates")

        def step(times: Any, before: DecoderState, projected: Array, shared: Any, flags: Any) -> tuple[Any, Any]:
            (_, mask, drops), (keys, source, scale, shown) = flags, shared
            states, h = [], None
            for i in range(layers):
                if h is None:
                    gates = projected + times("feeding", before.fed)
                else:
                    gates = times(f"input_{i}", h if drops is None else h * drops[i - 1])
                own = before.layers[i]
                after, _ = cell.combine(gates, times(f"recurrent_{i}", own[0]), tuple(own))
                states.append(carry(*after))
                h = after[0]
            assert h is not None
            query = (times("query", h) if "query" in names else h).reshape(keys.shape[0], -1, h.shape[-1])
            gathered, looked = look.gather(scale, query, keys, source, None if shown is None else shown > 0)
            both = jnp.concatenate([gathered.reshape(h.shape[0], -1), h], axis=-1)
            after = DecoderState(tuple(states), jnp.tanh(times("combine", both)))
            if mask is not None:
                after = jax.tree.map(lambda new, old: jnp.where(mask, new, old), after, before)
            return after, (after.fed, looked if wanted else None)

        names = frozenset(weights)
        shared = (memory.keys, memory.source, scale, shown)
        projected = (products + bias).astype(jnp.float32)
        end, (features, looked) = scan_products(step, weights, state, projected, shared, flags)
        if wanted:  # [t, b, k, s]
            self._sow(jnp.moveaxis(looked, 0, 2).reshape(looked.shape[1], -1, looked.shape[-1]))
        return jnp.swapaxes(features, 0, 1), end

    def _fed_weights(self, width: int, by: Array | None) -> tuple[Array, Array, dict[str, RecurrentWeights]]:
        """The kernel and the bias of embedded tokens [n, t, width], all at once; and what a step multiplies with, by
        name. by: the matrix of a query, if it has one."""
        first, *others = [
            layer.weights(width + self.features if i == 0 else self.features) for i, layer in enumerate(self.stack)
        ]
        weights = {"feeding": RecurrentWeights(first.kernel[width:])}
        for i, own in enumerate((first, *others)):
            weights[f"recurrent_{i}"] = own.recurrent
            if i:
                weights[f"input_{i}"] = RecurrentWeights(own.kernel, own.bias)
        if by is not None:
            weights["query"] = RecurrentWeights(by)
        weights["combine"] = RecurrentWeights(self.combine_kernel.astype(self.dtype))
        return first.kernel[:width], first.bias, weights

    def _sow(self, weights: Array) -> None:
        """Leaves weights [b, t, s] where somebody asks for them."""
        leave_weights(self, weights[:, None])

    @nn.nowrap
    def with_room(self, length: int) -> "RecurrentTargetDecoder":
        """As `nn.target_model.TargetDecoder` has it: the carry is as large for any."""
        return self

    @nn.nowrap
    def attention_in(self, sown: Any) -> Float[Array, "b t s"] | None:
        """What each token looked at, of what this module has sown; None without attention."""
        return sown["weights"][:, 0] if "weights" in sown else None
