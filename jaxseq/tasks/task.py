"""What all tasks have in common."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxseq.data.batching import Loader
from jaxseq.metrics.metric import Metric
from jaxseq.ops.objective import LossFn


class Evaluation(NamedTuple):
    """A pass over a split: what is measured, on which batches."""

    loss: LossFn
    loader: Loader
    metrics: Sequence[Metric] = ()
    """What follows from the loss."""
    initial_carry: Callable[[], Any] = lambda: None
    """What enters the first batch, and is handed on; None begins anew in each."""
