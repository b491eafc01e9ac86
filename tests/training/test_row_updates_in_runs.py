"""Updates of rows in a run: devices, dispatches, skipped steps, exact resume, no copies; and what they refuse."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_tables import BATCHES, TableLoader, close, loss_fn, optimizer_of, steps, table_params, table_state
from toy_training import assert_same, toy_devices

from jaxseq.config import AdamConfig, AdamWConfig, RMSpropConfig, SGDConfig, TrainConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.sharding import STACKED_SHARDED
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.training import loop
from jaxseq.training.devices import put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.loop import Storage, Training, fit
from jaxseq.training.optim import make_optimizer
from jaxseq.training.row_updates import require_lookups, tables_of
from jaxseq.training.state import init_state

POISONED = [TableLoader(poisoned=(2,))(i) for i in range(4)]


@pytest.mark.parametrize(
    ("kind", "options"), [("adagrad", {"clip_norm": 0.3, "initial": 0.1}), ("adam", {"row_cap": 2, "eps": 0.01})]
)
def test_devices_change_nothing(kind, options):
    one, one_tallies = steps(BATCHES, kind, rows=True, **options)
    two, two_tallies = steps(BATCHES, kind, devices=2, rows=True, **options)
    close(one, two, 5e-6)
    close(one_tallies, two_tallies, 5e-6)


@settings(max_examples=8)
@given(st.lists(st.integers(1, 4), max_size=6))
def test_however_steps_are_cut_into_dispatches_they_give_the_same_bits(wishes):
    cuts, left = [], 6
    for wish in [*wishes, 4, 4]:
        cuts += [min(wish, left)] if left else []
        left -= min(wish, left)
    first = steps(BATCHES[:6], "adam", rows=True, most=4, cuts=[3, 3])
    assert_same(steps(BATCHES[:6], "adam", rows=True, most=4, cuts=cuts), first)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_step_that_is_skipped_writes_nothing(kind, devices):
    before, _ = steps(POISONED[:2], kind, devices=devices, rows=True)
    after, tallies = steps(POISONED[:3], kind, devices=devices, rows=True)
    assert_same(after._replace(step=before.step), before)
    assert tallies["skipped"].total.tolist() == [0, 0, 1]
    assert tallies["gradient_norm"].count.tolist() == [1, 1, 0]
    on, _ = steps(POISONED, kind, devices=devices, rows=True)
    assert on.updates == 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(on))


def test_a_batch_of_padding_alone_makes_no_update():
    empty = {**BATCHES[1], "mask": np.zeros_like(BATCHES[1]["mask"])}
    before, _ = steps(BATCHES[:1], "adam", rows=True)
    after, _ = steps([BATCHES[0], empty], "adam", rows=True)
    assert_same((after.params, after.opt_state, after.updates), (before.params, before.opt_state, before.updates))


def test_the_learning_rate_of_a_run_that_went_back_is_scaled():
    optimizer = optimizer_of("sgd", rows=True)
    half = table_state(optimizer)._replace(lr_scale=jnp.float32(0.5))
    found, tallies = steps(BATCHES[:1], "sgd", rows=True, state=half)
    wanted, _ = steps(BATCHES[:1], "sgd", learning_rate=0.05)
    close(found.params, wanted.params, 1e-7)
    assert tallies["learning_rate"].total == np.float32(0.05)


class Crash(Exception):
    """Stands for a SIGKILL: nothing after it runs."""


@pytest.mark.parametrize(("kind", "devices"), [("adagrad", 1), ("adam", 2)])
def test_a_run_killed_again_and_again_ends_with_the_bits_of_one_never_killed(tmp_path, monkeypatch, kind, devices):
    monkeypatch.setattr(loop, "compile_training", functools.cache(loop.compile_training))
    toy_devices(devices)
    optimizer = optimizer_of(kind, rows=True)
    plan = TrainConfig(steps=13, log_every=5, checkpoint_every=4, steps_per_dispatch=2, devices=devices)

    def run(name, crash_at=None):
        class Loader(TableLoader):
            def __call__(self, step, /):
                if step == crash_at:
                    raise Crash
                return super().__call__(step)

        training = Training(loss_fn, table_state(optimizer), Loader(poisoned=(3,)), optimizer)
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        return fit(training, Storage(directory, CheckpointStore(directory / "checkpoints")), plan)

    whole = run("whole")
    for at in (5, 7, 12):
        with pytest.raises(Crash):
            run("killed", at)
    assert_same(jax.device_get(run("killed").state), jax.device_get(whole.state))
    assert (tmp_path / "killed/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


OPTIMISED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_use_fusion_emitters": True,
}
"""Programs as users have them: tests compile with less (tests/conftest.py)."""


def results_of_the_size_of(table, text):
    """Operations of a compiled program that give an array as large as the table, and are no views of one."""
    shape = re.escape(f"f32[{','.join(map(str, table))}]")
    found = re.findall(rf"= {shape}\S* ([a-z-]+)\(", text)
    return set(found) - {"parameter", "get-tuple-element", "bitcast"}


@pytest.mark.parametrize(
    ("kind", "devices", "most"), [("sgd", 1, 1), ("adagrad", 1, 4), ("adam", 2, 1), ("adam", 2, 4)]
)
def test_nothing_of_the_size_of_a_table_is_made_in_a_step(kind, devices, most):
    """In a table that is donated rows are written in place, and it is copied nowhere."""
    size = (20011, 101)
    shapes = {"table": size, "kernel": (101, 3), "embedding": (7, 3)}
    params = {name: jnp.ones(shape, jnp.float32) for name, shape in shapes.items()}

    def loss(variables, carry, batch, context):
        params = variables["params"]
        hidden = params["table"][batch["ids"]].sum(1) @ params["kernel"] + params["embedding"][batch["context"] % 7]
        return LossOutput({"loss": Tally((hidden**2).sum(), jnp.float32(1))})

    parallel = toy_devices(devices)
    batches = parallel.put(stack_batches(BATCHES.__getitem__, 0, most, most), STACKED_SHARDED)
    made = {}
    for rows in (True, False):
        optimizer = optimizer_of(kind, rows=rows, clip_norm=1.0)
        run = compile_training(loss, optimizer, parallel=parallel, most=most)
        state = put_state(parallel, init_state({"params": params}, optimizer, key=jax.random.key(0)))
        program = run.lower(state, batches, np.int32(most)).compile(compiler_options=OPTIMISED)
        made[rows] = results_of_the_size_of(size, program.as_text())
    assert made[True] <= {"fusion", "scatter"}
    assert {"select", "broadcast"} <= made[False]  # what is looked for would be found


def tied(variables, carry, batch, context):
    """The table as the output layer too."""
    table = variables["params"]["table"]
    return LossOutput({"loss": Tally((table[batch["ids"]] @ table.T).sum(), jnp.float32(1))})


def scanned(variables, carry, batch, context):
    """Rows looked up one time after another."""
    table = variables["params"]["table"]
    _, rows = jax.lax.scan(lambda carry, ids: (carry, table[ids]), 0, batch["ids"])
    return LossOutput({"loss": Tally(rows.sum(), jnp.float32(1))})


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (tied, "optimizer.rows is true, and the parameter table is used as a whole (asked for its .T), not by"),
        (scanned, "rows of the parameter table are looked up inside a scan, jit, vmap or checkpoint of the loss"),
    ],
)
def test_a_table_that_is_not_only_looked_up_is_told_in_one_line(loss, told):
    optimizer, params = optimizer_of(rows=True), table_params()["body"]
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        require_lookups(loss, {"params": params}, None, BATCHES[0], optimizer=optimizer)
    assert "\n" not in str(caught.value)
    state = init_state({"params": params}, optimizer, key=jax.random.key(0))
    with pytest.raises(InputError, match=re.escape(told)):
        steps(BATCHES[:1], loss=loss, state=state, rows=True)
    require_lookups(loss, {"params": params}, None, BATCHES[0], optimizer=optimizer_of())


def test_an_error_of_the_loss_itself_stays_what_it_is():
    def wrong(variables, carry, batch, context: LossContext):
        raise KeyError("no such thing")

    with pytest.raises(KeyError, match="no such thing"):
        require_lookups(wrong, {"params": table_params()}, None, BATCHES[0], optimizer=optimizer_of(rows=True))


def test_which_parameters_are_tables_goes_by_their_names_and_may_be_said():
    params = {"centres": jnp.ones((4, 2)), "table": {"kernel": jnp.ones((4, 2))}, "embedding": jnp.ones(4)}
    with pytest.raises(InputError, match=r"no embedding to look rows up in \(a parameter called embedding or table"):
        tables_of(params, optimizer_of(rows=True))
    named = make_optimizer(SGDConfig(rows=True), steps=1, tables=frozenset({"centres"}))
    assert tables_of(params, named) == (0,)
    assert tables_of(params, optimizer_of()) == ()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SGDConfig(rows=True, momentum=0.9), "optimizer.rows is True: optimizer.momentum (0.9) moves rows"),
        (lambda: RMSpropConfig(rows=True, momentum=0.5), "optimizer.rows is True: optimizer.momentum (0.5) moves rows"),
        (lambda: AdamWConfig(rows=True, weight_decay=0.1), "optimizer.weight_decay (0.1) moves rows that no batch saw"),
        (lambda: SGDConfig(rows=True, ema_decay=0.9), "optimizer.ema_decay (0.9) moves rows that no batch saw"),
        (lambda: AdamConfig(rows=True, accumulate=2), "optimizer.rows is True: optimizer.accumulate (2) must be 1"),
        (lambda: AdamConfig(row_cap=64), "optimizer.row_cap is 64: without optimizer.rows no rows are counted"),
        (lambda: AdamConfig(rows=True, row_cap=-1), "optimizer.row_cap is -1: give a number from 0 to 2,147,483,647"),
        (lambda: AdamConfig(rows=1), "optimizer.rows is 1: give true or false"),
    ],
)
def test_options_that_do_not_go_with_it_are_told_in_one_line(make, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        make()
    assert "\n" not in str(caught.value)
