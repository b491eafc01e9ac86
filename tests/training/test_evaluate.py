"""Metrics over a whole split."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_training import ROWS, ToyLoader, loss_fn, toy_devices, toy_params

from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.ops.objective import EVALUATION
from jaxseq.training.devices import choose_devices
from jaxseq.training.evaluate import Evaluator


def by_hand(loader, steps, carry):
    variables, sums = {"params": toy_params()}, {}
    for step in range(steps):
        tallies, new, _ = loss_fn(variables, carry, loader(step), EVALUATION)
        carry = None if carry is None else new
        for name, tally in tallies.items():
            total, count = sums.get(name, (0.0, 0.0))
            sums[name] = total + float(tally.total), count + float(tally.count)
    return {name: total / count for name, (total, count) in sums.items()}


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_an_evaluation_is_that_of_a_plain_loop(devices, carried, steps):
    carry = jnp.zeros((ROWS, 5)) if carried else None
    evaluator = Evaluator(loss_fn, parallel=toy_devices(devices), metrics=TOKEN_METRICS, steps_per_dispatch=3)
    metrics = evaluator({"params": toy_params()}, ToyLoader(seed=1), steps=steps, carry=carry)
    for name, value in by_hand(ToyLoader(seed=1), steps, carry).items():
        assert metrics[name] == pytest.approx(value, rel=1e-6)
    assert metrics["tokens"] == sum(int(ToyLoader(seed=1)(step)["mask"].sum()) for step in range(steps))
    assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))


def test_parameters_and_carry_given_stay_usable():
    evaluator = Evaluator(loss_fn, parallel=choose_devices(1, ROWS)[0])
    params, carry = toy_params(), jnp.zeros((ROWS, 5))
    variables = {"params": params}
    first = evaluator(variables, ToyLoader(), steps=4, carry=carry)
    assert evaluator(variables, ToyLoader(), steps=4, carry=carry) == first
    assert jax.tree.map(float, jax.tree.map(jnp.sum, params)) == {"kernel": pytest.approx(1.5), "bias": 0.0}


def test_no_batches_give_no_metrics():
    evaluator = Evaluator(loss_fn, parallel=choose_devices(1, ROWS)[0])
    assert evaluator({"params": toy_params()}, ToyLoader(), steps=0) == {}
