"""Metrics over a whole split, in one pass."""

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from jaxseq.metrics.meter import Meter
from jaxseq.metrics.metric import Metric, with_derived
from jaxseq.ops.objective import LossFn
from jaxseq.sharding import SHARDED, STACKED_SHARDED, DataParallel
from jaxseq.signals import Poll, never
from jaxseq.training.dispatch import TrainLoader, compile_evaluation, stack_batches
from jaxseq.training.state import PyTree

Evaluate = Callable[[PyTree, bool], Mapping[str, float]]
"""(variables, whole) -> metrics on the validation split, "loss" among them; on all of it where `whole` is True."""


class Evaluator:
    """Runs `loss_fn` without training over the batches of a loader; compiled once, used as often as needed.

    Args:
        parallel: devices that share a batch, see `choose_devices`.
        metrics: those that follow from the loss are given beside the means.
        counted: what the loss is the mean of.
        steps_per_dispatch: batches to one call of the compiled function.
    """

    def __init__(
        self,
        loss_fn: LossFn,
        *,
        parallel: DataParallel,
        metrics: Sequence[Metric] = (),
        counted: str = "tokens",
        steps_per_dispatch: int = 10,
    ) -> None:
        self._parallel, self._metrics, self._counted = parallel, metrics, counted
        self._most = steps_per_dispatch
        self._run = compile_evaluation(loss_fn, parallel=parallel, most=steps_per_dispatch)

    def __call__(
        self, variables: PyTree, loader: TrainLoader, *, steps: int, carry: PyTree = None, poll: Poll = never
    ) -> dict[str, float]:
        """Mean of each tally over batches 0 to `steps`, and what metrics make of the loss.

        Beside them, under the name `counted`, an int: how many the loss is the mean of.

        Args:
            carry: what enters the first batch, and is handed on from batch to batch; None begins anew in each.
            poll: called before each call of the compiled function.
        """
        variables, carry = self._parallel.put_named(variables), self._parallel.put(carry, SHARDED)
        rows = self._parallel.own_rows(loader.batch_size) if self._parallel.spread else None
        meter, waiting = Meter(), None
        for step in range(0, steps, self._most):
            if rows is not None:  # the poll asks the other processes
                jax.block_until_ready(waiting)
            poll()
            count = min(self._most, steps - step)
            batches = stack_batches(loader, step, count, self._most, rows=rows)
            batches = self._parallel.put_rows(batches, STACKED_SHARDED)
            carry, tallies = self._run(variables, carry, batches, np.int32(count))
            if waiting is not None:  # one call behind, so that the devices never wait for the host
                meter.add(jax.device_get(waiting))
            waiting = tallies
        if waiting is not None:
            meter.add(jax.device_get(waiting))
        means = with_derived(meter.means(), self._metrics)
        return {**means, self._counted: round(meter.count("loss"))} if means else {}
