"""One training step: its gradient, its randomness, what it skips, and that devices change nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_training import ROWS, ToyLoader, assert_same, loss_fn, toy_devices, toy_optimizer, toy_params, toy_state

from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import EVALUATION, LossOutput
from jaxseq.sharding import STACKED_SHARDED
from jaxseq.training.devices import put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.state import init_state
from jaxseq.training.step import make_train_step

OPTIMIZER = toy_optimizer()


def quiet(variables, carry, batch, context):
    """The toy loss without dropout."""
    return loss_fn(variables, carry, batch, EVALUATION)


@functools.cache
def compiled(devices=1, loss=quiet, most=1, **options):
    parallel = toy_devices(devices)
    return compile_training(loss, toy_optimizer(**options), parallel=parallel, most=most), parallel


def steps(batches, *, devices=1, loss=quiet, state=None, most=1, cuts=None, **options):
    """State and tallies after the batches, run `most` at a time or as `cuts` say."""
    run, parallel = compiled(devices, loss, most, **options)
    state = put_state(parallel, state or toy_state(toy_optimizer(**options)))
    rows, step = [], 0
    for count in cuts or [1] * len(batches):
        stacked = stack_batches(lambda i: batches[i], step, count, most)
        state, tallies = run(state, parallel.put(stacked, STACKED_SHARDED), np.int32(count))
        rows.append(jax.tree.map(lambda values, n=count: values[:n], jax.device_get(tallies)))
        step += count
    return jax.device_get(state), jax.tree.map(lambda *values: np.concatenate(values), *rows)


BATCHES = [ToyLoader()(i) for i in range(6)]


def close(a, b, tolerance=2e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance), a, b)


def test_a_run_is_that_of_plain_optax_on_the_mean_loss():
    params, carry, optimizer = toy_params(), jnp.zeros((ROWS, 5), jnp.float32), optax.adam(0.05)
    state = optimizer.init(params)
    for batch in BATCHES:

        def mean(params, carry=carry, batch=batch):
            tallies, new_carry, _ = quiet({"params": params}, carry, batch, None)
            return tallies["loss"].total / tallies["loss"].count, new_carry

        grads, carry = jax.grad(mean, has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        params = optax.apply_updates(params, updates)
    result, tallies = steps(BATCHES)
    close(result.params, params)
    close(result.carry, carry)
    assert result.updates == result.step == len(BATCHES)
    np.testing.assert_allclose(tallies["learning_rate"].total, 0.05, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"clip_norm": 0.3}], ids=str)
def test_devices_change_nothing_however_uneven_the_masks(options):
    batches = [{**batch, "mask": np.array(mask, np.float32)} for batch, mask in zip(BATCHES, MASKS, strict=True)]
    one, one_tallies = steps(batches, **options)
    two, two_tallies = steps(batches, devices=2, **options)
    close(one, two)
    close(one_tallies, two_tallies)


MASKS = [(1, 1, 1, 0), (0, 0, 1, 0), (0, 0, 1, 1), (1, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1)]


def test_accumulated_batches_are_one_large_batch_however_uneven_their_masks():
    state = toy_state(toy_optimizer(accumulate=3), carried=False)
    batches = [{**batch, "mask": np.array(mask, np.float32)} for batch, mask in zip(BATCHES, MASKS, strict=True)]
    small, tallies = steps(batches, state=state, accumulate=3)
    run, parallel = compiled()
    large = put_state(parallel, toy_state(OPTIMIZER, carried=False))
    for i in (0, 3):
        joined = jax.tree.map(lambda *parts: np.concatenate(parts)[None], *batches[i : i + 3])
        large, _ = run(large, joined, np.int32(1))
    close(small.params, large.params)
    assert (small.step, small.updates) == (6, 2)
    assert tallies["gradient_norm"].count.tolist() == [0, 0, 1, 0, 0, 1]
    assert_same(small.accumulated, jax.tree.map(np.zeros_like, small.accumulated))


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("options", [{}, {"accumulate": 2}], ids=str)
def test_the_average_of_parameters_is_that_over_the_updates_made(options, devices):
    """As optax has it where it begins with nothing and is debiased; where parameters began has no part in it."""
    batches = [ToyLoader(poisoned=(0, 2))(i) for i in range(8)]
    optimizer, oracle = toy_optimizer(steps=8, ema_decay=0.6, **options), optax.ema(0.6, debias=True)
    state, updates = toy_state(optimizer), 0
    assert_same(state.average, state.params)
    expected, moments = state.params, oracle.init(state.params)
    for step in range(8):
        state = state._replace(step=jnp.int32(step))
        state, _ = steps(batches[step : step + 1], devices=devices, state=state, ema_decay=0.6, **options)
        if state.updates > updates:
            updates = state.updates
            expected, moments = oracle.update(state.params, moments)
        close(state.average, expected)
        assert_same(state.trained["params"], state.average)
    assert updates == (6 if not options else 4)
    without, _ = steps(batches, devices=devices, **options)
    assert without.average is None
    assert_same(without.trained, without.variables)
    close(without.params, state.params)


def torch_run(batches, accumulate, *, skipped=()):
    """A plain loop: the mean over all items since the last update, at every `accumulate` batches and at the end."""
    params = {name: torch.nn.Parameter(torch.tensor(np.asarray(leaf))) for name, leaf in toy_params().items()}
    optimizer = torch.optim.Adam(params.values(), lr=0.05)
    total, items, updates = torch.zeros(()), 0.0, 0
    for seen, batch in enumerate(batches, 1):
        if seen - 1 not in skipped:
            x, y, mask = (torch.tensor(batch[name]) for name in ("x", "y", "mask"))
            errors = ((torch.tanh(x @ params["kernel"] + params["bias"]) - y) ** 2).sum(-1)
            total, items = total + (errors * mask).sum(), items + float(mask.sum())
        if (seen % accumulate == 0 or seen == len(batches)) and items:
            optimizer.zero_grad()
            (total / items).backward()
            optimizer.step()
            total, items, updates = torch.zeros(()), 0.0, updates + 1
    return {name: value.detach().numpy() for name, value in params.items()}, updates


@pytest.mark.parametrize(
    ("count", "accumulate", "skipped"),
    [
        (3, 4, ()),
        (1, 4, ()),
        (4, 4, ()),
        (7, 4, ()),
        (8, 3, ()),
        (5, 1, ()),
        (7, 4, (5,)),  # one of the last window
        (5, 4, (4,)),  # all of it
        (6, 4, (0, 1, 2, 3)),  # all of the first
    ],
)
def test_the_last_batches_of_a_run_make_an_update_however_few_they_are(count, accumulate, skipped):
    batches = [ToyLoader(poisoned=skipped)(i) for i in range(count)]
    state = toy_state(toy_optimizer(accumulate=accumulate), carried=False)
    options = {"steps": count, "accumulate": accumulate, "state": state}
    result, tallies = steps(batches, most=3, cuts=[1] * count, **options)
    params, updates = torch_run(batches, accumulate, skipped=skipped)
    close(result.params, params, 1e-5)
    assert result.updates == updates == tallies["learning_rate"].count.sum()
    assert tallies["skipped"].total.sum() == len(skipped)
    if accumulate > 1:
        assert_same(result.accumulated, jax.tree.map(np.zeros_like, result.accumulated))
    cuts = [min(3, count - i) for i in range(0, count, 3)]
    assert_same(result, steps(batches, most=3, cuts=cuts, **options)[0])


def huge_gradient(variables, carry, batch, context):
    """Finite, and so is its norm, but not that of two of them."""
    return LossOutput({"loss": Tally(variables["params"]["bias"][0] * 1.5e19, jnp.float32(1))}, carry)


def test_a_batch_whose_gradient_overflows_what_is_gathered_is_skipped_and_counted():
    state = toy_state(toy_optimizer(accumulate=2, clip_norm=1.0), carried=False)
    result, tallies = steps(BATCHES[:4], loss=huge_gradient, state=state, steps=4, accumulate=2, clip_norm=1.0)
    assert tallies["skipped"].total.tolist() == [0, 1, 0, 1]
    assert result.updates == 2
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result.params))


POISONED = [ToyLoader(poisoned=(2,))(i) for i in range(6)]


def test_a_batch_with_an_infinite_loss_changes_nothing_but_the_step():
    before, _ = steps(POISONED[:2])
    after, tallies = steps(POISONED[:3])
    assert_same(after._replace(step=before.step), before)
    assert after.step == 3
    assert tallies["skipped"].total.tolist() == [0, 0, 1]
    assert tallies["loss"].count[2] == tallies["loss"].total[2] == tallies["accuracy"].count[2] == 0


def test_a_skipped_batch_is_left_out_of_an_accumulated_update():
    state = toy_state(toy_optimizer(accumulate=3), carried=False)
    with_bad, _ = steps(POISONED[:3], state=state, accumulate=3)
    good = toy_state(toy_optimizer(accumulate=2), carried=False)
    without, _ = steps(POISONED[:2], state=good, accumulate=2)
    close(with_bad.params, without.params)


def test_a_batch_that_is_bad_on_one_device_is_skipped_on_all():
    one, _ = steps(POISONED)
    two, tallies = steps(POISONED, devices=2)
    close(one, two)
    assert tallies["skipped"].total.tolist() == [0, 0, 1, 0, 0, 0]


def bad_gradient(variables, carry, batch, context):
    """Finite loss; infinite gradient where x[0, 0] is 0."""
    x, bias = batch["x"][0, 0], variables["params"]["bias"]
    return LossOutput({"loss": Tally(jnp.sqrt(jnp.abs(x * bias[0] + x)), jnp.float32(1))}, carry)


def bad_carry(variables, carry, batch, context):
    """Finite loss and gradient; the new carry of one row is not where poison is 0."""
    output = quiet(variables, carry, {**batch, "poison": jnp.ones(batch["mask"].shape)}, context)
    return output._replace(carry=output.carry / batch["poison"][:, None])


def test_a_batch_with_an_infinite_gradient_is_skipped():
    zero = {**BATCHES[0], "x": np.zeros_like(BATCHES[0]["x"])}
    state, tallies = steps([BATCHES[0], zero], loss=bad_gradient)
    assert np.isfinite(tallies["loss"].total).all()
    assert tallies["skipped"].total.tolist() == [0, 1]
    assert state.updates == 1


@pytest.mark.parametrize("devices", [1, 2])
def test_a_batch_with_a_bad_new_carry_is_skipped(devices):
    state, tallies = steps(POISONED, loss=bad_carry, devices=devices)
    assert tallies["skipped"].total.tolist() == [0, 0, 1, 0, 0, 0]
    assert np.isfinite(state.carry).all()


def test_a_batch_of_padding_alone_makes_no_update_and_is_not_called_bad():
    empty = {**BATCHES[1], "mask": np.zeros(ROWS, np.float32)}
    before, _ = steps(BATCHES[:1])
    state, tallies = steps([BATCHES[0], empty])
    assert_same((state.params, state.opt_state), (before.params, before.opt_state))
    assert (state.step, state.updates) == (2, 1)
    assert tallies["skipped"].total.tolist() == [0, 0]


def key_probe(variables, carry, batch, context):
    """The loss is a random number of each row."""
    draws = jax.random.uniform(context.key, batch["mask"].shape)
    return LossOutput({"loss": Tally(draws.sum() + 0 * variables["params"]["bias"].sum(), jnp.float32(1))}, carry)


def test_the_key_of_a_step_is_the_runs_key_folded_with_the_step():
    _, tallies = steps(BATCHES[:2], loss=key_probe)
    run_key = jax.random.key(3)
    expected = [jax.random.uniform(jax.random.fold_in(run_key, step), (ROWS,)).sum() for step in range(2)]
    np.testing.assert_array_equal(tallies["loss"].total, expected)


def test_every_device_draws_its_own_numbers():
    _, tallies = steps(BATCHES[:1], loss=key_probe, devices=2)
    key = jax.random.fold_in(jax.random.key(3), 0)
    expected = sum(jax.random.uniform(jax.random.fold_in(key, i), (ROWS // 2,)).sum() for i in range(2))
    np.testing.assert_allclose(tallies["loss"].total, [expected], rtol=1e-6)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 4), max_size=6))
def test_however_steps_are_cut_into_dispatches_they_give_the_same_bits(wishes):
    cuts, left = [], len(BATCHES)
    for wish in [*wishes, 4, 4]:
        cuts += [min(wish, left)] if left else []
        left -= min(wish, left)
    assert_same(steps(BATCHES, loss=loss_fn, most=4, cuts=cuts), steps(BATCHES, loss=loss_fn, most=4, cuts=[3, 3]))


@pytest.mark.parametrize("devices", [1, 2])
def test_a_state_that_has_been_put_on_the_devices_stays_usable(devices):
    state = toy_state(OPTIMIZER)
    assert_same(*(steps(BATCHES, state=state, devices=devices) for _ in range(2)))
    assert_same(state, toy_state(OPTIMIZER))


def test_the_step_by_itself_is_a_pure_function_of_state_and_batch():
    step = jax.jit(make_train_step(loss_fn, OPTIMIZER))
    state = toy_state(OPTIMIZER)
    assert_same(step(state, BATCHES[0]), step(state, BATCHES[0]))


def step_probe(variables, carry, batch, context):
    """The loss is the number of the step, and a stream of another name than dropout's."""
    rngs = context.rngs("dropout", "masking")
    draws = {name: Tally(jax.random.uniform(key), jnp.float32(1)) for name, key in rngs.items()}
    return LossOutput({"loss": Tally(context.step + 0 * variables["params"]["bias"].sum(), jnp.float32(1)), **draws})


def test_a_loss_knows_the_step_and_has_random_streams_by_name():
    _, tallies = steps(BATCHES[:3], loss=step_probe, state=toy_state(OPTIMIZER, carried=False))
    assert tallies["loss"].total.tolist() == [0, 1, 2]
    keys = [jax.random.fold_in(jax.random.key(3), step) for step in range(3)]
    assert tallies["dropout"].total.tolist() == [float(jax.random.uniform(key)) for key in keys]
    drawn = {*tallies["dropout"].total.tolist(), *tallies["masking"].total.tolist()}
    assert len(drawn) == 6
    assert EVALUATION.rngs("dropout") is None


def counting(variables, carry, batch, context):
    """The toy loss, and a variable that counts what it has seen."""
    output = quiet(variables, carry, batch, context)
    seen = variables["counts"]["seen"] + batch["mask"].sum()
    return output._replace(collections={"counts": {"seen": jnp.where(batch["poison"].all(), seen, jnp.nan)}})


def counting_state():
    variables = {"params": toy_params(), "counts": {"seen": jnp.float32(1)}, "fixed": {"x": jnp.float32(7)}}
    return init_state(variables, OPTIMIZER, key=jax.random.key(3), carry=jnp.zeros((ROWS, 5), jnp.float32))


@pytest.mark.parametrize("devices", [1, 2])
def test_variables_that_are_no_parameters_change_with_the_step_or_stay(devices):
    state, _ = steps(BATCHES, loss=counting, state=counting_state(), devices=devices)
    expected = 1 + sum(batch["mask"].sum() for batch in BATCHES) / devices  # the mean of what each device has made
    assert state.collections == {"counts": {"seen": pytest.approx(expected)}, "fixed": {"x": 7}}
    close(state.params, steps(BATCHES, devices=devices)[0].params)
    assert set(state.variables) == {"params", "counts", "fixed"}


def spoiling(variables, carry, batch, context):
    """Finite loss and gradient; the variable is not where poison is 0."""
    harmless = quiet(variables, carry, {**batch, "poison": jnp.ones(batch["mask"].shape)}, context)
    return harmless._replace(collections=counting(variables, carry, batch, context).collections)


def test_a_batch_that_makes_a_variable_infinite_is_skipped():
    poisoned = [BATCHES[0], {**BATCHES[1], "poison": np.zeros(ROWS, np.float32)}]
    state, tallies = steps(poisoned, loss=spoiling, state=counting_state())
    assert tallies["skipped"].total.tolist() == [0, 1]
    assert state.collections["counts"]["seen"] == 1 + BATCHES[0]["mask"].sum()
