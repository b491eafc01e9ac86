"""What a loss function is given, and what it gives."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jaxtyping import Int, PRNGKeyArray

from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array

Tallies = dict[str, Tally]


@dataclass(frozen=True)
class LossContext:
    """What a loss may know beside variables, carry and batch. Outside of training both fields are None."""

    step: Int[Array, ""] | None = None
    """Batches seen before this one."""
    key: PRNGKeyArray | None = None
    """Random key of this step."""

    @property
    def train(self) -> bool:
        """Whether the parameters are to be moved by it."""
        return self.key is not None

    def rngs(self, *names: str) -> dict[str, PRNGKeyArray] | None:
        """A random stream for each of `names`, as Flax's `apply` takes them; None outside of training.

        That of "dropout" is the key itself; the others are folded into it by name.
        """
        if self.key is None:
            return None
        return {n: self.key if n == "dropout" else jax.random.fold_in(self.key, zlib.crc32(n.encode())) for n in names}


EVALUATION = LossContext()
"""That of a loss outside of training."""


class LossOutput(NamedTuple):
    """What a loss function gives."""

    tallies: Tallies
    """Sums and counts by name; that of "loss" is minimised."""
    carry: Any = None
    """What enters the next batch; None where every batch begins anew."""
    collections: Mapping[str, Any] = {}
    """New values of variables that are no parameters, by collection (Flax's `mutable`); others stay as they are."""


LossFn = Callable[[Mapping[str, Any], Any, Any, LossContext], LossOutput]
"""(variables, carry, batch, context) -> LossOutput; variables are {"params": ...} and other collections."""
