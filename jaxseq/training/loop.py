"""The training loop: from a state and a loader to a trained state, with everything on disk that going on needs.

Steps run several to a call; the next batches are stacked and the last results read while the devices compute. Where
something is due (`jaxseq.training.intervals`) the order is: row of metrics, evaluation, checkpoint. So a checkpoint
has all rows of its step behind it, and in it.

A run that was killed goes on from its newest checkpoint and does again what came after, on as many devices as it was
begun with. metrics.csv becomes what the checkpoint holds of it, and nothing hangs on the clock, on the process, or on
where it was stopped: parameters, optimizer state, carry and metrics end bit-identical to those of a run left alone. On
a GPU that needs deterministic kernels too: XLA_FLAGS=--xla_gpu_deterministic_ops=true.

Several processes go through all of this in step, each with its own rows of every batch. What they decide by is the same
in each: sums over all of them, and what process 0 has measured. It alone writes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxseq import processes
from jaxseq.config import TrainConfig
from jaxseq.errors import CheckpointError, InputError
from jaxseq.metrics.metric import Metric, choose_metric
from jaxseq.ops.objective import LossFn, Tallies
from jaxseq.reporting.reporter import Reporter, Silent
from jaxseq.signals import Stopped, StopRequest, own_unless
from jaxseq.storage.checkpoint import CheckpointStore, Restored
from jaxseq.storage.metrics_file import METRICS_CSV, MetricsFile
from jaxseq.training.devices import choose_devices, put_state
from jaxseq.training.dispatch import TrainLoader, compile_training, stack_batches
from jaxseq.training.evaluate import Evaluate
from jaxseq.training.intervals import Intervals
from jaxseq.training.nonfinite import explain_nonfinite
from jaxseq.training.optim import Optimizer
from jaxseq.training.run_record import DivergedError, RunRecord
from jaxseq.training.state import PyTree, TrainState
from jaxseq.training.step import SKIPPED
from jaxseq.training.stopping import StopTogether

DEVICES = "devices"
"""Entry of a checkpoint's meta: how many devices shared a batch."""
EVALUATION_DUE = "evaluation_due"
"""Entry of a checkpoint's meta: whether the evaluation at its step was left, and is to be made before going on."""
LOSS = Metric("loss")


class Result(NamedTuple):
    """How a run ended."""

    state: TrainState
    step: int
    stopped: Literal["finished", "early", "signal"]
    """At the last step, because validation got no better, or by a signal."""
    signal: Signals | None
    validation: Mapping[str, float] | None
    """Metrics of the last evaluation; None where there was none in this process."""
    best_value: float | None
    """Best value of the validation metric that selects checkpoints, of the whole run; None where there was none."""
    best_step: int

    @property
    def exit_code(self) -> int:
        """0 at the end and after SIGTERM or SIGHUP, which asked for just this; 130 after Ctrl-C, as shells expect."""
        return 130 if self.stopped == "signal" and self.signal == Signals.SIGINT else 0


class Training(NamedTuple):
    """What is trained."""

    loss_fn: LossFn
    state: TrainState
    """From `init_state`; copied, so it stays usable."""
    loader: TrainLoader
    optimizer: Optimizer
    evaluate: Evaluate | None = None
    """Called where the configuration asks for it; None trains without validation."""
    metrics: Sequence[Metric] = (LOSS,)
    """What is measured, a column each in metrics.csv. The one that `TrainConfig.metric` names, or the first, selects
    the best checkpoint and is what `TrainConfig.patience` waits for."""


class Storage(NamedTuple):
    """Where a run is kept."""

    run_dir: Path
    """Gets metrics.csv."""
    store: CheckpointStore
    meta: Mapping[str, Any] = {}
    """Goes into every checkpoint, beside "training", "devices" and "evaluation_due", which are the loop's."""
    files: Mapping[str, str | bytes] = {}
    """Small files that go into every checkpoint, by name."""


def fit(
    training: Training,
    storage: Storage,
    config: TrainConfig,
    *,
    reporter: Reporter | None = None,
    stop: StopRequest | StopTogether | None = None,
) -> Result:
    """Trains from the state given, or from the newest checkpoint in the store, to the end or until it is told to stop.

    Writes checkpoints and metrics.csv. SIGTERM, SIGHUP and Ctrl-C end the run with a checkpoint after the steps under
    way; a second Ctrl-C ends it at once. An evaluation that raises `Stopped` is made anew when the run goes on.

    Args:
        reporter: told what happens; of several processes give it to one.
        stop: what signals are noted by, entered; by default one of its own.

    Raises:
        InputError: a setting cannot work here, something cannot be written, or the run keeps diverging.
    """
    if config.patience and training.evaluate is None:
        raise InputError(f"train.patience is {config.patience} and there is no validation split: set it to 0")
    reporter = reporter or Silent()
    columns = [metric.name for metric in training.metrics]
    file = MetricsFile(storage.run_dir / METRICS_CSV, columns, say=reporter.say)
    run = _Run(training, storage, config, reporter, file)
    try:
        if isinstance(stop, StopTogether):
            return run.go(stop)
        with own_unless(stop) as request:
            return run.go(StopTogether(request))
    finally:
        reporter.close()


def begin(training: Training, storage: Storage, config: TrainConfig) -> None:
    """Saves what `fit` begins with, the checkpoint of step 0, in a store without any: `fit` then goes on from there.

    Raises:
        InputError: a setting cannot work here, or something cannot be written.
    """
    columns = [metric.name for metric in training.metrics]
    _Run(training, storage, config, Silent(), MetricsFile(storage.run_dir / METRICS_CSV, columns)).begin()


@dataclasses.dataclass
class _Run:
    training: Training
    storage: Storage
    config: TrainConfig
    reporter: Reporter
    file: MetricsFile

    def __post_init__(self) -> None:
        self.state, self.loader = self.training.state, self.training.loader
        self.selecting = choose_metric(self.training.metrics, self.config.metric)
        self.template = jax.eval_shape(lambda: self.state)
        self.writes = processes.writes()
        self.restored = self.restore()
        model = self.config.model_devices
        self.parallel, note = choose_devices(self.devices_wanted(), self.loader.batch_size, model=model)
        self.rows = self.parallel.own_rows(self.loader.batch_size) if self.parallel.spread else None
        if note:
            self.reporter.say(note)
        self.intervals = Intervals.of(self.config, self.loader.steps_per_epoch, uniform=self.loader.uniform)
        self.compiled = compile_training(
            self.training.loss_fn, self.training.optimizer, parallel=self.parallel, most=self.intervals.most
        )
        self.step, self.saved, self.record, self.due = 0, -1, RunRecord(), False
        self.validation: Mapping[str, float] | None = None

    def restore(self, *, up_to: int | None = None) -> Restored | None:
        """The newest checkpoint, which must be the same one in every process."""
        restored = processes.together(lambda: self.storage.store.restore(self.template, up_to=up_to))
        found = "none" if restored is None else f"step {restored.step}"
        processes.require_equal(
            found, f"the newest checkpoint ({found} here)", "give all of them one run directory, on a shared disk"
        )
        return restored

    def devices_wanted(self) -> int:
        """Devices of each process to train on: as many as the run was begun with, for sums and dropout depend on their
        number."""
        if self.restored is None or self.config.devices:
            return self.config.devices
        begun_with, there = self.restored.meta.get(DEVICES), len(jax.devices())
        if type(begun_with) is not int or begun_with < 1:
            raise CheckpointError(
                f"the checkpoint of step {self.restored.step} was made on {begun_with!r} devices, which cannot be: "
                "start anew with --fresh"
            )
        if begun_with > there:
            self.reporter.say(
                f"this run was begun on {begun_with} devices, there are {there}: its figures will not be, to the last "
                "bit, those of a run left alone"
            )
        return min(begun_with, there) // processes.count()

    def go(self, stop: StopTogether) -> Result:
        restored, self.restored = self.restored, None
        if restored is None:
            self.begin()
        else:
            for line in restored.skipped:
                self.reporter.say(f"skipped a checkpoint: {line}")
            self.adopt(restored)
            if self.writes:
                self.storage.store.tidy(self.spare | {self.step})
            self.reporter.say(f"going on from step {self.step}")
        self.reporter.begin(self.step, self.intervals.total)
        if self.due:
            self.due, self.saved = False, -1
            self.halt()
        while self.step < self.intervals.total and not self.exhausted and not self.due and stop.signal is None:
            try:
                self.advance(stop)
                self.halt()
            except DivergedError:
                self.go_back()
        if self.saved != self.step:
            self.save(regular=False)
        told = self.due or stop.signal is not None
        stopped = "signal" if told else "finished" if self.step == self.intervals.total else "early"
        self.say_how_it_ended(stopped)
        best_value, best_step = self.record.best_value, self.record.best_step
        return Result(self.state, self.step, stopped, stop.signal, self.validation, best_value, best_step)

    def begin(self) -> None:
        """Saves the checkpoint of step 0."""
        self.state = put_state(self.parallel, self.state)
        if self.writes:
            self.file.cut(-1)
        self.save()

    def say_how_it_ended(self, stopped: Literal["finished", "early", "signal"]) -> None:
        if stopped == "signal":
            self.reporter.say(f"stopped at step {self.step} and saved: the same command goes on from there")
        if stopped == "early":
            # They stay in the checkpoint: an update now would be one that was never evaluated.
            left = self.step % self.training.optimizer.accumulate
            note = f"; the gradients of the last {left} batches, too few for an update, are not used" if left else ""
            self.reporter.say(
                f"no better validation {self.selecting.name} since step {self.record.best_step}: stopped at step "
                f"{self.step}{note}"
            )
        params = jax.tree.leaves(jax.device_get(self.parallel.local(self.state.params)))
        if stopped == "finished" and not all(np.isfinite(leaf).all() for leaf in params):
            self.reporter.say(
                "the parameters after the last update are not finite: lower optimizer.learning_rate, or set "
                "optimizer.clip_norm"
            )

    @property
    def exhausted(self) -> bool:
        """Whether validation has not improved for as long as the run may wait."""
        return 0 < self.config.patience <= self.record.stale

    def advance(self, stop: StopTogether) -> None:
        """Runs steps up to the next evaluation or checkpoint, or until told to stop, and enters their results."""
        end = self.intervals.halt_after(self.step)
        waiting: tuple[int, int, Tallies] | None = None
        batches = self.stacked()
        while batches is not None:
            count = self.intervals.count_after(self.step)
            self.state, tallies = self.compiled(self.state, stop.asking(batches, self.parallel), np.int32(count))
            self.step += count
            batches = self.stacked() if self.step < end and stop.signal is None else None
            if waiting is not None:
                self.enter(*waiting, stop)
            waiting = (self.step, count, tallies)
            if self.config.debug_nonfinite:
                self.explain(tallies)
        if waiting is not None:
            self.enter(*waiting, stop)

    def stacked(self) -> PyTree:
        """The batches of the next call, on the host."""
        count, most = self.intervals.count_after(self.step), self.intervals.most
        return stack_batches(self.loader, self.step, count, most, rows=self.rows)

    def enter(self, step: int, count: int, tallies: Tallies, stop: StopTogether) -> None:
        """Reads the results of the `count` steps up to `step`, which waits for them, and writes a row where due."""
        tallies = jax.tree.map(lambda values: values[:count], stop.answered(jax.device_get(tallies)))
        self.record.add(tallies, max_nonfinite=self.config.max_nonfinite)
        loss = tallies["loss"]
        total, tokens = (float(np.sum(part, dtype=np.float64)) for part in loss)
        self.reporter.advance(step, total / tokens if tokens else float("nan"), tokens)
        if self.intervals.logs_at(step):
            self.row(step, "train", self.record.close_interval(self.training.metrics))

    def halt(self) -> None:
        """Evaluates and saves, where due. An evaluation that is stopped stays due."""
        better = False
        if self.training.evaluate is not None and self.intervals.evaluates_at(self.step):
            before = dataclasses.replace(self.record)
            try:
                self.validation = self.evaluated(self.training.evaluate, whole=False)
                better = self.record.judge(self.validation[self.selecting.name], self.step, self.selecting)
                over = self.exhausted or self.step == self.intervals.total
                if over and self.config.evaluate_batches:
                    self.validation = self.evaluated(self.training.evaluate, whole=True)
            except Stopped:
                self.record, self.due, self.saved = before, True, -1
                return
            self.row(self.step, "validation", self.validation)
        if better or self.intervals.saves_at(self.step):
            self.save(best=better)

    def evaluated(self, evaluate: Evaluate, *, whole: bool) -> Mapping[str, float]:
        """Metrics on the validation split, those of process 0 in every one."""
        return processes.of_first(evaluate(self.parallel.local(self.state.trained), whole))

    def row(self, step: int, split: str, values: Mapping[str, float]) -> None:
        row = {"step": step, "epoch": round(step / self.loader.steps_per_epoch, 4), "split": split, **values}
        if self.writes:
            self.file.append(row)
        self.reporter.row(row)

    @property
    def spare(self) -> set[int]:
        """Steps whose checkpoints may be gone back to."""
        return {self.record.good_step, self.record.candidate}

    def save(self, *, best: bool = False, regular: bool = True) -> None:
        """Saves a checkpoint; one that is not regular is never gone back to, as a run left alone would not have it."""
        if regular and not self.record.skipped_in_a_row:
            self.record.candidate = self.step
        arrays = self.parallel.local(self.state)
        if self.writes:
            self.file.sync()
            meta = {**self.storage.meta, "training": self.record.to_json(), DEVICES: self.parallel.mesh.size}
            meta |= {EVALUATION_DUE: True} if self.due else {}
            files = {**self.storage.files, METRICS_CSV: self.file.content}
            self.storage.store.save(self.step, arrays, meta, files=files, best=best, spare=self.spare)
        self.saved = self.step

    def adopt(self, restored: Restored) -> None:
        """Takes a checkpoint's place in the run."""
        self.state = put_state(self.parallel, restored.arrays)
        self.step = self.saved = restored.step
        self.due = bool(restored.meta.get(EVALUATION_DUE, False))
        self.record = RunRecord.from_json(restored.meta.get("training"))
        if not self.writes:
            return
        if METRICS_CSV in restored.files:
            self.file.restore(restored.files[METRICS_CSV].decode("utf-8", "replace"), self.step)
        else:
            self.recover()

    def recover(self) -> None:
        """Takes up what metrics.csv has, after a checkpoint of a version whose checkpoints did not hold the rows."""
        there = {(int(row["step"]), row["split"]) for row in self.file.cut(self.step)}
        steps = range(1, self.step + 1)
        due = {(step, "train") for step in steps if self.intervals.logs_at(step)}
        if self.training.evaluate is not None:
            due |= {(step, "validation") for step in steps if self.intervals.evaluates_at(step)}
        if lost := len(due - there):
            self.reporter.say(
                f"{METRICS_CSV} lacks {lost} of the {len(due)} rows up to step {self.step}, missing or damaged; this "
                "checkpoint, of an earlier version, does not hold them: they are left out"
            )

    def go_back(self) -> None:
        """Restores the last good checkpoint and halves the learning rate."""
        limit, rollbacks, good = self.config.max_nonfinite, self.record.rollbacks + 1, self.record.good_step
        what = f"loss or gradient of {limit} batches in a row, before step {self.step}, was not finite"
        if rollbacks > self.config.max_rollbacks:
            raise InputError(
                f"{what}; train.max_rollbacks ({rollbacks - 1}) is used up: lower optimizer.learning_rate, set "
                "optimizer.clip_norm, or find the cause with --train.debug-nonfinite"
            )
        jax.block_until_ready(self.state)  # the processes speak to each other when no step is under way
        restored = self.restore(up_to=good)
        if restored is None:
            raise InputError(f"{what}, and the checkpoint of step {good} to go back to is gone: start anew")
        for line in restored.skipped:
            self.reporter.say(f"skipped a checkpoint: {line}")
        self.adopt(restored)
        self.record.rollbacks, self.record.skipped_in_a_row = rollbacks, 0
        scale = 0.5**rollbacks
        self.state = self.state._replace(lr_scale=self.parallel.put(np.float32(scale)))
        self.reporter.say(f"{what}: back to the checkpoint of step {self.step}, with {scale:g} of the learning rate")
        self.reporter.begin(self.step, self.intervals.total)

    def explain(self, tallies: Tallies) -> None:
        """Where the step just run was skipped, stops the run with the reason."""
        if np.any(jax.device_get(tallies[SKIPPED].total)):
            # A skipped step leaves parameters and carry as they were: only the step is to be set back.
            before = jax.device_get(self.state)._replace(step=np.int32(self.step - 1))
            told = explain_nonfinite(self.training.loss_fn, before, self.loader(self.step - 1), self.parallel.shares)
            raise InputError(f"loss or gradient is not finite at step {self.step}: {told}")
