"""What the host knows of a run and a checkpoint must hold beside the arrays, so that a resumed run is the same run."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxseq.errors import CheckpointError
from jaxseq.metrics.meter import Meter
from jaxseq.metrics.metric import Metric, with_derived
from jaxseq.ops.losses import Tally
from jaxseq.training.step import LEARNING_RATE, SKIPPED


class DivergedError(Exception):
    """Too many batches in a row were skipped."""


@dataclasses.dataclass
class RunRecord:
    """Counts and records of a run up to one step. JSON in, JSON out, nothing lost."""

    meter: Meter = dataclasses.field(default_factory=Meter)
    """Tallies since the last row of metrics."""
    learning_rate: float | None = None
    """Of the last update since that row."""
    skipped: int = 0
    """Batches skipped because of a non-finite loss or gradient."""
    skipped_in_a_row: int = 0
    best_value: float | None = None
    """Best value so far of the validation metric that selects checkpoints."""
    best_step: int = 0
    stale: int = 0
    """Evaluations since the best one."""
    good_step: int = 0
    """Step of the last regular checkpoint after which a batch was finite: what a run that diverges goes back to."""
    candidate: int = 0
    """Step of the last regular checkpoint."""
    rollbacks: int = 0
    """Times it did."""

    def add(self, tallies: Mapping[str, Tally], *, max_nonfinite: int) -> None:
        """Enters the tallies of several steps (arrays on the host, an entry a step).

        Raises:
            DivergedError: `max_nonfinite` batches in a row have been skipped.
        """
        for skipped in np.asarray(tallies[SKIPPED].total) > 0:
            self.skipped += int(skipped)
            self.skipped_in_a_row = self.skipped_in_a_row + 1 if skipped else 0
            if not skipped:  # the parameters in that checkpoint are sound
                self.good_step = self.candidate
            if self.skipped_in_a_row >= max_nonfinite:
                raise DivergedError
        rates = tallies[LEARNING_RATE]
        made = np.flatnonzero(rates.count)
        if made.size:
            self.learning_rate = float(np.asarray(rates.total)[made[-1]])
        self.meter.add({name: tally for name, tally in tallies.items() if name not in (LEARNING_RATE, SKIPPED)})

    def close_interval(self, metrics: Sequence[Metric]) -> dict[str, float | int]:
        """Metrics since the last call: means of the tallies and what `metrics` make of the loss, the last learning
        rate, batches skipped in the whole run.

        "gradient_norm" is the mean over the updates, before clipping.
        """
        row: dict[str, float | int] = dict(with_derived(self.meter.means(), metrics))
        if self.learning_rate is not None:
            row[LEARNING_RATE] = self.learning_rate
        row[SKIPPED] = self.skipped
        self.meter, self.learning_rate = Meter(), None
        return row

    def judge(self, value: float, step: int, metric: Metric) -> bool:
        """Enters a validation `value` of `metric`; whether it is the best so far. NaN never is."""
        better = metric.is_better(value, self.best_value)
        if better:
            self.best_value, self.best_step, self.stale = value, step, 0
        else:
            self.stale += 1
        return better

    def to_json(self) -> dict[str, Any]:
        """The record, JSON-ready."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "meter": self.meter.to_json()}

    @classmethod
    def from_json(cls, tree: Any) -> "RunRecord":
        """Inverse of `to_json`.

        Raises:
            CheckpointError: `tree` is not what that writes.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        if isinstance(tree, dict) and _OLD_NAME in tree and "best_value" not in tree:
            best = tree[_OLD_NAME]
            tree = {name: value for name, value in tree.items() if name != _OLD_NAME}
            tree["best_value"] = None if best == math.inf else best
        if not isinstance(tree, dict) or not set(tree) <= set(known):
            raise CheckpointError(f'the entry "training" of the checkpoint is none that a run writes: {_REMEDY}')
        for name, value in tree.items():
            fits = _is_meter(value) if name == "meter" else _is_like(value, known[name].default)
            if not fits:
                raise CheckpointError(f'the entry "training" of the checkpoint says {name} {value!r:.80}: {_REMEDY}')
        return cls(**{**tree, "meter": Meter(tree.get("meter"))})


_REMEDY = "start anew with --fresh"
_OLD_NAME = "best_loss"
"""Of `best_value` in checkpoints of version 1, infinite where there was none."""


def _is_meter(value: Any) -> bool:
    """Whether `value` maps names to pairs of numbers."""
    if not isinstance(value, dict):
        return False
    return all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in value.values())


def _is_like(value: Any, default: Any) -> bool:
    """Whether a field whose default is a count, a number or None may hold `value`."""
    if type(default) is int:
        return type(value) is int and 0 <= value < 2**63
    return _is_number(value) or (default is None and value is None)


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 2**63)
