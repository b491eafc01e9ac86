"""A cell that is not in the house and has no backward pass by hand: the minimal gated unit (Zhou et al. 2016)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxseq.nn.recurrent import RecurrentLayer
from jaxseq.ops.cells import AutodiffCell


@dataclass(frozen=True)
class MinimalGatedCell(AutodiffCell):
    """f = sigmoid(projected + h W);  g = tanh(projected + (f h) W);  h' = (1 - f) h + f g."""

    GATES: ClassVar[tuple[str, ...]] = ("forget", "candidate")
    STATE: ClassVar[tuple[str, ...]] = ("h",)

    def advance(self, weights, projected, state, h):
        forget_kernel, candidate_kernel = jnp.split(weights.kernel.astype(jnp.float32), 2, axis=-1)
        x_forget, x_candidate = jnp.split(projected, 2, axis=-1)
        forget = jax.nn.sigmoid(x_forget + h @ forget_kernel)
        candidate = jnp.tanh(x_candidate + (forget * h) @ candidate_kernel)
        return ((1 - forget) * state[0] + forget * candidate,)


class MinimalGated(RecurrentLayer):
    """The layer of that cell; all it takes to have one."""

    def cell(self):
        return MinimalGatedCell()
