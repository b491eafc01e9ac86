"""The adaptive softmax as a vocabulary head."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.heads import VocabularyHead
from jaxseq.ops.adaptive_softmax import (
    AdaptiveWeights,
    Cluster,
    adaptive_cross_entropy,
    adaptive_log_probabilities,
)
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array


class AdaptiveHead(VocabularyHead):
    """Frequent words, and clusters of rare ones by narrower features (Grave et al. 2017).

    Ids must be sorted by frequency: see `nn.frequency_order`. Its logits are logarithms of probabilities.

    Parameters: kernel [d, frequent words + clusters], with `bias` bias of that width, and for each cluster i
    projection_i [d, narrow] and kernel_i [narrow, words], narrow being d / div_value^(i + 1): the transposes of
    head.weight, tail.i.0.weight and tail.i.1.weight of `torch.nn.AdaptiveLogSoftmaxWithLoss`.

    Attributes:
        cutoffs: The id that each cluster starts with.
        slack: How many times as many tokens a cluster has room for as Zipf's law gives it; with more of them a batch
            takes longer, and gives the same.
    """

    cutoffs: tuple[int, ...]
    div_value: float = 4.0
    bias: bool = False
    slack: float = 2.0

    @nn.nowrap
    def sizes(self) -> tuple[int, ...]:
        """Words of each cluster.

        Raises:
            ValueError: the cutoffs are no ids, or do not rise.
        """
        ends = (0, *self.cutoffs, self.vocabulary_size)
        sizes = tuple(after - before for before, after in itertools.pairwise(ends))
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"cutoffs {self.cutoffs} do not divide {self.vocabulary_size} words: give ids that rise, from 1 to "
                f"{self.vocabulary_size - 1}"
            )
        return sizes[1:]

    @nn.nowrap
    def room(self) -> tuple[float, ...]:
        """Share of tokens that each cluster has room for."""
        ends = (*self.cutoffs, self.vocabulary_size)
        whole = math.log1p(self.vocabulary_size)
        zipf = [(math.log1p(after) - math.log1p(before)) / whole for before, after in itertools.pairwise(ends)]
        return tuple(min(1.0, self.slack * share) for share in zipf)

    @nn.compact
    def weights(self, features: int) -> AdaptiveWeights:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The weights for features [..., features]."""
        initial, sizes = nn.initializers.glorot_uniform(), self.sizes()
        first = self.cutoffs[0] + len(sizes)
        kernel = self.param("kernel", initial, (features, first), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (first,), jnp.float32) if self.bias else None
        clusters = []
        for i, words in enumerate(sizes):
            narrow = max(1, int(features // self.div_value ** (i + 1)))
            projection = self.param(f"projection_{i}", initial, (features, narrow), jnp.float32)
            clusters.append(Cluster(projection, self.param(f"kernel_{i}", initial, (narrow, words), jnp.float32)))
        return AdaptiveWeights(kernel, bias, tuple(clusters))

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> AdaptiveWeights:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same, from the head's parameters."""
        clusters = (Cluster(params[f"projection_{i}"], params[f"kernel_{i}"]) for i in range(len(self.cutoffs)))
        return AdaptiveWeights(params["kernel"], params.get("bias"), tuple(clusters))

    def __call__(self, x: Float[Array, "*n d"]) -> Float32[Array, "*n {self.vocabulary_size}"]:
        """Logarithms of the probabilities of all words for features x."""
        return adaptive_log_probabilities(x, self.weights(x.shape[-1]))

    def cross_entropy(
        self,
        x: Float[Array, "n d"],
        targets: Int[Array, " n"],
        mask: Bool[Array, " n"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Tally, Tally]:
        """Loss and hits of targets for features x; clusters take part for the tokens only that need them."""
        return adaptive_cross_entropy(x, self.weights(x.shape[-1]), targets, mask, room=self.room())

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> AdaptiveWeights:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`params` as `step` wants them."""
        return jax.tree.map(jnp.asarray, self.weights_in(params))

    @nn.nowrap
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, weights: AdaptiveWeights, x: Float[Array, "b d"]
    ) -> Float32[Array, "b {self.vocabulary_size}"]:
        """Logarithms of the probabilities of all words for features x."""
        return adaptive_log_probabilities(x, weights)
