"""Update rules, schedules and clipping against PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from jaxseq.config import OptimizerConfig
from jaxseq.errors import ConfigError
from jaxseq.training.optim import decayed, learning_rate_schedule, make_optimizer

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
    "sgd": ({}, lambda p: torch.optim.SGD(p.values(), 0.01)),
    "sgd with momentum": ({"momentum": 0.9}, lambda p: torch.optim.SGD(p.values(), 0.01, momentum=0.9)),
}


@pytest.mark.parametrize("rule", RULES)
def test_twenty_updates_are_those_of_pytorch(rule):
    options, make = RULES[rule]
    config = OptimizerConfig(name=rule.split()[0], learning_rate=0.01, **options)
    grads = gradients(20)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6),
        ours(config, grads, steps=20),
        theirs(make, grads),
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
        ours(OptimizerConfig(name="sgd", learning_rate=0.01, **options), grads, steps=10),
        theirs(lambda p: torch.optim.SGD(p.values(), 0.01), grads, clip=function),
    )


def test_both_clips_hold_together():
    transform = make_optimizer(OptimizerConfig(name="sgd", clip_norm=1.0, clip_value=0.9), steps=1).transform
    grad = {"a": jnp.array([30.0, 0.1, -4.0])}
    clipped, _ = transform.update(grad, transform.init(grad))
    assert float(jnp.abs(clipped["a"]).max()) <= 0.9
    assert float(jnp.linalg.norm(clipped["a"])) == pytest.approx(1.0, rel=1e-6)


def rates(updates, **options):
    schedule = learning_rate_schedule(OptimizerConfig(**options), updates=updates)
    return np.array([float(schedule(i)) for i in range(updates)])


def torch_rates(updates, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    scheduler, seen = make(optimizer), []
    for _ in range(updates):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(seen)


def test_the_cosine_schedule_is_that_of_pytorch():
    expected = torch_rates(30, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30, eta_min=0.02))
    ours = rates(30, learning_rate=0.1, schedule="cosine", final_fraction=0.2)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


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


def test_the_cosine_ends_with_the_updates_not_with_the_batches():
    optimizer = make_optimizer(OptimizerConfig(schedule="cosine", final_fraction=0.0, accumulate=4), steps=40)
    assert optimizer.accumulate == 4
    assert float(optimizer.schedule(10)) == pytest.approx(0.0, abs=1e-9)


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
        ours(OptimizerConfig(name="adam", learning_rate=0.01), grads, steps=5),
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "adam", "momentum": 0.9}, r"optimizer\.momentum is 0\.9: adam has none, take sgd or rmsprop"),
        ({"name": "sgd", "weight_decay": 0.1}, r"optimizer\.weight_decay is 0\.1: sgd has none, take adamw"),
    ],
)
def test_a_setting_that_the_rule_would_ignore_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make_optimizer(OptimizerConfig(**options), steps=1)
