"""Attention of recurrent decoders as a layer: its parameters, and what it does with them."""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32

from jaxseq.ops.attention_scores import additive_scores, dot_scores, weighted
from jaxseq.ops.linear import linear
from jaxseq.ops.shapes import Array


class ScoreWeights(NamedTuple):
    """Parameters of a `ScoredAttention`; None for those that its kind is without."""

    key: Float[Array, "d f"] | None
    query: Float[Array, "f f"] | None
    scale: Float[Array, "*n"] | None


class ScoredAttention(nn.Module):
    """How well a state [f] and features [d] of a source token go together, and what the state gathers.

    Attributes:
        features: f, of the states.
        kind: "dot" is state . features, for which d must be f; "general" has a matrix between them (Luong et al. 2015);
            "additive" is the sum of scale * tanh(state times a matrix + features times a matrix) (Bahdanau et al.
            2015).
        use_scale: Whether scores have a scale that is learned, one number, for "additive" one a feature.
        dtype: Type of products; the softmax is float32.
    """

    features: int
    kind: Literal["additive", "dot", "general"] = "general"
    use_scale: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def weights(self, width: int) -> ScoreWeights:
        """The parameters key_kernel, query_kernel and scale, for a source of this width."""
        additive, initial = self.kind == "additive", nn.initializers.glorot_uniform()
        key = query = scale = None
        if self.kind != "dot":
            key = self.param("key_kernel", initial, (width, self.features), jnp.float32).astype(self.dtype)
        if additive:
            query = self.param("query_kernel", initial, (self.features, self.features), jnp.float32).astype(self.dtype)
        if self.use_scale and additive:
            spread = nn.initializers.normal(self.features**-0.5)
            scale = self.param("scale", spread, (self.features,), jnp.float32)
        elif self.use_scale:
            scale = self.param("scale", nn.initializers.ones, (), jnp.float32)
        return ScoreWeights(key, query, scale)

    @nn.nowrap
    def keys(self, weights: ScoreWeights, source: Float[Array, "b s d"]) -> Float[Array, "b s {self.features}"]:
        """What states are compared with: worked out once for a source."""
        source = source.astype(self.dtype)
        return source if weights.key is None else linear(source, weights.key)

    @nn.nowrap
    def gather(
        self,
        scale: Float[Array, "*n"] | None,
        query: Float[Array, "b t f"],
        keys: Float[Array, "b s f"],
        source: Float[Array, "b s d"],
        visible: Bool[Array, "b 1 s"] | None,
    ) -> tuple[Float32[Array, "b t d"], Float32[Array, "b t s"]]:
        """What states gather of the source, and the weights; zeros where nothing is visible.

        query: states, with "additive" those times its matrix.
        """
        scores = (additive_scores if self.kind == "additive" else dot_scores)(query, keys, scale)
        return weighted(scores, source, visible)
