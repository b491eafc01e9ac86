"""Update rules, schedules and clipping against PyTorch's and Keras's."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import AdamConfig, RMSpropConfig, SGDConfig, kinds_of
from jaxseq.training.optim import ENDING, decayed, learning_rate_schedule, make_optimizer

SHAPES = {"kernel": (4, 3), "bias": (3,)}


def gradients(updates):
    """Random gradients, of very different sizes from element to element."""
    random = np.random.default_rng(5)
    return [
        {
            name: (random.normal(size=s) * 10 ** random.uniform(-4, 1, s)).astype(np.float32)
            for name, s in SHAPES.items()
        }
        for _ in range(updates)
    ]


def ours(config, grads, *, steps):
    optimizer = make_optimizer(config, steps=steps)
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    state = optimizer.transform.init(params)

    @jax.jit
    def update(params, state, grad, i):
        direction, state = optimizer.transform.update(grad, state, params)
        return jax.tree.map(lambda p, d: p - optimizer.schedule(i) * d, params, direction), state

    for i, grad in enumerate(grads):
        params, state = update(params, state, grad, i)
    return params


def theirs(make, grads, *, schedule=None, clip=None):
    params = {name: torch.nn.Parameter(torch.ones(shape)) for name, shape in SHAPES.items()}
    optimizer = make(params)
    scheduler = schedule(optimizer) if schedule else None
    for grad in grads:
        for name, value in params.items():
            value.grad = torch.tensor(grad[name])
        if clip:
            clip(list(params.values()))
        optimizer.step()
        if scheduler:
            scheduler.step()
    return {name: value.detach().numpy() for name, value in params.items()}


def split_decay(params, amount):
    return [{"params": [params["kernel"]], "weight_decay": amount}, {"params": [params["bias"]], "weight_decay": 0.0}]


RULES = {
    "adam": ({"b1": 0.8, "b2": 0.95, "eps": 1e-3}, lambda p: torch.optim.Adam(p.values(), 0.01, (0.8, 0.95), 1e-3)),
    "adamw": (
        {"weight_decay": 0.3, "eps": 1e-8},
        lambda p: torch.optim.AdamW(split_decay(p, 0.3), 0.01, (0.9, 0.999), 1e-8),
    ),
    "rmsprop": ({"decay": 0.9, "eps": 1e-2}, lambda p: torch.optim.RMSprop(p.values(), 0.01, 0.9, 1e-2)),
    "rmsprop with momentum": (
        {"decay": 0.9, "eps": 1e-2, "momentum": 0.7},
        lambda p: torch.optim.RMSprop(p.values(), 0.01, 0.9, 1e-2, momentum=0.7),
    ),
    "adadelta": ({"decay": 0.9, "eps": 1e-6}, lambda p: torch.optim.Adadelta(p.values(), 0.01, 0.9, 1e-6)),
    "adagrad": ({}, lambda p: torch.optim.Adagrad(p.values(), 0.01)),
    "adagrad from a sum": (
        {"initial": 0.1, "eps": 1e-3},
        lambda p: torch.optim.Adagrad(p.values(), 0.01, initial_accumulator_value=0.1, eps=1e-3),
    ),
    "sgd": ({}, lambda p: torch.optim.SGD(p.values(), 0.01)),
    "sgd with momentum": ({"momentum": 0.9}, lambda p: torch.optim.SGD(p.values(), 0.01, momentum=0.9)),
}


@pytest.mark.parametrize("rule", RULES)
def test_forty_updates_are_those_of_pytorch(rule):
    options, make = RULES[rule]
    config = kinds_of("optimizer")[rule.split()[0]](learning_rate=0.01, **options)
    grads = gradients(40)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6),
        ours(config, grads, steps=40),
        theirs(make, grads),
    )


def test_adadelta_has_the_rate_of_its_paper_unless_told_otherwise():
    """Keras's 0.001 would take a thousandth of each of its updates."""
    grads = gradients(40)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6),
        ours(kinds_of("optimizer")["adadelta"](), grads, steps=40),
        theirs(lambda p: torch.optim.Adadelta(p.values(), eps=1e-8), grads),
    )


def keras_run(make, grads):
    """Parameters after Keras's updates."""
    variables = {name: keras.Variable(np.ones(shape, np.float32), name=name) for name, shape in SHAPES.items()}
    optimizer = make()
    optimizer.build(list(variables.values()))
    for grad in grads:
        optimizer.apply([jnp.asarray(grad[name]) for name in variables])
    return {name: np.asarray(variable.value) for name, variable in variables.items()}


def without_decay_of_biases(optimizer):
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


SAME_AS_KERAS = {
    "adadelta": (
        {"decay": 0.9, "eps": 1e-6},
        lambda: keras.optimizers.Adadelta(0.01, rho=0.9, epsilon=1e-6),
    ),
    "sgd": ({}, lambda: keras.optimizers.SGD(0.01)),
    "sgd with momentum": ({"momentum": 0.9}, lambda: keras.optimizers.SGD(0.01, momentum=0.9)),
    "sgd with its norm clipped": ({"clip_norm": 0.5}, lambda: keras.optimizers.SGD(0.01, global_clipnorm=0.5)),
    "sgd with elements clipped": ({"clip_value": 0.1}, lambda: keras.optimizers.SGD(0.01, clipvalue=0.1)),
}


@pytest.mark.parametrize("rule", SAME_AS_KERAS)
def test_rules_without_an_epsilon_of_their_own_are_those_of_keras(rule):
    options, make = SAME_AS_KERAS[rule]
    grads = gradients(40)
    mine = ours(kinds_of("optimizer")[rule.split()[0]](learning_rate=0.01, **options), grads, steps=40)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), mine, keras_run(make, grads))


def with_eps(config, grads, eps_of):
    """`ours`, with an eps of its own in update t = 1, 2, ..."""
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    state = make_optimizer(config, steps=len(grads)).transform.init(params)
    for t, grad in enumerate(grads, 1):
        transform = make_optimizer(dataclasses.replace(config, eps=eps_of(t)), steps=len(grads)).transform
        direction, state = transform.update(grad, state, params)
        params = jax.tree.map(lambda p, d: p - config.learning_rate * d, params, direction)
    return params


ADAMS = {
    "adam": ({}, lambda eps: keras.optimizers.Adam(0.01, 0.9, 0.999, eps)),
    "adamw": (
        {"weight_decay": 0.3},
        lambda eps: without_decay_of_biases(keras.optimizers.AdamW(0.01, 0.3, 0.9, 0.999, eps)),
    ),
}


@pytest.mark.parametrize("eps", [1e-7, 1e-3])
@pytest.mark.parametrize("name", ADAMS)
def test_adam_is_that_of_keras_with_an_epsilon_over_the_root_of_the_bias_correction(name, eps):
    options, make = ADAMS[name]
    grads = gradients(40)
    config = kinds_of("optimizer")[name](learning_rate=0.01, **options)
    mine = with_eps(config, grads, lambda t: eps / math.sqrt(1 - 0.999**t))
    theirs = keras_run(lambda: make(eps), grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-6), mine, theirs)


@pytest.mark.parametrize("size", [1e-10, 1e-8, 1e-7, 1e-5, 1e-2])
def test_the_first_update_differs_from_that_of_keras_as_documented(size):
    grads = [{name: np.full(shape, size, np.float32) for name, shape in SHAPES.items()}]
    config = AdamConfig(learning_rate=0.5, eps=1e-7)
    mine = 1 - np.asarray(ours(config, grads, steps=1)["kernel"], np.float64)
    theirs = 1 - np.asarray(
        keras_run(lambda: keras.optimizers.Adam(0.5, 0.9, 0.999, 1e-7), grads)["kernel"], np.float64
    )
    ratio = (size + 1e-7 / math.sqrt(0.001)) / (size + 1e-7)
    assert 1 <= ratio <= 31.63
    np.testing.assert_allclose(mine, ratio * theirs, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_rmsprop_is_that_of_keras_with_the_epsilon_inside_the_root(momentum):
    grads = gradients(40)
    theirs = keras_run(lambda: keras.optimizers.RMSprop(0.01, rho=0.9, momentum=momentum, epsilon=1e-4), grads)
    params, gathered, mean = np.ones((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    for grad in grads:  # by a plain loop: Keras's formula, which is ours but for the place of eps
        g = grad["kernel"].astype(np.float64)
        mean = 0.9 * mean + 0.1 * g * g
        gathered = momentum * gathered + g / np.sqrt(mean + 1e-4)
        params = params - 0.01 * gathered
    np.testing.assert_allclose(theirs["kernel"], params, rtol=1e-5, atol=1e-5)
    config = RMSpropConfig(learning_rate=0.01, momentum=momentum, eps=1e-30)
    near = keras_run(lambda: keras.optimizers.RMSprop(0.01, rho=0.9, momentum=momentum, epsilon=1e-30), grads)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-6), ours(config, grads, steps=40), near
    )


CLIPS = {
    "norm": ({"clip_norm": 0.5}, lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)),
    "value": ({"clip_value": 0.1}, lambda p: torch.nn.utils.clip_grad_value_(p, 0.1)),
}


@pytest.mark.parametrize("clip", CLIPS)
def test_clipping_is_that_of_pytorch(clip):
    options, function = CLIPS[clip]
    grads = gradients(10)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        ours(SGDConfig(learning_rate=0.01, **options), grads, steps=10),
        theirs(lambda p: torch.optim.SGD(p.values(), 0.01), grads, clip=function),
    )


def test_both_clips_hold_together():
    transform = make_optimizer(SGDConfig(clip_norm=1.0, clip_value=0.9), steps=1).transform
    grad = {"a": jnp.array([30.0, 0.1, -4.0])}
    clipped, _ = transform.update(grad, transform.init(grad))
    assert float(jnp.abs(clipped["a"]).max()) <= 0.9
    assert float(jnp.linalg.norm(clipped["a"])) == pytest.approx(1.0, rel=1e-6)


def rates(updates, **options):
    schedule = learning_rate_schedule(AdamConfig(**options), updates=updates)
    most = 512  # at once, and of one shape: it costs next to nothing
    assert updates <= most
    return np.broadcast_to(schedule(jnp.arange(most)), most)[:updates]


def torch_rates(updates, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    scheduler, seen = make(optimizer), []
    for _ in range(updates):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(seen)


def test_the_cosine_schedule_is_that_of_pytorch():
    expected = torch_rates(30, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 29, eta_min=0.02))
    ours = rates(30, learning_rate=0.1, schedule="cosine", final_fraction=0.2)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("warmup", [0, 1, 4])
def test_the_inverse_square_root_is_that_of_the_first_transformers(warmup):
    """lr = features^-0.5 * min(n^-0.5, n * warmup^-1.5), n from 1 (Vaswani et al. 2017, section 5.3)."""
    n, first = np.arange(1, 31), max(1, warmup)
    published = 64**-0.5 * np.minimum(n**-0.5, n * first**-1.5)
    ours = rates(30, learning_rate=(64 * first) ** -0.5, schedule="inverse_sqrt", warmup_steps=warmup)
    np.testing.assert_allclose(ours, published, rtol=1e-6)


def test_the_linear_schedule_is_that_of_pytorch():
    expected = torch_rates(30, lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.004, 29))
    np.testing.assert_allclose(rates(30, learning_rate=0.1, schedule="linear", final_fraction=0.004), expected, 1e-5)


def course(updates, *, peak, warmup, schedule, fraction=0.0, every=1, factor=1.0):
    """Learning rates by a plain loop in float64."""
    made = [peak * (i + 1) / warmup for i in range(min(warmup, updates))]
    left = updates - len(made)
    for i in range(left):
        if schedule == "cosine":
            done = i / (left - 1) if left > 1 else 1.0
            made.append(peak * (fraction + (1 - fraction) * (1 + math.cos(math.pi * done)) / 2))
        elif schedule == "linear":
            made.append(peak * (1 + (fraction - 1) * (i / (left - 1) if left > 1 else 1.0)))
        elif schedule == "step":
            made.append(peak * factor ** (i // every))
        else:
            made.append(peak)
    return made


@settings(deadline=None, max_examples=50)
@given(
    updates=st.integers(1, 300),
    warmup=st.sampled_from([0, 1, 2, 3, 7, 299, 300, 400]),
    schedule=st.sampled_from(["constant", "cosine", "linear", "step"]),
    fraction=st.sampled_from([0.0, 0.1, 0.37, 1.0]),
    every=st.integers(1, 9),
)
def test_every_schedule_is_that_of_a_plain_loop_from_the_first_update_to_the_last(
    updates, warmup, schedule, fraction, every
):
    found = rates(
        updates,
        learning_rate=3e-3,
        warmup_steps=warmup,
        schedule=schedule,
        final_fraction=fraction,
        step_every=every,
        step_factor=0.7,
    )
    wanted = course(updates, peak=3e-3, warmup=warmup, schedule=schedule, fraction=fraction, every=every, factor=0.7)
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=1e-9)
    if schedule in ENDING and warmup < updates:
        assert found[-1] == pytest.approx(3e-3 * fraction, rel=2e-7, abs=1e-9)


@pytest.mark.parametrize("updates", [1, 2, 3, 10, 100, 10**6, 10**9])
@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize("schedule", ENDING)
def test_the_last_update_takes_the_final_fraction_however_many_there_are(schedule, updates, warmup):
    config = AdamConfig(learning_rate=0.02, warmup_steps=warmup, schedule=schedule, final_fraction=0.1)
    last = float(learning_rate_schedule(config, updates=updates + warmup)(updates + warmup - 1))
    assert last == pytest.approx(0.002, rel=2e-7)


def test_the_step_schedule_counts_exactly_however_many_updates_there_are():
    config = AdamConfig(learning_rate=1.0, schedule="step", step_every=10**7, step_factor=0.5)
    schedule = learning_rate_schedule(config, updates=10**9)
    assert [float(schedule(i)) for i in (9_999_999, 10**7, 89_999_999, 9 * 10**7)] == [1.0, 0.5, 0.5**8, 0.5**9]


def test_the_step_schedule_is_that_of_pytorch():
    expected = torch_rates(30, lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5))
    np.testing.assert_allclose(
        rates(30, learning_rate=0.1, schedule="step", step_every=7, step_factor=0.5), expected, rtol=1e-6
    )


def test_the_warm_up_is_linear_and_ends_at_the_peak():
    expected = torch_rates(8, lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 4, 1.0, 3))
    np.testing.assert_allclose(rates(8, learning_rate=0.1, warmup_steps=4), expected, rtol=1e-6)
    np.testing.assert_allclose(rates(8, learning_rate=0.1, warmup_steps=4), [0.025, 0.05, 0.075] + [0.1] * 5, rtol=1e-6)
    np.testing.assert_allclose(rates(3, learning_rate=0.1, warmup_steps=1), [0.1] * 3, rtol=1e-6)


def test_what_follows_the_warm_up_counts_from_its_end():
    after = rates(10, learning_rate=0.1, warmup_steps=4, schedule="cosine", final_fraction=0.0)
    np.testing.assert_allclose(after[4:], rates(6, learning_rate=0.1, schedule="cosine", final_fraction=0.0), rtol=1e-6)


def test_a_warm_up_longer_than_the_run_is_just_not_finished():
    np.testing.assert_allclose(rates(2, learning_rate=0.1, warmup_steps=10, schedule="cosine"), [0.01, 0.02], rtol=1e-6)


@pytest.mark.parametrize(("steps", "updates"), [(40, 10), (41, 11), (43, 11), (44, 11), (3, 1), (1, 1)])
def test_the_cosine_ends_with_the_last_update_not_with_the_batches(steps, updates):
    config = AdamConfig(schedule="cosine", final_fraction=0.25, accumulate=4, learning_rate=0.1)
    optimizer = make_optimizer(config, steps=steps)
    assert (optimizer.accumulate, optimizer.steps) == (4, steps)
    assert float(optimizer.schedule(updates - 1)) == pytest.approx(0.025, rel=1e-6)
    assert updates == 1 or float(optimizer.schedule(updates - 2)) > 0.0251


def test_adam_is_optax_adam():
    grads = gradients(5)
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    reference = optax.adam(0.01)
    state = reference.init(params)
    for grad in grads:
        updates, state = reference.update(grad, state, params)
        params = optax.apply_updates(params, updates)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        ours(AdamConfig(learning_rate=0.01), grads, steps=5),
        params,
    )


def test_weight_decay_leaves_biases_norms_and_scalars_alone():
    params = {
        "gru": {"input_kernel": jnp.ones((2, 6)), "bias": jnp.ones((2, 6)), "recurrent_bias": jnp.ones(6)},
        "norm": {"scale": jnp.ones(4)},
        "conv": {"kernel": jnp.ones((3, 2, 2))},
        "temperature": jnp.ones(()),
    }
    assert decayed(params) == {
        "gru": {"input_kernel": True, "bias": False, "recurrent_bias": False},
        "norm": {"scale": False},
        "conv": {"kernel": True},
        "temperature": False,
    }
