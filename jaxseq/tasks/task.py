"""What all tasks have in common."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxseq.data.batching import Loader

LossFn = Callable[..., tuple[dict[str, Any], Any]]
"""(params, carry, batch, key, train) -> (tallies, carry), as `jaxseq.training.step` takes it."""


class Evaluation(NamedTuple):
    """A pass over a split: what is measured, on which batches."""

    loss: LossFn
    loader: Loader
    initial_carry: Callable[[], Any] = lambda: None
    """What enters the first batch, and is handed on; None begins anew in each."""
