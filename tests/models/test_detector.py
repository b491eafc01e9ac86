"""Detectors against the same ones in PyTorch and Keras, and how many parameters they have."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jaxseq.models import Detector
from jaxseq.ops.logistic_loss import logistic_loss
from jaxseq.ops.pixel_convolution import PixelScale

SCALE = PixelScale((0.45, 0.5, 0.55), (0.3, 0.25, 0.2))
FORMS = {
    "one convolution": {},
    "with bias": {"bias": True},
    "unit alone": {"filters": ()},
    "overlapping and pooled": {"filters": (6,), "stride": 2, "pool": 2},
    "stack of 3 x 3": {"filters": (4, 5), "kernel": 3, "stride": 1, "padding": "same", "pool": 2, "bias": True},
    "mean over places": {"places": "mean"},
    "maximum over places": {"places": "max", "filters": (5, 4), "kernel": 3, "stride": 2},
}
every_form = pytest.mark.parametrize("form", FORMS)
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 20, 32, 3), np.uint8)
LABELS = np.array([1, 0, 1], np.int32)
SCALED = ((PIXELS / 255 - np.array(SCALE.mean)) / np.array(SCALE.deviation)).astype(np.float32)


def begun(form):
    model = Detector(SCALE, **FORMS[form])
    params = model.init(jax.random.key(0), PIXELS)["params"]
    random = np.random.default_rng(1)
    return model, jax.tree.map(lambda leaf: leaf + random.normal(0, 0.2, leaf.shape).astype(np.float32), params)


def ours(model, params):
    """Logits, and the gradient of the mean loss."""

    def loss_of(params):
        logits = model.apply({"params": params}, PIXELS)
        loss, _ = logistic_loss(logits, LABELS)
        return loss.total / loss.count, logits

    gradient, logits = jax.jit(jax.grad(loss_of, has_aux=True))(params)
    return logits, gradient


def of_pytorch(model, params):
    given = jax.tree.map(lambda leaf: torch.tensor(np.array(leaf), requires_grad=True), params)
    x = torch.tensor(SCALED).permute(0, 3, 1, 2)
    for at in range(len(model.filters)):
        layer = given[f"convolution_{at}"]
        before = 1 if model.padding == "same" else 0  # of kernels of 3 with stride 1
        kernel = layer["kernel"].permute(3, 2, 0, 1)
        x = F.relu(F.conv2d(x, kernel, layer.get("bias"), stride=model.stride, padding=before))
        x = F.max_pool2d(x, model.pool) if model.pool > 1 else x
    x = x.permute(0, 2, 3, 1)
    x = {"each": lambda x: x.flatten(1), "mean": lambda x: x.mean((1, 2)), "max": lambda x: x.amax((1, 2))}[
        model.places
    ](x)
    logits = F.linear(x, given["unit"]["kernel"], given["unit"].get("bias"))[:, 0]
    F.binary_cross_entropy_with_logits(logits, torch.tensor(LABELS, dtype=torch.float32)).backward()
    return logits.detach().numpy(), jax.tree.map(lambda leaf: leaf.grad.numpy(), given)


@every_form
def test_logits_and_gradients_are_pytorch_s(form):
    model, params = begun(form)
    (logits, gradient), (expected, expected_gradient) = ours(model, params), of_pytorch(model, params)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4), gradient, expected_gradient
    )


@every_form
def test_logits_are_keras_s(form):
    model, params = begun(form)
    inputs = x = keras.Input(SCALED.shape[1:])
    weights = []
    for at, features in enumerate(model.filters):
        options = {"strides": model.stride, "padding": model.padding, "use_bias": model.bias, "activation": "relu"}
        x = keras.layers.Conv2D(features, model.kernel, **options)(x)
        x = keras.layers.MaxPooling2D(model.pool)(x) if model.pool > 1 else x
        weights += [params[f"convolution_{at}"][name] for name in ("kernel", "bias") if name == "kernel" or model.bias]
    pooled = {"mean": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    x = pooled.get(model.places, keras.layers.Flatten)()(x)
    network = keras.Model(inputs, keras.layers.Dense(1, use_bias=model.bias)(x))
    weights += [params["unit"]["kernel"].T, *([params["unit"]["bias"]] if model.bias else [])]
    network.set_weights([np.array(each) for each in weights])
    logits = model.apply({"params": params}, PIXELS)
    np.testing.assert_allclose(logits, np.asarray(network(SCALED))[:, 0], rtol=1e-4, atol=1e-4)


def test_that_of_pictures_of_1920_by_1080_has_1_200_and_1_327_104_parameters():
    pictures = jax.ShapeDtypeStruct((8, 1080, 1920, 3), jnp.uint8)
    model = Detector(SCALE)
    params = jax.eval_shape(model.init, jax.random.key(0), pictures)["params"]
    assert params["convolution_0"]["kernel"].shape == (5, 5, 3, 16)
    assert 5 * 5 * 3 * 16 == 1_200
    assert params["unit"]["kernel"].shape == (1, 1_327_104)
    assert set(params["unit"]) == set(params["convolution_0"]) == {"kernel"}
    maps = jax.eval_shape(lambda params, x: model.apply({"params": params}, x, method="maps"), params, pictures)
    assert maps.shape == (8, 216, 384, 16)


def test_a_unit_begins_by_saying_nothing():
    model = Detector(SCALE)
    assert not np.any(model.init_with_output(jax.random.key(0), PIXELS)[0])


def test_a_picture_s_logit_follows_from_it_alone():
    model, params = begun("one convolution")
    alone = [model.apply({"params": params}, PIXELS[at : at + 1])[0] for at in range(len(PIXELS))]
    np.testing.assert_allclose(model.apply({"params": params}, PIXELS), alone, rtol=1e-5)
