"""How signatures say shapes: `Float[Array, "b t d"]` is an array of floats with one axis for each letter (jaxtyping).

| letter | axis                                                                |
|--------|---------------------------------------------------------------------|
| b      | batch: rows                                                         |
| t      | time                                                                |
| s      | source time: what is looked at                                      |
| d      | features                                                            |
| f      | features given out: a kernel is [d, f], a recurrent state [b, f]    |
| g      | gates of a recurrent cell side by side, f numbers each              |
| v      | vocabulary                                                          |
| h      | heads                                                               |
| k      | width of a head                                                     |
| n      | items that have nothing to do with one another                      |

A letter, or a word in its place, is one size throughout a signature. `*n` stands for any number of axes, `#b` for b or
1, `_` for any size, `{count}` for the value of that argument; no letters are a scalar.

Docstrings write a picture [h, w, d], height, width and channels; in signatures its axes in space are `*n`, so that
what stands there goes for one axis too.

All this costs nothing in use. Under tests every call is checked (tests/conftest.py); fields of named tuples say their
shapes too and are not checked, for JAX puts other things there on its way through a tree.
"""

from typing import TYPE_CHECKING

import jax
import jax.export
import numpy as np

if TYPE_CHECKING:
    from jax import Array
else:
    # Outside of jit NumPy's arrays come in as they are, and where nothing is to be done go out so.
    Array = jax.Array | np.ndarray

__all__ = ["Array", "is_open"]


def is_open(*sizes: int) -> bool:
    """Whether any of the sizes is a symbol of `jax.export`, which stands for all sizes from 1 on.

    Where a size decides how something is computed, an open one takes the way that is right for all.
    """
    return any(map(jax.export.is_symbolic_dim, sizes))
