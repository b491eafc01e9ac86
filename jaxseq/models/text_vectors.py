"""Text vectors: a table of texts, one of output vectors of words, and one of input vectors where contexts are read
(Le and Mikolov 2014)."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from jaxseq.nn.embedding import Embedding, uniform_within
from jaxseq.ops.context import context_sums, in_context
from jaxseq.ops.shapes import Array
from jaxseq.ops.word_prediction import mean_of


class TextTables(nn.Module):
    """Parameters text/table [texts, features], output/table [vocabulary_size, features], and input/table of the same
    shape where it `reads_context`.

    Attributes:
        texts: How many have a row.
        reads_context: Whether words are predicted from the mean of the text's vector and those around them (PV-DM), or
            from the text's vector alone (PV-DBOW).
        dtype: Type of the vectors that are given out.
    """

    texts: int
    vocabulary_size: int
    features: int = 100
    reads_context: bool = False
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        # As in gensim: texts and input uniform around 0, the output zero.
        self.text = Embedding(self.texts, self.features, uniform_within(self.start))
        self.output = Embedding(self.vocabulary_size, self.features, nn.initializers.zeros)
        if self.reads_context:
            self.input = Embedding(self.vocabulary_size, self.features, uniform_within(self.start))

    @property
    def start(self) -> float:
        """Numbers of a vector that is not trained yet lie between this and its negative."""
        return 1 / self.features

    def predictors(
        self,
        texts: Float[Array, "b t {self.features}"],
        tokens: Int[Array, "b s"],
        left: Int[Array, "b t"],
        right: Int[Array, "b t"],
    ) -> Float[Array, "b t {self.features}"]:
        """What predicts each centre: the vector of its text, or the mean of that and the vectors around it.

        Args:
            texts: vectors of the centres' texts.
            tokens, left, right: as `jaxseq.data.word_windows` has them.
        """
        if not self.reads_context:
            return texts
        inputs = self.input.vectors(tokens).astype(self.dtype)
        near = in_context(left, right, (tokens.shape[1] - left.shape[1]) // 2)
        sums = context_sums(near.astype(jnp.float32), inputs) + texts.astype(jnp.float32)
        return mean_of(sums, (left + right + 1).astype(jnp.float32)[..., None])

    def text_vectors(self, texts: Int[Array, "b t"]) -> Float[Array, "b t {self.features}"]:
        """Those of texts by number."""
        return self.text.vectors(texts).astype(self.dtype)

    def outputs(self, tokens: Int[Array, "b t"]) -> Float[Array, "b t {self.features}"]:
        """Output vectors of words."""
        return self.output.vectors(tokens).astype(self.dtype)

    def __call__(self, tokens: Int[Array, "b t"]) -> None:
        """Looks into every table."""
        nothing = jnp.zeros_like(tokens)
        self.predictors(self.text_vectors(nothing), tokens, nothing, nothing)
        self.outputs(tokens)
