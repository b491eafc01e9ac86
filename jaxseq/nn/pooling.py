"""Pooling layers: x [b, t, d] and a mask, False on padding, to one vector a row.

A row without a real token gives zeros. What each does stands in `ops.pooling`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxseq.ops import pooling
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.shapes import Array


class Pooling(nn.Module):
    """One of the poolings without parameters."""

    function: Callable[[Array, Array | None], Array]

    def __call__(self, x: Float[Array, "b t d"], *, mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
        """Of the type of x."""
        return self.function(x, mask)


class AttentionPooling(nn.Module):
    """The mean of the real tokens, each weighed by the softmax of its product with a learned query.

    Parameter: query [d], divided by sqrt(d) in use. It starts at zero: as the plain mean.
    """

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], *, mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b d"]:
        """Of the type of x. A real token that is not finite gives NaN to its row."""
        query = self.param("query", nn.initializers.zeros, x.shape[-1:], jnp.float32)
        kept = x if mask is None else jnp.where(mask[:, :, None], x, 0)
        kept, sound = finite_rows(kept)
        scores = jnp.einsum("btd,d->bt", kept, query, preferred_element_type=jnp.float32) * x.shape[-1] ** -0.5
        return poison(pooling.attention(kept, scores, mask), sound.all(axis=1, keepdims=True))


class Flatten(nn.Module):
    """The vectors of all tokens one after the other, zeros for padding: a place for each step of the longest text.

    Attributes:
        length: Steps of that text; shorter batches are filled up.
        padding: The side on which they are.
    """

    length: int
    padding: Literal["pre", "post"] = "post"

    def __call__(self, x: Float[Array, "b t d"], *, mask: Bool[Array, "b t"] | None = None) -> Float[Array, "b n"]:
        """Of the type of x, [b, length * d].

        Raises:
            ValueError: x has more steps.
        """
        missing = self.length - x.shape[1]
        if missing < 0:
            raise ValueError(f"texts of {x.shape[1]} tokens do not go into the {self.length} places there are for them")
        kept = x if mask is None else jnp.where(mask[:, :, None], x, 0)
        filled = (missing, 0) if self.padding == "pre" else (0, missing)
        return jnp.pad(kept, ((0, 0), filled, (0, 0))).reshape(x.shape[0], -1)


POOLINGS: Mapping[str, Callable[..., nn.Module]] = {
    "sum": partial(Pooling, pooling.summed),
    "mean": partial(Pooling, pooling.mean),
    "sqrt_mean": partial(Pooling, pooling.sqrt_mean),
    "max": partial(Pooling, pooling.maximum),
    "first": partial(Pooling, pooling.first),
    "last": partial(Pooling, pooling.last),
    "ends": partial(Pooling, pooling.ends),
    "attention": AttentionPooling,
    "flatten": Flatten,
}
"""By the name a config has; `POOLINGS[name]()` is the layer, which takes a name in its module; of "flatten" the length
too."""
