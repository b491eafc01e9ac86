"""The training loop: exact resume, stopping, going back, early stopping, what it writes."""

import functools
import os
import signal

import jax
import numpy as np
import pytest
from toy_training import ROWS, ToyLoader, assert_same, loss_fn, toy_layout, toy_optimizer, toy_state

from jaxseq.config import TrainConfig
from jaxseq.errors import InputError
from jaxseq.training import loop
from jaxseq.training.checkpoint import CheckpointStore
from jaxseq.training.loop import fit
from jaxseq.training.metrics import read_metrics
from jaxseq.training.report import Silent

TOTAL = 13
PLAN = {"steps": TOTAL, "log_every": 5, "checkpoint_every": 4, "evaluate_every": 6, "steps_per_dispatch": 2}


make_optimizer = functools.cache(toy_optimizer)


@pytest.fixture(autouse=True, scope="module")
def compiled_once():
    """The many runs of this module share what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "compile_training", functools.cache(loop.compile_training))
        yield


class Crash(Exception):
    """Stands for a SIGKILL: nothing after it runs."""


class Notes(Silent):
    """Remembers what it was told."""

    def __init__(self):
        self.said = []
        self.begun = []

    def say(self, text):
        self.said.append(text)

    def begin(self, step, total):
        self.begun.append(step)


def norm_as_loss(params, whole):
    """A validation loss that goes up and down in a known way: the largest weight."""
    return {"loss": float(np.abs(params["kernel"]).max()), "accuracy": 1.0 if whole else 0.5}


def run(directory, *, loader=None, evaluate=norm_as_loss, options=None, notes=None, loss=loss_fn, **plan):
    """A toy run in `directory`."""
    config = TrainConfig(**{**PLAN, "devices": 1, **plan})
    toy_layout(config.devices)
    optimizer = make_optimizer(config.steps, warmup_steps=3, schedule="cosine", **(options or {"accumulate": 3}))
    return fit(
        loss,
        toy_state(optimizer),
        loader or ToyLoader(),
        optimizer=optimizer,
        config=config,
        run_dir=directory,
        store=CheckpointStore(directory / "checkpoints"),
        evaluate=evaluate,
        reporter=notes,
    )


def assert_same_run(directory, result, other_directory, other):
    assert_same(jax.device_get(result.state), jax.device_get(other.state))
    assert (directory / "metrics.csv").read_bytes() == (other_directory / "metrics.csv").read_bytes()
    assert (result.best_loss, result.best_step) == (other.best_loss, other.best_step)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run that nothing disturbed, on one device and on two."""
    runs = {}
    for devices in (1, 2):
        directory = tmp_path_factory.mktemp(f"unbroken{devices}")
        runs[devices] = (directory, run(directory, devices=devices))
    return runs


class CrashingLoader(ToyLoader):
    """Crashes when asked for one batch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def __call__(self, step, /):
        if step == self.at:
            raise Crash
        return super().__call__(step)


@pytest.mark.parametrize("at", range(TOTAL))
def test_a_run_killed_at_any_step_ends_as_one_never_killed(tmp_path, unbroken, at):
    with pytest.raises(Crash):
        run(tmp_path, loader=CrashingLoader(at))
    assert_same_run(tmp_path, run(tmp_path), *unbroken[1])


def test_a_run_on_two_devices_killed_again_and_again_ends_as_one_never_killed(tmp_path, unbroken):
    for at in (5, 7, 12):
        with pytest.raises(Crash):
            run(tmp_path, loader=CrashingLoader(at), devices=2)
    assert_same_run(tmp_path, run(tmp_path, devices=2), *unbroken[2])


def test_a_run_killed_while_it_evaluates_ends_as_one_never_killed(tmp_path, unbroken):
    def crash(params, whole):
        raise Crash

    with pytest.raises(Crash):
        run(tmp_path, evaluate=crash)
    assert_same_run(tmp_path, run(tmp_path), *unbroken[1])


class StoppingLoader(ToyLoader):
    """Sends this process a signal when asked for one batch."""

    def __init__(self, at, number=signal.SIGTERM, **options):
        super().__init__(**options)
        self.at, self.number = at, number

    def __call__(self, step, /):
        if step == self.at:
            os.kill(os.getpid(), self.number)
        return super().__call__(step)


@pytest.mark.parametrize("at", [0, 3, 6, 12])
def test_sigterm_saves_and_the_run_goes_on_exactly(tmp_path, unbroken, at):
    before = signal.getsignal(signal.SIGTERM)
    stopped = run(tmp_path, loader=StoppingLoader(at))
    assert (stopped.stopped, stopped.exit_code) == ("signal", 0) or stopped.step == TOTAL
    assert stopped.step - at <= 4  # the steps under way, and no more
    assert CheckpointStore(tmp_path / "checkpoints").steps()[-1] == stopped.step
    assert signal.getsignal(signal.SIGTERM) == before
    assert_same_run(tmp_path, run(tmp_path), *unbroken[1])


def test_ctrl_c_leaves_with_130_and_a_second_one_at_once(tmp_path):
    notes = Notes()
    result = run(tmp_path, loader=StoppingLoader(3, signal.SIGINT), notes=notes)
    assert result.exit_code == 130
    assert notes.said[-1] == f"stopped at step {result.step} and saved: the same command goes on from there"

    def twice(params, whole):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return norm_as_loss(params, whole)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, evaluate=twice)


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_used(tmp_path, unbroken):
    run(tmp_path, loader=StoppingLoader(10))
    *_, before, newest = CheckpointStore(tmp_path / "checkpoints").steps()
    damaged = tmp_path / "checkpoints" / f"{newest:08d}" / "meta.json"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    notes = Notes()
    result = run(tmp_path, notes=notes)
    assert notes.said[0].startswith("skipped a checkpoint: ")
    assert f"{newest:08d}" in notes.said[0]
    assert notes.said[1] == f"going on from step {before}"
    assert_same_run(tmp_path, result, *unbroken[1])


def test_a_finished_run_is_left_as_it_is(tmp_path):
    first = run(tmp_path)
    rows = (tmp_path / "metrics.csv").read_bytes()
    again = run(tmp_path, loader=CrashingLoader(0))
    assert_same(jax.device_get(first.state), jax.device_get(again.state))
    assert (tmp_path / "metrics.csv").read_bytes() == rows


def test_rows_stand_where_the_plan_says_and_the_epoch_counts_passes(unbroken):
    directory, _ = unbroken[1]
    rows = read_metrics(directory / "metrics.csv")
    assert [(row["step"], row["split"]) for row in rows] == [
        ("5", "train"),
        ("6", "validation"),
        ("10", "train"),
        ("12", "validation"),
        ("13", "train"),
        ("13", "validation"),
    ]
    assert rows[1]["epoch"] == "1"
    assert rows[0]["skipped"] == "0"
    assert rows[1]["skipped"] == ""
    # Three batches to an update, three updates of warm-up: after 5 batches there has been one.
    assert float(rows[0]["learning_rate"]) == pytest.approx(0.05 / 3)


def test_a_row_holds_the_means_over_its_steps(unbroken, tmp_path):
    finer = run(tmp_path, log_every=1)
    directory, result = unbroken[1]
    assert_same(jax.device_get(finer.state), jax.device_get(result.state))
    losses = [float(row["loss"]) for row in read_metrics(tmp_path / "metrics.csv") if row["split"] == "train"]
    counts = [ToyLoader()(step)["mask"].sum() for step in range(TOTAL)]
    expected = np.dot(losses[:5], counts[:5]) / sum(counts[:5])
    assert float(read_metrics(directory / "metrics.csv")[0]["loss"]) == pytest.approx(expected, rel=1e-6)


def test_however_many_steps_go_into_a_dispatch_the_run_is_the_same(unbroken, tmp_path):
    result = run(tmp_path, steps_per_dispatch=4, log_every=13)
    assert_same(jax.device_get(result.state.step), np.int32(TOTAL))
    for a, b in zip(jax.tree.leaves(result.state), jax.tree.leaves(unbroken[1][1].state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_bad_batches_are_skipped_and_counted_and_nothing_else_happens(tmp_path):
    result = run(tmp_path, loader=ToyLoader(poisoned=(1, 2, 7)))
    rows = [row for row in read_metrics(tmp_path / "metrics.csv") if row["split"] == "train"]
    assert [row["skipped"] for row in rows] == ["2", "3", "3"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(result.state.params)))


def test_a_diverging_run_goes_back_with_half_the_learning_rate(tmp_path):
    notes, loader = Notes(), ToyLoader(poisoned=(5, 6, 7))
    seen = []

    class Healing(ToyLoader):
        def __call__(self, step, /):
            seen.append(step)
            cured = len(notes.begun) == 3  # once begun, twice gone back
            return ToyLoader()(step) if cured else loader(step)

    result = run(tmp_path, loader=Healing(), notes=notes, max_nonfinite=3, evaluate=None, options={"accumulate": 1})
    assert notes.begun == [0, 4, 4]
    assert "back to the checkpoint of step 4, with 0.5 of the learning rate" in notes.said[0]
    assert "with 0.25 of the learning rate" in notes.said[1]
    assert float(result.state.lr_scale) == 0.25
    assert result.step == TOTAL
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["step"] for row in rows] == ["5", "10", "13"]
    assert [row["skipped"] for row in rows] == ["0", "0", "0"]


def test_a_diverging_run_never_goes_back_to_where_it_was_told_to_stop(tmp_path):
    """A run that was left alone would have no checkpoint there, and the two must be the same."""
    poisoned = (7, 8, 9)
    stopped = run(tmp_path, loader=StoppingLoader(5, poisoned=poisoned), max_nonfinite=3, evaluate=None)
    assert stopped.step == 6
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun[:2] == [6, 4]


def test_all_steps_of_a_run_go_through_one_compiled_program(tmp_path):
    """However it is cut into dispatches, and when it has gone back to a checkpoint too."""
    traces, after_first = [], []

    def counted(params, carry, batch, key, train):
        traces.append(1)
        return loss_fn(params, carry, batch, key, train)

    class Watching(Notes):
        def advance(self, step, loss, tokens):
            after_first.append(len(traces))

    loader = ToyLoader(poisoned=(9, 10, 11))
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=loader, loss=counted, notes=Watching(), max_nonfinite=3, max_rollbacks=1, devices=2)
    assert len(after_first) >= 7
    assert len(traces) == after_first[0]


def test_a_run_that_keeps_diverging_ends_with_the_remedies(tmp_path):
    with pytest.raises(InputError, match=r"3 batches in a row.*max_rollbacks \(1\).*learning_rate.*debug-nonfinite"):
        run(tmp_path, loader=ToyLoader(poisoned=(5, 6, 7)), max_nonfinite=3, max_rollbacks=1)


def test_the_debug_switch_stops_at_the_first_bad_operation(tmp_path):
    with pytest.raises(
        InputError, match=r"not finite at step 8: infinity from log at .*toy_training.py:\d+ \(loss_fn\)"
    ):
        run(tmp_path, loader=ToyLoader(poisoned=(7,)), debug_nonfinite=True, devices=2)


def test_training_stops_when_validation_gets_no_better_and_stays_stopped(tmp_path):
    losses = iter([3.0, 2.0, 2.5, float("nan"), 1.0])
    notes = Notes()

    def evaluate(params, whole):
        return {"loss": next(losses)}

    result = run(tmp_path, evaluate=evaluate, evaluate_every=2, patience=2, notes=notes)
    assert (result.stopped, result.step, result.best_step, result.best_loss) == ("early", 8, 4, 2.0)
    assert notes.said == ["no better validation loss since step 4: stopped at step 8"]
    store = CheckpointStore(tmp_path / "checkpoints")
    opened = store.open("best")
    assert opened is not None
    assert opened[0].step == 4
    again = run(tmp_path, evaluate=evaluate, evaluate_every=2, patience=2)
    assert (again.stopped, again.step) == ("early", 8)


def test_the_last_evaluation_is_of_the_whole_split_and_the_best_is_chosen_by_like(tmp_path):
    asked = []

    def evaluate(params, whole):
        asked.append(whole)
        return {"loss": 9.0 if whole else 5.0 - len(asked)}

    result = run(tmp_path, evaluate=evaluate, evaluate_batches=1)
    assert asked == [False, False, False, True]
    assert result.validation == {"loss": 9.0}
    assert result.best_loss == 2.0
    assert float(read_metrics(tmp_path / "metrics.csv")[-1]["loss"]) == 9.0


def test_patience_without_validation_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"train\.patience is 2 and there is no validation split"):
        run(tmp_path, evaluate=None, patience=2)


def test_meta_and_files_go_into_every_checkpoint(tmp_path):
    optimizer = toy_optimizer(2)
    store = CheckpointStore(tmp_path)
    fit(
        loss_fn,
        toy_state(optimizer, carried=False),
        ToyLoader(),
        optimizer=optimizer,
        config=TrainConfig(steps=2, devices=1),
        run_dir=tmp_path,
        store=store,
        meta={"tokenizer": "abc"},
        files={"config.json": "{}"},
    )
    for step in (0, 2):
        opened = store.open(step)
        assert opened is not None
        assert opened[0].meta["tokenizer"] == "abc"
        assert opened[0].files == {"config.json": "{}"}


def test_a_batch_that_devices_cannot_share_equally_is_said_once(tmp_path):
    notes = Notes()
    run(tmp_path, devices=3, notes=notes, steps=2)
    assert notes.said == [f"a batch of {ROWS} does not divide among 3 devices: 2 will do the work"]


def test_a_run_goes_back_past_a_checkpoint_that_the_explosion_is_in(tmp_path):
    """Batches after step 8 are bad, as with parameters that have exploded: nothing is gained by going back there."""
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=(8, 9, 10)), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun == [0, 4, 4, 4]


def test_the_checkpoint_to_go_back_to_is_kept_however_few_are(tmp_path):
    notes = Notes()
    poisoned = (5, 6, 7, 8, 9)
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=5, keep=1, evaluate=None, notes=notes)
    assert notes.begun == [0, 4, 4, 4]


def test_a_run_that_was_stopped_goes_back_to_where_one_left_alone_does(tmp_path):
    poisoned = (7, 8, 9)
    run(tmp_path, loader=StoppingLoader(5, poisoned=poisoned), max_nonfinite=3, keep=1, evaluate=None)
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=3, keep=1, evaluate=None, notes=notes)
    assert notes.begun[:2] == [6, 4]


def test_a_damaged_checkpoint_to_go_back_to_is_named_and_the_one_before_it_used(tmp_path):
    damaged = tmp_path / "checkpoints" / "00000004" / "meta.json"

    class Damaging(ToyLoader):
        def __call__(self, step, /):
            if step == 7:
                damaged.write_bytes(damaged.read_bytes()[:-20])
            return super().__call__(step)

    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=Damaging(poisoned=(5, 6, 7)), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun[:2] == [0, 0]
    assert "00000004" in notes.said[0]


def test_a_run_goes_on_with_as_many_devices_as_it_was_begun_with(tmp_path, unbroken, monkeypatch):
    with pytest.raises(Crash):
        run(tmp_path, loader=CrashingLoader(7), devices=2)
    assert_same_run(tmp_path, run(tmp_path, devices=0), *unbroken[2])  # of these there are 4, and 4 rows for one


def test_fewer_devices_than_a_run_was_begun_with_are_told(tmp_path, monkeypatch):
    with pytest.raises(Crash):
        run(tmp_path, loader=CrashingLoader(7), devices=2)
    few, notes = jax.devices()[:1], Notes()
    monkeypatch.setattr(loop.jax, "devices", lambda: few)
    run(tmp_path, devices=0, notes=notes)
    assert notes.said[0].startswith("this run was begun on 2 devices, there are 1: its figures will not be")
