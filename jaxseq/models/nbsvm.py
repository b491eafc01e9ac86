"""Words weighed by what naive Bayes makes of them."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from jaxseq.nn.embedding import Embedding
from jaxseq.nn.stateless import refuse_carry
from jaxseq.ops.shapes import Array


class NBSVM(nn.Module):
    """Features of tokens: each token's weight times its log-count ratio.

    Added up over a text that has each token once they are the logit of Wang and Manning's NBSVM (2012), which learns
    the weights of features that naive Bayes has scaled; with cross-entropy for its loss as in Mesnil et al. (2014).

    Parameter: weights/table [vocabulary_size, features], zeros at first. Variable that is not trained:
    statistics/ratios of the same shape, which `jaxseq.data.ratios.log_count_ratios` gives for texts to train on; zeros
    until then, and every feature with them.

    Attributes:
        features: 1 for two classes; otherwise one for each, whose ratios are those of the class to all others.
    """

    vocabulary_size: int
    features: int = 1
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        self.weights = Embedding(self.vocabulary_size, self.features, nn.initializers.zeros)
        shape = (self.vocabulary_size, self.features)
        self.ratios = self.variable("statistics", "ratios", jnp.zeros, shape, jnp.float32)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Empty: every text is read at once."""
        return ()

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: tuple[()] | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t {self.features}"], tuple[()]]:
        """Features in the compute type, zero where the mask is False; and the empty carry.

        Raises:
            ValueError: a carry or a reset is given.
        """
        refuse_carry("NBSVM", carry, reset)
        weights = self.weights(tokens, mask=mask)
        features = weights.vectors() * self.ratios.value[weights.ids]
        features = features if mask is None else jnp.where(mask[:, :, None], features, 0)
        return features.astype(self.dtype), ()
