"""The embedding: ids to rows of a table."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int, PRNGKeyArray

from jaxseq.ops.lookup import Lookup
from jaxseq.ops.shapes import Array


def small_uniform(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "..."]:
    """Uniform from -0.05 to 0.05, as Keras's embedding."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


@functools.cache
def normal_of(deviation: float) -> nn.initializers.Initializer:
    """An initializer: normal, of this standard deviation. The same one each time, as `uniform_within`."""
    return nn.initializers.normal(deviation)


@functools.cache
def uniform_within(width: float) -> nn.initializers.Initializer:
    """An initializer: uniform from -width to width. The same one each time, so that modules that have it are equal."""

    def initial(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "..."]:
        return jax.random.uniform(key, shape, dtype, -width, width)

    return initial


def given_table(table: Float[np.ndarray | Array, "v d"]) -> nn.initializers.Initializer:
    """An initializer that starts from `table`, say of trained word vectors.

    Raises:
        ValueError: on use, the parameter has another shape.
    """

    def initial(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "v d"]:
        if tuple(shape) != np.shape(table):
            raise ValueError(
                f"the table given has {' x '.join(map(str, np.shape(table)))} numbers, the embedding wants "
                f"{' x '.join(map(str, shape))}: give one row for each entry of the vocabulary"
            )
        return jnp.asarray(table, dtype)

    return initial


class Embedding(nn.Module):
    """Rows of a table; parameter table [vocabulary_size, features].

    On padding an id may be anything: it is read as 0, and the row has no gradient from there where the layer that takes
    the result is given the mask too, or takes `vectors`.

    Attributes:
        initial: What the table starts as; `given_table` for one that is there already.
    """

    vocabulary_size: int
    features: int
    initial: nn.initializers.Initializer = small_uniform

    def setup(self) -> None:
        self.table = self.param("table", self.initial, (self.vocabulary_size, self.features), jnp.float32)

    def __call__(self, tokens: Int[Array, "b t"], *, mask: Bool[Array, "b t"] | None = None) -> Lookup:
        """The vectors of tokens, not yet looked up, for a layer that may know a cheaper way."""
        return Lookup(tokens if mask is None else jnp.where(mask, tokens, 0), self.table, self.features)

    def vectors(
        self, tokens: Int[Array, "b t"], *, mask: Bool[Array, "b t"] | None = None
    ) -> Float32[Array, "b t {self.features}"]:
        """The vectors themselves; zeros where the mask is False."""
        rows = self(tokens, mask=mask).vectors()
        return rows if mask is None else jnp.where(mask[:, :, None], rows, 0)
