"""A bag of words: the embedding and nothing else."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.embedding import Embedding, small_uniform
from jaxseq.nn.stateless import refuse_carry
from jaxseq.ops import pooling
from jaxseq.ops.shapes import Array


class Bag(nn.Module):
    """Features of tokens: their vectors, whatever stands beside them.

    With the mean over time (`nn.pooling`) this is the text model of fastText (Joulin et al. 2016); `mean` is the same
    without the vectors in memory. `initial` is what the table starts as: `nn.embedding.given_table` for trained ones.
    """

    vocabulary_size: int
    features: int = 100
    initial: nn.initializers.Initializer = small_uniform
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        self.embedding = Embedding(self.vocabulary_size, self.features, self.initial)

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
        refuse_carry("Bag", carry, reset)
        return self.embedding.vectors(tokens, mask=mask).astype(self.dtype), ()

    def mean(
        self, tokens: Int[Array, "b t"], *, mask: Bool[Array, "b t"] | None = None
    ) -> Float32[Array, "b {self.features}"]:
        """The mean of a row's vectors; zeros where it has no real token."""
        return pooling.mean(self.embedding(tokens), mask)
