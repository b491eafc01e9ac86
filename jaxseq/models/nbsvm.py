"""Words weighed by what naive Bayes makes of them."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxseq.nn.embedding import Embedding
from jaxseq.nn.stateless import refuse_carry


class NBSVM(nn.Module):
    """Features [b, t, features] of tokens [b, t]: each token's weight times its log-count ratio.

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
    dtype: jnp.dtype = jnp.float32

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
        tokens: Array,
        carry: tuple[()] | None = None,
        *,
        mask: Array | None = None,
        reset: Array | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Array, tuple[()]]:
        """Features [b, t, features] in the compute type, zero where mask [b, t] is False; and the empty carry.

        Raises:
            ValueError: a carry or a reset is given.
        """
        refuse_carry("NBSVM", carry, reset)
        weights = self.weights(tokens, mask=mask)
        features = weights.vectors() * self.ratios.value[weights.ids]
        features = features if mask is None else jnp.where(mask[:, :, None], features, 0)
        return features.astype(self.dtype), ()
