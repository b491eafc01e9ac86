"""Word vectors: a table of input vectors, one of output vectors, and input vectors made of those of character n-grams.

With n-grams a word's input vector is the mean of its own row and those of its n-grams, which share rows by their hash
(Bojanowski et al. 2017).
"""

from dataclasses import dataclass
from functools import cached_property

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.embedding import Embedding, uniform_within
from jaxseq.ops.shapes import Array
from jaxseq.ops.word_prediction import mean_of


@dataclass(frozen=True, eq=False, repr=False)
class WordParts:
    """The rows that words are made of, laid end to end; equal and hashed by content.

    Attributes:
        rows: Those of word i are rows[offsets[i]:offsets[i + 1]], one or more.
        offsets: Ascending, from 0.
        total: Rows that there are.
    """

    rows: Int[np.ndarray, " n"]
    offsets: Int[np.ndarray, " w"]
    total: int

    @cached_property
    def sizes(self) -> Int[np.ndarray, " v"]:
        """Of how many rows each word is made."""
        return np.diff(self.offsets)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, WordParts)
            and self.total == other.total
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.rows, other.rows)
        )

    def __hash__(self) -> int:
        return hash((self.total, self.offsets.tobytes(), self.rows.tobytes()))

    def __repr__(self) -> str:
        return f"WordParts({len(self.offsets) - 1} words of {self.total} rows)"


class VectorTables(nn.Module):
    """Parameters input/table [rows, features] and output/table [vocabulary_size, features].

    Attributes:
        parts: The input rows that words are made of; None where each has one, its own.
        most_parts: Rows that the words of a row of a batch are made of, at the most.
        dtype: Type of the vectors that are given out.
    """

    vocabulary_size: int
    features: int = 100
    parts: WordParts | None = None
    most_parts: int = 0
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        # As in word2vec.c and in fastText: the input uniform around 0, the output zero.
        width = (0.5 if self.parts is None else 1.0) / self.features
        rows = self.vocabulary_size if self.parts is None else self.parts.total
        self.input = Embedding(rows, self.features, uniform_within(width))
        self.output = Embedding(self.vocabulary_size, self.features, nn.initializers.zeros)

    def inputs(self, tokens: Int[Array, "b t"], *, there: Bool[Array, "b t"]) -> Float[Array, "b t {self.features}"]:
        """Input vectors; anything where `there` is False."""
        if self.parts is None:
            return self.input.vectors(tokens).astype(self.dtype)
        return self._means(jnp.where(there, tokens, 0), there).astype(self.dtype)

    def outputs(self, tokens: Int[Array, "b t"]) -> Float[Array, "b t {self.features}"]:
        """Output vectors."""
        return self.output.vectors(tokens).astype(self.dtype)

    def __call__(self, tokens: Int[Array, "b t"]) -> tuple[Float[Array, "b t d"], Float[Array, "b t d"]]:
        """Both vectors."""
        return self.inputs(tokens, there=jnp.ones(tokens.shape, bool)), self.outputs(tokens)

    def _means(self, tokens: Int[Array, "b t"], there: Bool[Array, "b t"]) -> Float32[Array, "b t {self.features}"]:
        """Means of the rows of words, which lie one behind the other in as many places as there can be."""
        assert self.parts is not None
        sizes = jnp.where(there, jnp.asarray(self.parts.sizes, jnp.int32)[tokens], 0)
        ends = jnp.cumsum(sizes, axis=1)
        places = jnp.arange(self.most_parts, dtype=jnp.int32)
        owners = jax.vmap(lambda ends: jnp.searchsorted(ends, places, side="right"))(ends)
        used = owners < tokens.shape[1]
        word = jnp.minimum(owners, tokens.shape[1] - 1)
        begins = jnp.asarray(self.parts.offsets[:-1], jnp.int32)[tokens] - ends + sizes
        at = jnp.where(used, jnp.take_along_axis(begins, word, axis=1) + places, 0)
        # A place that is not used names a row of its own, so that no row comes up in many of them.
        rows = jnp.where(used, jnp.asarray(self.parts.rows, jnp.int32)[at], places % self.parts.total)
        vectors = self.input.vectors(rows)
        batch, length = tokens.shape
        segments = jnp.arange(batch)[:, None] * (length + 1) + owners
        sums = jax.ops.segment_sum(
            vectors.reshape(-1, self.features),
            segments.reshape(-1),
            num_segments=batch * (length + 1),
            indices_are_sorted=True,
        )
        sums = sums.reshape(batch, length + 1, self.features)[:, :length]
        return mean_of(sums, jnp.maximum(sizes, 1)[..., None].astype(jnp.float32))
