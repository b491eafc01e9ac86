"""Autoencoders against the same ones in PyTorch and in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from jaxseq.models import Autoencoder
from jaxseq.ops.picture_layers import Convolution, MaxPool, Upsample
from jaxseq.ops.reconstruction import pixel_losses

FORMS = {
    "nearest": {},
    "128 numbers": {"filters": (16, 8, 8)},
    "transposed": {"padding": "valid", "poolings": 2, "pool_padding": "valid", "transposed": True},
    "nails": {"upsampling": "nails"},
    "unpool": {"upsampling": "unpool", "decoder_padding": ("same",)},
    "in colour": {"channels": 3, "filters": (6, 5), "poolings": 1, "upsamplings": 1, "decoder_padding": ("same",)},
}
every_form = pytest.mark.parametrize("form", FORMS)


def pictures(channels: int, count: int) -> np.ndarray:
    """Spots of grey on black, as digits are: whole windows of a pooling are alike."""
    random = np.random.default_rng(2)
    grey = random.random((count, 28, 28, channels), np.float32)
    grey[:, :6] = grey[:, :, :5] = 0
    return grey


def begun(form: str, count: int = 3):
    """A model, its variables with biases that are not zero, and pictures."""
    model = Autoencoder(**FORMS[form])
    x = pictures(model.channels, count)
    variables = jax.jit(model.init)(jax.random.key(1), x)
    random = np.random.default_rng(3)
    return model, jax.tree.map(lambda leaf: leaf + random.normal(0, 0.1, leaf.shape).astype(np.float32), variables), x


def ours(model, variables, x):
    """Logits, loss, squared error and gradient of the loss."""

    @jax.jit
    def run(variables):
        def loss_of(variables):
            logits = model.apply(variables, x)
            loss, error = pixel_losses(logits, x)
            return loss.total / loss.count, (logits, error.total / error.count)

        return jax.value_and_grad(loss_of, has_aux=True)(variables)

    (loss, (logits, error)), gradient = run(variables)
    return logits, float(loss), float(error), gradient["params"]


def kernels_of(model, params):
    """Every convolution with its parameters, in the order of the way through."""
    for part, layers in (("encoder", model.encoder_layers), ("decoder", model.decoder_layers)):
        convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
        assert set(params[part]) == {f"conv_{i}" for i in range(len(convolutions))}
        for i, layer in enumerate(convolutions):
            yield layer, (part, f"conv_{i}"), params[part][f"conv_{i}"]


def torch_logits(model, weights: dict, x: Tensor) -> Tensor:
    """By PyTorch's functions, for kernels of 3 x 3; weights are in PyTorch's layout."""
    remembered, left = [], list(weights.values())
    for layer in (*model.encoder_layers, *model.decoder_layers):
        match layer:
            case Convolution(transposed=transposed, padding=padding, activation=activation):
                kernel, bias = left.pop(0)
                apply = F.conv_transpose2d if transposed else F.conv2d
                x = apply(x, kernel, bias, padding=int(padding == "same"))
                x = F.relu(x) if activation == "relu" else x
            case MaxPool(padding=padding):
                size = x.shape
                x, places = F.max_pool2d(x, 2, ceil_mode=padding == "same", return_indices=True)
                remembered.append((places, size))
            case Upsample(kind="nearest"):
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            case Upsample(kind="nails"):
                x = F.conv_transpose2d(
                    x, torch.tensor([[[[1.0, 0], [0, 0]]]] * x.shape[1]), stride=2, groups=x.shape[1]
                )
            case Upsample():
                places, size = remembered.pop()
                x = F.max_unpool2d(x, places, 2, output_size=size)
    assert not left
    return x


@every_form
def test_logits_losses_and_gradients_are_those_of_pytorch(form):
    model, variables, x = begun(form, count=17)
    logits, loss, error, gradient = ours(model, variables, x)
    weights = {}
    for layer, path, own in kernels_of(model, variables["params"]):
        order = (2, 3, 0, 1) if layer.transposed else (3, 2, 0, 1)
        kernel = torch.tensor(np.transpose(own["kernel"], order), requires_grad=True)
        weights[path] = kernel, torch.tensor(np.array(own["bias"]), requires_grad=True)
    y = torch.tensor(x).permute(0, 3, 1, 2)
    theirs = torch_logits(model, weights, y)
    lost = F.binary_cross_entropy_with_logits(theirs, y)
    lost.backward()
    np.testing.assert_allclose(logits, theirs.detach().permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    assert loss == pytest.approx(lost.item(), rel=1e-5)
    assert error == pytest.approx(F.mse_loss(theirs.sigmoid(), y).item(), rel=1e-5)
    for layer, path, own in kernels_of(model, gradient):
        kernel, bias = (each.grad for each in weights[path])
        kernel = kernel.permute(2, 3, 0, 1) if layer.transposed else kernel.permute(2, 3, 1, 0)
        np.testing.assert_allclose(own["kernel"], kernel, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(own["bias"], bias, rtol=1e-3, atol=1e-6)


def keras_model(model) -> keras.Model:
    layers = [keras.Input((28, 28, model.channels))]
    for layer in (*model.encoder_layers, *model.decoder_layers):
        match layer:
            case Convolution(features, kernel, padding, transposed, activation):
                make = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
                last = activation == "linear"
                layers.append(make(features, kernel, padding=padding, activation="sigmoid" if last else activation))
            case MaxPool(window, padding):
                layers.append(keras.layers.MaxPooling2D(window, padding=padding))
            case Upsample(_, factor):
                layers.append(keras.layers.UpSampling2D(factor))
    return keras.Sequential(layers)


@pytest.mark.parametrize("form", ["nearest", "transposed"])
def test_reconstructions_losses_and_gradients_are_those_of_keras(form):
    model, variables, x = begun(form)
    logits, loss, _, gradient = ours(model, variables, x)
    theirs = keras_model(model)
    axes = {
        path: (0, 1, 3, 2) if layer.transposed else (0, 1, 2, 3)
        for layer, path, _ in kernels_of(model, variables["params"])
    }
    values = [
        value
        for _, path, own in kernels_of(model, variables["params"])
        for value in (np.transpose(own["kernel"], axes[path]), own["bias"])
    ]
    theirs.set_weights(values)

    @jax.jit
    def run(values):
        def loss_of(values):
            made, _ = theirs.stateless_call(values, [], x)
            return keras.losses.BinaryCrossentropy()(x, made), made

        return jax.value_and_grad(loss_of, has_aux=True)(values)

    (lost, made), gradients = run([jnp.asarray(value) for value in values])
    np.testing.assert_allclose(jax.nn.sigmoid(logits), made, rtol=1e-4, atol=1e-6)
    assert loss == pytest.approx(float(lost), rel=1e-5)
    for i, (_, path, own) in enumerate(kernels_of(model, gradient)):
        np.testing.assert_allclose(np.transpose(own["kernel"], axes[path]), gradients[2 * i], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(own["bias"], gradients[2 * i + 1], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "code", "counts"),
    [
        ("nearest", (4, 4, 4), (160, 1160, 292, 148, 296, 1168, 145)),
        ("128 numbers", (4, 4, 8), (160, 1160, 584, 584, 584, 1168, 145)),
        ("transposed", (3, 3, 4), (160, 1160, 292, 148, 296, 1168, 145)),
        ("unpool", (4, 4, 4), (160, 1160, 292, 148, 296, 1168, 145)),
    ],
)
def test_codes_and_parameters_are_as_many_as_counted_by_hand(form, code, counts):
    """9 x 1 x 16 + 16 = 160, 9 x 16 x 8 + 8 = 1,160, 9 x 8 x 4 + 4 = 292 down; 9 x 4 x 4 + 4 = 148 and so on up."""
    model, variables, x = begun(form)
    found = [own["kernel"].size + own["bias"].size for _, _, own in kernels_of(model, variables["params"])]
    assert tuple(found) == counts
    assert model.apply(variables, x, method="encode").shape[1:] == code
    encoder, decoder = model.shapes(28, 28)
    assert (encoder[-1], decoder[-1]) == (code, (28, 28, 1))


def test_the_way_of_the_sizes_is_the_published_one():
    heights = [[height for height, _, _ in shapes] for shapes in Autoencoder(**FORMS["transposed"]).shapes(28, 28)]
    assert heights == [[26, 13, 11, 5, 3], [3, 6, 6, 12, 14, 28, 28]]


@pytest.mark.parametrize(
    ("options", "size", "told"),
    [
        (
            {},
            (32, 32),
            "pictures of 32 x 32 come back as 28 x 28 .*by way of 32 x 32, 16 x 16, 8 x 8, 4 x 4 and 4 x 4, ",
        ),
        ({}, (28, 31), "pictures of 28 x 31 come back as 28 x 28"),
        ({"padding": "valid"}, (4, 4), "1 pixels are fewer than its window of 3"),
        (
            {"poolings": 2, "upsampling": "unpool"},
            (28, 28),
            "layer 7 of the stack, .* meets the places that a MaxPool found",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_sizes(options, size, told):
    with pytest.raises(ValueError, match=told):
        Autoencoder(**options).shapes(*size)


@pytest.mark.parametrize(("size", "paddings"), [((32, 32), "same"), ((16, 40), "same"), ((28, 60), "valid")])
def test_pictures_of_other_sizes_come_back_in_theirs(size, paddings):
    model = Autoencoder(filters=(4, 3, 2), decoder_padding=("same", "same", paddings))
    assert model.shapes(*size)[1][-1] == (*size, 1)
    x = jax.ShapeDtypeStruct((2, *size, 1), jnp.float32)
    assert jax.eval_shape(model.init_with_output, jax.random.key(0), x)[0].shape == x.shape


def test_a_picture_does_not_depend_on_those_beside_it():
    model, variables, x = begun("unpool")
    apply = jax.jit(model.apply)
    np.testing.assert_allclose(apply(variables, x)[1:2], apply(variables, x[1:2]), rtol=1e-5, atol=1e-6)


def test_it_computes_in_bfloat16_and_keeps_its_parameters():
    model = Autoencoder(dtype=jnp.bfloat16)
    x = pictures(1, 2)
    logits, variables = jax.jit(model.init_with_output)(jax.random.key(0), x)
    assert logits.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    exact = jax.jit(Autoencoder().apply)(variables, x)
    np.testing.assert_allclose(logits.astype(jnp.float32), exact, atol=0.03)
