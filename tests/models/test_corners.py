"""Networks over the corners of figures: against PyTorch and Keras, and what they can and cannot tell."""

import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.models import Corners
from jaxseq.models.corners import SLOPE
from jaxseq.ops.logistic_loss import logistic_loss

FORMS = {
    "first": {"points": (1,), "activation": "relu"},
    "second": {"points": (3, 1)},
    "with bias": {"points": (3, 1), "bias": True},
    "wide": {"points": (5, 4, 2), "activation": "relu", "bias": True},
    "linear": {"points": (3, 1), "activation": "none"},
}
every_form = pytest.mark.parametrize("form", FORMS)
CORNERS = np.random.default_rng(0).standard_normal((6, 4, 2)).astype(np.float32)
LABELS = np.array([0, 1, 1, 0, 1, 0], np.int32)


def begun(form):
    model = Corners(**FORMS[form])
    params = model.init(jax.random.key(0), CORNERS)["params"]
    random = np.random.default_rng(1)
    return model, jax.tree.map(lambda leaf: leaf + random.normal(0, 0.2, leaf.shape).astype(np.float32), params)


def layers_of(model, params):
    """Kernel, bias and activation of every layer, in order."""
    names = [f"point_{at}" for at in range(len(model.points))]
    last = len(names) - 1
    kinds = [model.activation if at == 0 or at < last else "none" for at in range(len(names))] + ["none"]
    return [
        (params[name]["kernel"], params[name].get("bias"), kind)
        for name, kind in zip([*names, "figure"], kinds, strict=True)
    ]


def ours(model, params):
    """Logits, and the gradient of the mean loss."""

    def loss_of(params):
        logits = model.apply({"params": params}, CORNERS)
        loss, _ = logistic_loss(logits, LABELS)
        return loss.total / loss.count, logits

    gradient, logits = jax.grad(loss_of, has_aux=True)(params)
    return logits, gradient


def of_pytorch(model, params):
    pairs, x = [], torch.tensor(CORNERS)
    for at, (kernel, bias, kind) in enumerate(layers_of(model, params)):
        layer = torch.nn.Linear(*kernel.shape, bias=bias is not None)
        layer.weight.data = torch.tensor(np.array(kernel).T.copy())
        if bias is not None:
            layer.bias.data = torch.tensor(np.array(bias))
        pairs.append(layer)
        x = layer(x.flatten(1) if at == len(model.points) else x)
        x = {"none": torch.nn.Identity(), "relu": torch.nn.ReLU(), "leaky_relu": torch.nn.LeakyReLU(SLOPE)}[kind](x)
    torch.nn.functional.binary_cross_entropy_with_logits(x[:, 0], torch.tensor(LABELS, dtype=torch.float32)).backward()
    names = [*(f"point_{at}" for at in range(len(model.points))), "figure"]
    gradient = {
        name: {
            "kernel": layer.weight.grad.T.numpy(),
            **({} if layer.bias is None else {"bias": layer.bias.grad.numpy()}),
        }
        for name, layer in zip(names, pairs, strict=True)
    }
    return x[:, 0].detach().numpy(), gradient


@every_form
def test_logits_and_gradients_are_pytorch_s(form):
    model, params = begun(form)
    (logits, gradient), (expected, expected_gradient) = ours(model, params), of_pytorch(model, params)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert jax.tree.structure(gradient) == jax.tree.structure(expected_gradient)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), gradient, expected_gradient)


@every_form
def test_logits_are_keras_s(form):
    model, params = begun(form)
    inputs = x = keras.Input((4, 2))
    made = layers_of(model, params)
    for at, (kernel, bias, kind) in enumerate(made):
        x = keras.layers.Flatten()(x) if at == len(model.points) else x
        dense = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None)
        x = dense(x)
        dense.set_weights([np.array(kernel), *([] if bias is None else [np.array(bias)])])
        x = {"none": lambda x: x, "relu": keras.layers.ReLU(), "leaky_relu": keras.layers.LeakyReLU()}[kind](x)
    expected = keras.Model(inputs, x)(CORNERS)
    np.testing.assert_allclose(model.apply({"params": params}, CORNERS), np.asarray(expected)[:, 0], atol=1e-5)


@pytest.mark.parametrize(("points", "bias", "parameters"), [((1,), False, 6), ((3, 1), False, 13), ((3, 1), True, 18)])
def test_the_first_form_has_6_parameters_and_the_second_13(points, bias, parameters):
    params = Corners(points, bias=bias).init(jax.random.key(0), CORNERS)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


def orders(width, height):
    """The corners of one rectangle from every one on and either way round: [8, 4, 2]."""
    corners = [(width, height), (-width, height), (-width, -height), (width, -height)]
    ways = (corners, corners[::-1])
    return np.array([way[start:] + way[:start] for way, start in itertools.product(ways, range(4))], np.float32) / 2


weight = st.integers(-200, 200).map(lambda number: number / 100)
side = st.integers(10, 200).map(lambda number: number / 100)


def right_of(model, params, wide):
    """Of the orders of a wide rectangle and of the same one turned upright, how many are told apart rightly."""
    logits = [np.asarray(model.apply({"params": params}, orders(*sides))) for sides in (wide, wide[::-1])]
    return int((logits[0] > 0).sum() + (logits[1] <= 0).sum())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@given(kernel=st.tuples(weight, weight), figure=st.tuples(*[weight] * 4), sides=st.tuples(side, side))
def test_six_parameters_are_right_about_three_quarters_at_the_most_whatever_they_are(activation, kernel, figure, sides):
    """Opposite corners lie opposite each other from the origin, so that one number, |ax + by|, belongs to each pair:
    a larger one A and a smaller one B. With places i and j one behind the other, a figure comes as (A, B) and as
    (B, A) there, and of the two logits p A + q B and p B + q A one has the same sign for all figures."""
    model = Corners((1,), activation)
    params = {"point_0": {"kernel": np.float32(kernel)[:, None]}, "figure": {"kernel": np.float32(figure)[:, None]}}
    wide = max(sides), min(sides)
    logits = np.concatenate([model.apply({"params": params}, orders(*each)) for each in (wide, wide[::-1])])
    if np.abs(logits).min() > 1e-4:  # not a matter of rounding
        assert right_of(model, params, wide) <= 12


@given(sides=st.tuples(side, side), figure=st.tuples(*[weight] * 4), seed=st.integers(0, 99))
def test_without_an_activation_exactly_half_are_right_whatever_the_parameters(sides, figure, seed):
    """A figure turned by half a turn is itself in another order, and its logit the opposite."""
    model = Corners((3, 1), "none")
    params = model.init(jax.random.key(seed), CORNERS)["params"]
    params = {**params, "figure": {"kernel": jnp.asarray(figure, jnp.float32)[:, None]}}
    wide = max(sides), min(sides)
    logits = np.concatenate([model.apply({"params": params}, orders(*each)) for each in (wide, wide[::-1])])
    if np.abs(logits).min() > 1e-4:
        assert right_of(model, params, wide) == 8


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@given(sides=st.tuples(side, side))
def test_thirteen_parameters_say_width_minus_height(activation, sides):
    """relu(x) - relu(y), added up over the corners, is the width less the height."""
    params = {
        "point_0": {"kernel": np.array([[1, 0, 0], [0, 1, 0]], np.float32)},
        "point_1": {"kernel": np.array([[1], [-1], [0]], np.float32)},
        "figure": {"kernel": np.ones((4, 1), np.float32)},
    }
    logits = Corners((3, 1), activation).apply({"params": params}, orders(*sides))
    expected = (sides[0] - sides[1]) * (1 if activation == "relu" else 1 - SLOPE)
    np.testing.assert_allclose(logits, np.full(8, expected), atol=1e-5)
