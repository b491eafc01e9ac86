"""The debug switch names the operation that made the first NaN or infinity."""

import inspect

import jax
import jax.numpy as jnp
import pytest
from small_language_models import transformer_model
from toy_training import ToyLoader, loss_fn, toy_optimizer, toy_state

from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossOutput
from jaxseq.training.nonfinite import explain_nonfinite


def line_of(function, text):
    """ "file:line" of the line of `function` that holds `text`."""
    lines, first = inspect.getsourcelines(function)
    (offset,) = [i for i, line in enumerate(lines) if text in line]
    return f"{inspect.getsourcefile(function)}:{first + offset} "


def explain(score, x, devices=1):
    """The explanation for a loss of score(w, x), with w = 1."""

    def loss(variables, carry, batch, context):
        return LossOutput({"loss": Tally(score(variables["params"]["w"], batch["x"]), jnp.float32(1))}, carry)

    state = toy_state(toy_optimizer(), carried=False)._replace(params={"w": jnp.ones(())})
    return explain_nonfinite(loss, state, {"x": x}, devices)


def test_a_logarithm_of_zero_is_named_with_its_line():
    state = toy_state(toy_optimizer())
    told = explain_nonfinite(loss_fn, state, ToyLoader(poisoned=(0,))(0))
    assert told.startswith("infinity from log at ")
    assert line_of(loss_fn, "jnp.log(batch") in told


def test_a_finite_step_has_nothing_to_blame():
    assert "every operation is finite" in explain_nonfinite(loss_fn, toy_state(toy_optimizer()), ToyLoader()(0))


def test_a_division_of_zero_by_zero_inside_a_scan_is_named():
    def score(w, xs):
        def body(total, x):
            ratio = x / (x * w)
            return total + ratio, ratio

        return jax.lax.scan(body, 0.0, xs)[0]

    told = explain(score, jnp.array([1.0, 2.0, 0.0, 3.0]))
    assert told.startswith("NaN from div at ")
    assert line_of(score, "ratio = x") in told


def test_a_gradient_that_breaks_while_the_loss_does_not_is_traced_to_the_forward_line():
    def score(w, x):
        return jnp.sqrt(w - x).sum()

    told = explain(score, jnp.ones(2))
    assert told.startswith("infinity from div at ")
    assert line_of(score, "jnp.sqrt") in told


def test_the_backward_pass_of_a_custom_rule_inside_a_scan_is_entered():
    @jax.custom_vjp
    def double(x):
        return 2 * x

    def forward(x):
        return 2 * x, x

    def backward(x, g):
        return (g * jnp.log(x - x),)

    double.defvjp(forward, backward)

    def score(w, xs):
        return jax.lax.scan(lambda total, x: (total + double(w * x), None), 0.0, xs)[0]

    told = explain(score, jnp.ones(3))
    assert told.startswith("infinity from log in the gradient of ")
    assert line_of(score, "double(w") in told


def test_a_fully_masked_softmax_is_told_with_the_mask_it_comes_from():
    def score(w, x):
        masked = jnp.where(x > 5, w * x, -jnp.inf)
        shifted = masked - masked.max()
        return jnp.exp(shifted).sum()

    told = explain(score, jnp.ones(3))
    assert told.startswith("NaN from sub at ")
    assert line_of(score, "shifted = ") in told
    assert ", given infinity from " in told
    assert line_of(score, "masked = ") in told


def test_what_is_masked_away_is_not_blamed():
    def score(w, x):
        harmless = jnp.where(x > 0, 1 / x, 0.0)
        return (w * harmless).sum() + jnp.log(w - 1)

    told = explain(score, jnp.array([0.0, 1.0]))
    assert told.startswith("infinity from log at ")


def test_a_library_function_is_blamed_where_it_was_called():
    def first(w, x):
        return jnp.linalg.norm(w * x)

    def second(w, x):
        return jnp.linalg.norm(w * x)

    explain(first, jnp.zeros(3))
    told = explain(second, jnp.zeros(3))
    assert line_of(second, "norm") in told


@pytest.mark.parametrize("loop", ["while", "cond", "checkpoint"])
def test_other_control_flow_is_entered(loop):
    def bad(w):
        return jnp.log(w - w)

    def score(w, x):
        if loop == "while":
            w = jax.lax.stop_gradient(w)
            return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + bad(w)), (0, 0.0))[1] + w
        if loop == "cond":
            return jax.lax.cond(x[0] > 0, bad, lambda w: w, w)
        return jax.checkpoint(bad)(w)

    told = explain(score, jnp.ones(2))
    assert told.startswith("infinity from log at ")
    assert line_of(bad, "jnp.log") in told


def test_bad_input_is_named():
    told = explain(lambda w, x: (w * x).sum(), jnp.array([1.0, jnp.nan]))
    assert told == "NaN from the batch ['x']"


def test_the_share_of_every_device_is_looked_at():
    def score(w, x):
        return jnp.log(w * x).sum()

    assert explain(score, jnp.array([1.0, 1.0, 1.0, 0.0]), devices=2).startswith("infinity from log at ")


def test_a_nan_that_a_layer_takes_out_and_puts_back_is_named_by_where_it_came_from():
    model = transformer_model(size=5, features=4, layers=1, heads=2, context=4)
    tokens = jnp.array([[0, 3, 1]], jnp.int32)
    params = jax.jit(model.init)(jax.random.key(0), tokens)["params"]
    params["embedding"] = params["embedding"].at[3].set(jnp.nan)

    def loss(variables, carry, batch, context):
        return LossOutput(*model.apply(variables, batch, batch, method="loss"))

    state = toy_state(toy_optimizer(), carried=False)._replace(params=params)
    assert explain_nonfinite(loss, state, tokens) == "NaN from the parameter ['embedding']"
