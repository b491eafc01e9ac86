"""The training loop: exact resume, stopping, early stopping, devices, what it writes."""

import json
import os
import shutil
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_runs import TOTAL, Crash, CrashingLoader, Notes, StoppingLoader, assert_same_run, norm_as_loss, run
from toy_training import ROWS, ToyLoader, assert_same, loss_fn, toy_optimizer, toy_params, toy_state

from jaxseq.config import TrainConfig
from jaxseq.errors import InputError
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossOutput
from jaxseq.signals import Stopped, StopRequest
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.manifest import seal
from jaxseq.storage.metrics_file import read_metrics
from jaxseq.training import loop
from jaxseq.training.loop import Storage, Training, fit

pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run that nothing disturbed, on one device and on two."""
    runs = {}
    for devices in (1, 2):
        directory = tmp_path_factory.mktemp(f"unbroken{devices}")
        runs[devices] = (directory, run(directory, devices=devices))
    return runs


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


@pytest.mark.parametrize("options", [{}, {"evaluate_batches": 1}], ids=["one pass", "the last of the whole"])
def test_an_evaluation_that_is_stopped_is_made_anew_when_the_run_goes_on(tmp_path, options):
    """Once or twice each; at the end also that of the whole split, after the one by which the best is chosen."""
    asked = []

    def stopped_at_first(params, whole):
        asked.append(whole)
        if len(asked) in (1, 2, 4, 6, 7, 9):
            raise Stopped(signal.SIGTERM)
        return norm_as_loss(params, whole)

    left = run(tmp_path / "unbroken", **options)
    steps, result = [], None
    for _ in range(20):
        result = run(tmp_path / "stopped", evaluate=stopped_at_first, **options)
        steps.append(result.step)
        if result.stopped == "finished":
            break
        assert (result.stopped, result.exit_code) == ("signal", 0)
    assert steps[:5] == [6, 6, 12, 13, 13]
    assert_same_run(tmp_path / "stopped", result, tmp_path / "unbroken", left)
    assert CheckpointStore(tmp_path / "stopped" / "checkpoints").steps()[-1] == TOTAL


def test_a_signal_that_came_before_the_loop_leaves_a_checkpoint_of_step_0(tmp_path, unbroken):
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGHUP)
        result = run(tmp_path, stop=stop)
    assert (result.stopped, result.exit_code, result.step) == ("signal", 0, 0)
    assert_same_run(tmp_path, run(tmp_path), *unbroken[1])


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


def test_all_steps_of_a_run_go_through_one_compiled_program(tmp_path):
    """However it is cut into dispatches, and when it has gone back to a checkpoint too."""
    traces, after_first = [], []

    def counted(*given):
        traces.append(1)
        return loss_fn(*given)

    class Watching(Notes):
        def advance(self, step, loss, tokens):
            after_first.append(len(traces))

    loader = ToyLoader(poisoned=(9, 10, 11))
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=loader, loss=counted, notes=Watching(), max_nonfinite=3, max_rollbacks=1, devices=2)
    assert len(after_first) >= 7
    assert len(traces) == after_first[0]


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
    assert (result.stopped, result.step, result.best_step, result.best_value) == ("early", 8, 4, 2.0)
    (told,) = notes.said
    assert told.startswith("no better validation loss since step 4: stopped at step 8")
    store = CheckpointStore(tmp_path / "checkpoints")
    opened = store.open("best")
    assert opened is not None
    assert opened[0].step == 4
    again = run(tmp_path, evaluate=evaluate, evaluate_every=2, patience=2)
    assert (again.stopped, again.step) == ("early", 8)


def test_the_metric_that_is_chosen_selects_the_best_checkpoint_and_is_waited_for(tmp_path):
    measured, notes = iter([(1.0, 0.2), (1.5, 0.6), (0.5, 0.6), (0.1, 0.5)]), Notes()

    def evaluate(variables, whole):
        return dict(zip(("loss", "accuracy"), next(measured), strict=True))

    result = run(tmp_path, evaluate=evaluate, evaluate_every=2, patience=2, metric="accuracy", notes=notes)
    assert (result.stopped, result.step, result.best_step, result.best_value) == ("early", 8, 4, 0.6)
    assert notes.said[-1].startswith("no better validation accuracy since step 4")
    opened = CheckpointStore(tmp_path / "checkpoints").open("best")
    assert opened is not None
    assert opened[0].step == 4


def test_an_early_stop_says_what_it_leaves_unused_and_keeps_it_for_a_run_that_goes_on(tmp_path, unbroken):
    losses, notes = iter([2.0, 3.0]), Notes()
    early = run(
        tmp_path, evaluate=lambda params, whole: {"loss": next(losses)}, evaluate_every=4, patience=1, notes=notes
    )
    assert (early.stopped, early.step, int(early.state.updates)) == ("early", 8, 2)
    assert notes.said == [
        "no better validation loss since step 4: stopped at step 8; the gradients of the last 2 batches, too few for "
        "an update, are not used"
    ]
    # With more patience it goes on as if it had never stopped.
    assert_same(jax.device_get(run(tmp_path).state), jax.device_get(unbroken[1][1].state))


def test_a_run_shorter_than_its_window_of_accumulation_makes_an_update(tmp_path):
    result = run(tmp_path, steps=3, options={"accumulate": 4})
    assert (result.step, int(result.state.updates)) == (3, 1)
    assert not np.array_equal(result.state.params["kernel"], toy_params()["kernel"])
    assert read_metrics(tmp_path / "metrics.csv")[-2]["learning_rate"] != ""


def test_parameters_that_the_last_update_has_made_infinite_are_told(tmp_path):
    def downhill(variables, carry, batch, context):
        return LossOutput({"loss": Tally(variables["params"]["bias"][0], jnp.float32(1))}, carry)

    notes = Notes()
    run(tmp_path, steps=3, options={"learning_rate": 3e38}, loss=downhill, notes=notes, evaluate=None)
    assert "the parameters after the last update are not finite: lower optimizer.learning_rate" in notes.said[-1]


def test_losses_whose_sum_passes_float32_are_shown_as_they_are(tmp_path):
    def high(variables, carry, batch, context):
        return LossOutput({"loss": Tally(0 * variables["params"]["bias"][0] + 3e38, jnp.float32(1))}, carry)

    class Shown(Notes):
        def advance(self, step, loss, tokens):
            self.said.append(loss)

    notes = Shown()
    run(tmp_path, loss=high, notes=notes, evaluate=None)
    assert notes.said == pytest.approx([3e38] * len(notes.said))
    assert len(notes.said) > 5


def test_the_last_evaluation_is_of_the_whole_split_and_the_best_is_chosen_by_like(tmp_path):
    asked = []

    def evaluate(params, whole):
        asked.append(whole)
        return {"loss": 9.0 if whole else 5.0 - len(asked)}

    result = run(tmp_path, evaluate=evaluate, evaluate_batches=1)
    assert asked == [False, False, False, True]
    assert result.validation == {"loss": 9.0}
    assert result.best_value == 2.0
    assert float(read_metrics(tmp_path / "metrics.csv")[-1]["loss"]) == 9.0


def test_patience_without_validation_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"train\.patience is 2 and there is no validation split"):
        run(tmp_path, evaluate=None, patience=2)


def test_meta_and_files_go_into_every_checkpoint(tmp_path):
    optimizer = toy_optimizer(2)
    store = CheckpointStore(tmp_path)
    training = Training(loss_fn, toy_state(optimizer, carried=False), ToyLoader(), optimizer)
    storage = Storage(tmp_path, store, meta={"tokenizer": "abc"}, files={"config.json": "{}"})
    fit(training, storage, TrainConfig(steps=2, devices=1))
    for step in (0, 2):
        opened = store.open(step)
        assert opened is not None
        assert opened[0].meta["tokenizer"] == "abc"
        assert opened[0].files["config.json"] == b"{}"


def test_a_batch_that_devices_cannot_share_equally_is_said_once(tmp_path):
    notes = Notes()
    run(tmp_path, devices=3, notes=notes, steps=2)
    assert notes.said == [f"a batch of {ROWS} does not divide among 3 devices: 2 will do the work"]


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


def without_record(store):
    """Makes the checkpoints what the first version wrote: without the rows of metrics."""
    for step in store.steps():
        snapshot, _ = store.open(step)
        (snapshot.path / "metrics.csv").unlink()
        meta = json.loads((snapshot.path / "meta.json").read_bytes())
        del meta["files"]["metrics.csv"], meta["sha256"]
        meta["texts"].remove("metrics.csv")
        (snapshot.path / "meta.json").write_text(seal(meta))


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"\xff" * 999)], ids=["deleted", "junk"])
def test_rows_that_were_lost_come_back_from_the_checkpoint(tmp_path, unbroken, change):
    with pytest.raises(Crash):
        run(tmp_path, loader=CrashingLoader(11))
    change(tmp_path / "metrics.csv")
    notes = Notes()
    assert_same_run(tmp_path, run(tmp_path, notes=notes), *unbroken[1])
    assert [line for line in notes.said if "metrics.csv" in line] == [notes.said[0]]
    assert "restored from the checkpoint of step 8" in notes.said[0]


def test_every_checkpoint_holds_the_rows_up_to_its_step(unbroken):
    directory = unbroken[1][0]
    whole = (directory / "metrics.csv").read_bytes()
    store = CheckpointStore(directory / "checkpoints")
    for step in store.steps():
        record = store.open(step)[0].files["metrics.csv"]
        rows = [line for line in whole.splitlines()[1:] if int(line.split(b",")[0]) <= step]
        assert record.splitlines()[1:] == rows
    assert record == whole


def test_an_earlier_version_s_checkpoint_goes_on_with_the_rows_there_are(tmp_path, unbroken):
    whole = (unbroken[1][0] / "metrics.csv").read_bytes()
    assert whole.count(b"\n") == 1 + 3 + 3  # header; steps 5, 10, 13; steps 6, 12, 13
    with pytest.raises(Crash):
        run(tmp_path, loader=CrashingLoader(11))
    without_record(CheckpointStore(tmp_path / "checkpoints"))
    told = []
    for content in (whole, whole.replace(b"6,1,validation", b"x,1,validation")):
        directory = tmp_path / f"copy{len(told)}"
        shutil.copytree(tmp_path / "checkpoints", directory / "checkpoints")
        (directory / "metrics.csv").write_bytes(content)
        notes = Notes()
        result = run(directory, notes=notes)
        told += [notes.said]
        rows = (directory / "metrics.csv").read_bytes().splitlines()
        assert rows == [row for row in whole.splitlines() if content is whole or not row.startswith(b"6,")]
        assert_same(result.state.params, unbroken[1][1].state.params)
    assert told[0] == ["going on from step 8"]
    assert told[1][0].startswith("metrics.csv lacks 1 of the 2 rows up to step 8, missing or damaged; this checkpoint")
