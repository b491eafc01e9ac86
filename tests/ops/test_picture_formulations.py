"""Stacks of picture layers: both formulations against each other on values and gradients, and against Keras."""

from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxseq.ops import picture_stack
from jaxseq.ops.batch_last_stack import chunk_size, faster_for, run_in_chunks
from jaxseq.ops.picture_layers import Convolution, MaxPool, Upsample, output_shapes
from jaxseq.ops.picture_stack import ConvolutionWeights, run_by_layers, run_stack
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel

SAME = Convolution(3), MaxPool(2, "same"), Convolution(2), MaxPool(2, "same"), Convolution(2), MaxPool(2, "same")
LAST = Convolution(1, activation="linear")
STACKS = {
    "nearest": (
        *(*SAME, Convolution(2), Upsample(), Convolution(3), Upsample()),
        *(Convolution(2, padding="valid"), Upsample(), LAST),
    ),
    "transposed": (
        *(Convolution(3, padding="valid"), MaxPool(2), Convolution(2, padding="valid"), MaxPool(2)),
        *(Convolution(2, transposed=True), Upsample(), Convolution(2, transposed=True), Upsample()),
        *(Convolution(3, padding="valid", transposed=True), Upsample(), Convolution(1, transposed=True)),
    ),
    "unpool": (*SAME, Upsample("unpool"), Convolution(2), Upsample("unpool"), Convolution(3), Upsample("unpool"), LAST),
    "nails": (*SAME, Upsample("nails"), Convolution(2), Upsample("nails"), Convolution(2), LAST),
    "alone": (MaxPool(2, "same"), Upsample("nails"), Upsample(factor=3), MaxPool(2)),
    "sigmoid": (Convolution(2, activation="sigmoid"), MaxPool(2), Upsample(), Convolution(1, activation="sigmoid")),
    "wide": (Convolution(5, 5), MaxPool(3, "same"), Convolution(20, 1), Upsample(factor=3), Convolution(2, 4)),
}


def drawn(layers, channels, dtype=np.float32, *, seed=0):
    """Weights."""
    rng, weights = np.random.default_rng(seed), []
    for layer in layers:
        if isinstance(layer, Convolution):
            shape = (layer.kernel, layer.kernel, channels, layer.features)
            kernel = rng.normal(size=shape) / np.sqrt(np.prod(shape[:3]))
            weights.append(
                ConvolutionWeights(kernel.astype(dtype), rng.normal(size=shape[3:], scale=0.1).astype(dtype))
            )
            channels = layer.features
        else:
            weights.append(None)
    return tuple(weights)


def pictures(*shape, dtype=np.float32, seed=1):
    """Half of the pixels are 0 or 1, as those of digits are, so that maxima are equal."""
    x = np.random.default_rng(seed).uniform(-0.5, 1.5, shape)
    return np.clip(x, 0, 1).astype(dtype)


@partial(jax.jit, static_argnums=(0, 1))
def value_and_gradients(run, layers, weights, x):
    def loss(weights, x):
        y = run(layers, weights, x)
        y = y[0] if isinstance(y, tuple) else y
        return (jnp.sin(3 * y + jnp.arange(y.shape[2])[:, None])).sum(), y

    (_, y), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(weights, x)
    return y, gradients


def assert_same(ours, theirs, tolerance):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1e-30, float(np.abs(b).max())))


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize(("count", "size"), [(32, (28, 28)), (50, (13, 19))])
def test_both_formulations_are_equal_in_float64(name, count, size):
    with jax.enable_x64(True):
        layers, x = STACKS[name], pictures(count, *size, 2, dtype=np.float64)
        weights = drawn(layers, 2, np.float64)
        ours, theirs = (value_and_gradients(run, layers, weights, x) for run in (run_in_chunks, run_by_layers))
        assert_same(ours, theirs, 1e-10)
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(ours))


sides, kinds = st.integers(1, 11), st.sampled_from(["same", "valid"])
convolutions = st.builds(
    Convolution,
    st.integers(1, 4),
    st.integers(1, 5),
    kinds,
    st.booleans(),
    st.sampled_from(["linear", "relu", "sigmoid"]),
)
stacks = st.lists(
    st.one_of(
        convolutions,
        convolutions,
        st.builds(MaxPool, st.integers(1, 4), kinds),
        st.builds(Upsample, st.sampled_from(["nearest", "nails", "unpool"]), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=20)
@given(stacks, st.tuples(sides, sides, st.integers(1, 3)), st.integers(1, 40))
def test_both_formulations_of_any_stack_are_equal(layers, shape, count):
    layers = tuple(layers)
    try:
        shapes = output_shapes(layers, shape)
    except ValueError:
        assume(False)
    assume(max(map(np.prod, shapes)) < 2000)
    with jax.enable_x64(True):
        x, weights = pictures(count, *shape, dtype=np.float64), drawn(layers, shape[2], np.float64)
        ours, theirs = (value_and_gradients(run, layers, weights, x) for run in (run_in_chunks, run_by_layers))
        assert ours[0].shape == (count, *shapes[-1])
        assert_same(ours, theirs, 1e-9)


@pytest.mark.parametrize("name", ["nearest", "transposed", "unpool"])
def test_both_formulations_are_equal_in_float32(name):
    layers, x = STACKS[name], np.random.default_rng(2).random((40, 14, 14, 1), np.float32)
    weights = drawn(layers, 1)
    ours, theirs = (value_and_gradients(run, layers, weights, x) for run in (run_in_chunks, run_by_layers))
    assert_same(ours, theirs, 1e-5)


def keras_stack(layers, shape):
    made = [keras.Input(shape)]
    for layer in layers:
        match layer:
            case Convolution():
                kind = keras.layers.Conv2DTranspose if layer.transposed else keras.layers.Conv2D
                made.append(kind(layer.features, layer.kernel, padding=layer.padding, activation=layer.activation))
            case MaxPool():
                made.append(keras.layers.MaxPooling2D(layer.window, padding=layer.padding))
            case Upsample():
                made.append(keras.layers.UpSampling2D(layer.factor))
    return keras.Sequential(made)


@pytest.mark.parametrize("name", ["nearest", "transposed", "sigmoid"])
@pytest.mark.parametrize("run", [run_by_layers, run_in_chunks])
def test_a_stack_is_that_of_keras(name, run):
    layers, x = STACKS[name], pictures(20, 28, 28, 2)
    weights = drawn(layers, 2)
    model = keras_stack(layers, x.shape[1:])
    arrays = []
    for layer, own in zip(layers, weights, strict=True):
        if isinstance(layer, Convolution):
            arrays += [own.kernel.swapaxes(2, 3) if layer.transposed else own.kernel, own.bias]
    model.set_weights(arrays)
    y, _ = value_and_gradients(run, layers, weights, x)
    np.testing.assert_allclose(y, model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["nearest", "unpool"])
@pytest.mark.parametrize("run", [run_by_layers, run_in_chunks])
def test_a_damaged_picture_reaches_no_other(name, run):
    layers, x = STACKS[name], pictures(40, 9, 9, 1)
    weights, broken = drawn(layers, 1), x.copy()
    broken[3, 4, 4] = np.nan
    broken[5, 2] = np.inf

    def total(x):
        y = run(layers, weights, x)
        y = y[0] if isinstance(y, tuple) else y
        return y.sum(), y

    expected, found = (jax.jit(jax.grad(total, has_aux=True))(x) for x in (x, broken))
    others = np.delete(np.arange(40), [3, 5])
    for good, bad in zip(expected, found, strict=True):
        np.testing.assert_array_equal(np.asarray(bad)[others], np.asarray(good)[others])
    assert np.isnan(found[1][3]).any()


def test_a_picture_does_not_depend_on_how_many_there_are():
    layers, x = STACKS["nearest"], pictures(50, 12, 12, 1)
    weights = drawn(layers, 1)
    run = jax.jit(partial(run_in_chunks, layers))
    for count in (1, 33):
        np.testing.assert_allclose(run(weights, x[:count]), run(weights, x)[:count], rtol=1e-6, atol=1e-6)


def test_devices_that_share_a_batch_find_the_gradient_of_the_whole():
    layers, x = STACKS["nearest"], pictures(128, 12, 12, 1)
    weights, parallel = drawn(layers, 1), DataParallel.over(2)

    def gradient(weights, x):
        return jax.grad(lambda weights: (run_in_chunks(layers, weights, x) ** 2).sum())(weights)

    def shared(weights, x):
        return jax.lax.psum(gradient(weights, x), parallel.axis)

    found = jax.jit(parallel.shard(shared, (REPLICATED, SHARDED), REPLICATED))(weights, x)
    assert_same(found, jax.jit(gradient)(weights, x), 1e-5)


def test_under_vmap_each_has_its_own_weights():
    layers, x = STACKS["unpool"], np.stack([pictures(16, 8, 8, 1, seed=seed) for seed in range(2)])
    each = [drawn(layers, 1, seed=seed) for seed in range(2)]
    both = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    mapped = jax.jit(jax.vmap(partial(run_in_chunks, layers)))(both, x)
    for number in range(2):
        np.testing.assert_allclose(mapped[number], run_in_chunks(layers, each[number], x[number]), rtol=1e-5, atol=1e-6)


def test_places_go_from_one_stack_to_the_next():
    down, up = STACKS["unpool"][:6], STACKS["unpool"][6:]
    x, weights = pictures(20, 9, 7, 1), drawn(STACKS["unpool"], 1)
    code, places = run_stack(down, weights[:6], x, remember=True)
    assert [one.size for one in places] == [(9, 7), (5, 4), (3, 2)]
    assert [one.index.shape[1:3] for one in places] == [(5, 4), (3, 2), (2, 1)]
    y, rest = run_stack(up, weights[6:], code, places=places)
    assert rest == ()
    np.testing.assert_allclose(y, run_stack((*down, *up), weights, x)[0], rtol=1e-5, atol=1e-6)


def test_the_backend_chooses_the_formulation(monkeypatch):
    seen = []
    layers, x = (Convolution(16), MaxPool(), Convolution(32)), pictures(32, 6, 6, 1)
    for name in ("run_in_chunks", "run_by_layers"):
        real = getattr(picture_stack, name)
        monkeypatch.setattr(
            picture_stack, name, lambda *given, real=real, **how: seen.append(given[0]) or real(*given, **how)
        )
    weights, found = drawn(layers, 1), []
    for backend in ("gpu", "tpu", "cpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        found.append(run_stack(layers, weights, x)[0])
    assert seen == [layers, layers, layers[:2], layers[2:]]
    for y in found[1:]:
        np.testing.assert_allclose(y, found[0], rtol=1e-5, atol=1e-6)


def test_few_pictures_large_or_many_maps_and_short_floats_go_by_layers():
    layers, shape = STACKS["nearest"], (256, 28, 28, 1)
    assert faster_for(layers, shape, jnp.float32) == len(layers)
    assert faster_for(layers, (8, 28, 28, 1), jnp.float32) == 0
    assert faster_for(layers, (256, 400, 400, 1), jnp.float32) == 0
    assert faster_for(layers, shape, jnp.bfloat16) == 0
    few, many = Convolution(16), Convolution(32)
    assert faster_for((few, Convolution(8)), shape, jnp.float32) == 2
    assert faster_for((few, many), shape, jnp.float32) == 0
    assert faster_for((few, MaxPool(), Convolution(8), many, MaxPool()), shape, jnp.float32) == 2
    assert faster_for((few, MaxPool(), many, Convolution(16), Upsample("unpool")), shape, jnp.float32) == 0


@given(st.integers(1, 2000))
def test_chunks_are_full_or_nearly_so(count):
    size, added = chunk_size(count), -count % chunk_size(count)
    assert size % 8 == 0
    assert added < 16
    assert size == 32 or count % 32
