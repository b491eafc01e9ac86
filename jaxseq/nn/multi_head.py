"""Multi-head attention of any queries to any keys and values."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.nn.attention import sow_weights
from jaxseq.nn.layers import Linear
from jaxseq.ops.attention import attend, visibility
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.ring_cache import KeyValues
from jaxseq.ops.shapes import Array


class MultiHeadAttention(nn.Module):
    """What queries gather from the values whose keys are like them (Vaswani et al. 2017).

    Parameters: query.kernel, key.kernel and value.kernel [d, heads * width], their heads side by side, and
    output.kernel [heads * width, features], each with a bias. Its weights [b, h, t, s] are sown as "weights" where
    somebody asks for "intermediates".

    Attributes:
        features: Width of the result; the heads share it equally.
        heads: How many there are.
        bias: Whether there are biases.
        dropout: Rate of dropout on the weights.
        initial_scale: Standard deviation of initial kernels, as `Linear` has it.
        dtype: Type of products; the softmax is float32.
    """

    features: int
    heads: int
    bias: bool = True
    dropout: float = 0.0
    initial_scale: float | None = None
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        linear = partial(Linear, self.features, self.bias, initial_scale=self.initial_scale, dtype=self.dtype)
        self.query, self.key, self.value, self.output = linear(), linear(), linear(), linear()

    def __call__(
        self,
        query: Float[Array, "b t d"],
        key: Float[Array, "b s _"] | None = None,
        value: Float[Array, "b s _"] | None = None,
        *,
        causal: bool = False,
        key_mask: Bool[Array, "b s"] | None = None,
        visible: Bool[Array, "#b #t s"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> Float[Array, "b t {self.features}"]:
        """What each query gathers; zeros, and the bias of the output, where it sees nothing.

        Args:
            key: None for the queries themselves.
            value: None for the keys.
            causal, key_mask, visible: Where queries may look, all together, as `ops.attention.visibility` has them.
            train: Whether to drop weights.
            guard: Whether what is not finite is kept from the queries that do not see it.
        """
        key = query if key is None else key
        visible = visibility(query.shape[1], key.shape[1], causal=causal, key_mask=key_mask, visible=visible)
        return self.gather(query, self.project(key, value, guard=guard), visible=visible, train=train, guard=guard)

    def project(
        self, key: Float[Array, "b s _"], value: Float[Array, "b s _"] | None = None, *, guard: bool = True
    ) -> KeyValues:
        """Keys and values of the heads, worked out once for any number of calls of `gather`."""
        value = key if value is None else value
        return KeyValues(*(self._heads(layer, x, guard) for layer, x in ((self.key, key), (self.value, value))))

    def gather(
        self,
        query: Float[Array, "n t _"],
        seen: KeyValues,
        *,
        visible: Bool[Array, "#b #q s"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> Float[Array, "n t {self.features}"]:
        """What each query gathers from `seen`, of whose b rows each is for n / b rows of queries, side by side."""
        heads = self._heads(self.query, query, guard)
        heads = heads.reshape(seen.keys.shape[0], -1, *heads.shape[2:])
        sow_weights(self, heads, seen.keys, visible)
        factors = None
        if train and self.dropout > 0:
            shape = (len(heads), self.heads, heads.shape[1], seen.keys.shape[1])
            factors = dropout_mask(self.make_rng("dropout"), self.dropout, shape)
        gathered = attend(heads, *seen, visible=visible, factors=factors, guard=guard)
        return _guarded(self.output, gathered.reshape(*query.shape[:2], self.features), guard)

    def _heads(self, layer: Linear, x: Array, guard: bool) -> Array:
        return _guarded(layer, x, guard).reshape(*x.shape[:2], self.heads, self.features // self.heads)


def _guarded(layer: Linear, x: Array, guard: bool) -> Array:
    if not guard:
        return layer(x)
    x, sound = finite_rows(x)
    return poison(layer(x), sound[..., None])
