"""Pooling and what goes back up, against PyTorch's, Keras's and plain loops; and what pooling promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from spatial_peers import (
    assert_close,
    channels_first,
    channels_last,
    few_values,
    in_jax,
    in_torch,
    keras,
    on_keras,
    random,
    torch,
)

from jaxseq.ops.convolution import convolve_transposed
from jaxseq.ops.spatial_pooling import (
    bed_of_nails,
    bilinear,
    max_pool,
    max_pool_places,
    max_unpool,
    mean_pool,
    nearest,
)

F = torch.nn.functional
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d}
MEAN_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d}
# size, window, stride, padding on both sides: odd sizes, windows that overlap, that lie apart and that look outside
CASES = [
    ((7,), 2, 2, 0),
    ((8,), 3, 2, 1),
    ((6, 8), 2, 2, 0),
    ((7, 9), (2, 3), (2, 3), 0),
    ((7, 9), 3, 2, 1),
    ((7, 8), 3, 1, 1),
    ((7, 8), 2, 3, 0),
    ((9, 12), (5, 7), (1, 2), 2),
]


@pytest.mark.parametrize(("size", "window", "stride", "pad"), CASES)
def test_a_max_pooling_equals_pytorchs_on_values_gradients_and_places(size, window, stride, pad):
    x, padding = few_values(2, *size, 3), [(pad, pad)] * len(size)

    def theirs(x):
        return channels_last(MAX_POOL[len(size)](channels_first(x), window, stride, pad))

    values, d_x = expected = in_torch(theirs, x)
    assert_close(in_jax(lambda x: max_pool(x, window, stride, padding), x), expected)
    _, places = MAX_POOL[len(size)](channels_first(torch.tensor(x)), window, stride, pad, return_indices=True)
    ours, places_of_ours = jax.jit(lambda x: max_pool_places(x, window, stride, padding))(x)
    np.testing.assert_array_equal(ours, values)
    np.testing.assert_array_equal(places_of_ours, channels_last(places))
    assert d_x.any()


@pytest.mark.parametrize(("size", "window", "stride", "pad"), CASES)
def test_a_mean_pooling_equals_pytorchs_that_does_not_count_padding(size, window, stride, pad):
    def theirs(x):
        y = MEAN_POOL[len(size)](channels_first(x), window, stride, pad, count_include_pad=False)
        return channels_last(y)

    def ours(x):
        return mean_pool(x, window, stride, [(pad, pad)] * len(size))

    x = random(2, *size, 3)
    assert_close(in_jax(ours, x), in_torch(theirs, x))


@on_keras
@pytest.mark.parametrize(("size", "window", "stride", "_"), CASES)
def test_both_poolings_equal_keras_padding_the_same_and_none(size, window, stride, _):
    x = random(2, *size, 3)
    for padding in ("same", "valid"):
        for ours, theirs in ((max_pool, keras.ops.max_pool), (mean_pool, keras.ops.average_pool)):
            expected = in_jax(lambda x, call=theirs, p=padding: call(x, window, stride, p), x)
            assert_close(in_jax(lambda x, call=ours, p=padding: call(x, window, stride, p), x), expected)


def test_windows_lie_side_by_side_unless_a_stride_is_given():
    x = random(1, 7, 9, 2)
    np.testing.assert_array_equal(max_pool(x, (2, 3)), max_pool(x, (2, 3), (2, 3)))
    np.testing.assert_array_equal(mean_pool(x, 3), mean_pool(x, 3, 3))


def test_of_equals_the_first_row_by_row_has_the_gradient_alone():
    x = np.zeros((1, 3, 3, 1), np.float32)
    x[0, 0, 2] = x[0, 1, 0] = 5
    gradient = jax.jit(jax.grad(lambda x: max_pool(x, 3).sum()))(x)
    assert np.argwhere(gradient).tolist() == [[0, 0, 2, 0]]
    assert gradient.sum() == 1
    places = jax.jit(lambda x: max_pool_places(x, 2)[1])(np.ones((1, 4, 1), np.float32))
    assert places[0, :, 0].tolist() == [0, 2]


def test_padding_is_never_a_maximum_however_low_the_values():
    x = np.full((1, 3, 3, 1), -np.inf, np.float32)
    values, places = max_pool_places(x, 2, 2, [(1, 0), (1, 0)])
    assert np.isneginf(values).all()
    assert places[0, :, :, 0].tolist() == [[0, 1], [3, 4]]
    assert max_pool(np.full((1, 3, 3, 1), -3.0, np.float32), 2, padding="same").max() == -3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_the_windows_that_hold_it(value):
    x = random(1, 6, 6, 2)
    spoilt = x.copy()
    spoilt[0, 2, 3, 1] = spoilt[0, 3, 3, 1] = value
    for pool in (max_pool, mean_pool):
        clean, dirty = (np.array(jax.jit(lambda x, pool=pool: pool(x, 2))(each)) for each in (x, spoilt))
        seen = dirty[0, 1, 1, 1]
        assert not np.isfinite(seen) or (pool is max_pool and value == -np.inf and seen == spoilt[0, 2:4, 2, 1].max())
        dirty[0, 1, 1, 1] = clean[0, 1, 1, 1]
        np.testing.assert_array_equal(dirty, clean)
        assert np.isfinite(jax.jit(jax.grad(lambda x, pool=pool: pool(x, 2).sum()))(spoilt)).all()
    if np.isnan(value):
        assert jax.jit(lambda x: max_pool_places(x, 2)[1])(spoilt)[0, 1, 1, 1] == 2 * 6 + 3


def test_between_two_places_nothing_is_finite_unless_both_are():
    x = np.zeros((1, 5, 1), np.float32)
    x[0, 2] = np.nan
    assert np.flatnonzero(np.isnan(jax.jit(lambda x: bilinear(x, 10))(x))).tolist() == [3, 4, 5, 6]
    d_x = jax.jit(jax.grad(lambda x: bilinear(x, 10)[0, :3].sum()))(x)
    assert np.isfinite(d_x).all()


def test_a_shift_that_keeps_each_maximum_in_its_window_changes_nothing():
    """One maximum in the left half of each window of 4, which a shift by one or two pixels leaves there."""
    rng = np.random.default_rng(0)
    x = np.zeros((1, 16, 24, 1), np.float32)
    rows, columns = np.mgrid[0:16:4, 0:24:4]
    x[0, rows + rng.integers(0, 4, rows.shape), columns + rng.integers(0, 2, rows.shape), 0] = rng.random(rows.shape)
    pooled = max_pool(x, 4)
    assert (np.asarray(pooled) > 0).all()
    for shift in (1, 2):
        np.testing.assert_array_equal(max_pool(np.roll(x, shift, axis=2), 4), pooled)


@pytest.mark.parametrize("window", [2, 4])
def test_of_pure_noise_a_shift_by_a_pixel_leaves_as_many_maxima_as_the_windows_share_places(window):
    """Before and after, window * (window + 1) places are looked at, and window * (window - 1) of them both times: the
    greatest of all is among these in a share (window - 1) / (window + 1) of cases. Pixels themselves all change."""
    x = np.random.default_rng(0).random((1, 64 * window, 64 * window, 4), np.float32)
    before, after = max_pool(x, window), max_pool(np.roll(x, 1, axis=2), window)
    share = (np.asarray(before) == np.asarray(after)).mean()  # of 16,384 windows
    assert abs(share - (window - 1) / (window + 1)) < 0.015
    assert (x == np.roll(x, 1, axis=2)).mean() < 1e-3


@pytest.mark.parametrize(("size", "window", "stride"), [((7, 9), 2, 2), ((7, 9), 3, 3), ((6, 9), 2, 3)])
def test_unpooling_equals_pytorchs_on_values_and_gradients(size, window, stride):
    values, places = F.max_pool2d(
        channels_first(torch.tensor(random(2, *size, 3))), window, stride, return_indices=True
    )

    def theirs(values):
        return channels_last(F.max_unpool2d(channels_first(values), places, window, stride, output_size=size))

    start, where = random(2, *values.shape[2:], 3, seed=2), np.asarray(channels_last(places), np.int32)
    assert_close(in_jax(lambda values: max_unpool(values, where, size), start), in_torch(theirs, start))


@pytest.mark.parametrize("size", [(6, 6), (7, 7), (6, 7)])
def test_the_size_that_was_pooled_is_given_since_several_come_to_one(size):
    """torch#580 and torch#36710."""
    x = np.abs(random(1, *size, 2)) + 1
    values, places = max_pool_places(x, 2)
    up = np.asarray(max_unpool(values, places, size))
    assert values.shape == (1, 3, 3, 2)
    assert up.shape == x.shape
    assert ((up == x) | (up == 0)).all()
    np.testing.assert_array_equal(max_pool(up, 2), values)


def test_a_place_that_several_windows_have_gets_the_mean_of_their_values():
    """torch#78249: there it is whichever came last."""
    x, size = few_values(2, 5, 6, 3), (5, 6)
    _, places = max_pool_places(x, 3, 1, "same")
    values = random(*places.shape)

    def loops(values):
        up = np.zeros((2, 30, 3))
        for b, place, d in np.ndindex(*up.shape):
            here = np.asarray(places)[b, :, :, d] == place
            up[b, place, d] = values[b, :, :, d][here].mean() if here.any() else 0
        return up.reshape(2, *size, 3)

    up, d_values = in_jax(lambda values: max_unpool(values, places, size), values)
    np.testing.assert_allclose(up, loops(values), atol=1e-5)
    # It is linear: the gradient says how much each value moves the weighted sum.
    d, step = random(*up.shape, seed=1), random(*values.shape, seed=3)
    np.testing.assert_allclose((d_values * step).sum(), (loops(step) * d).sum(), rtol=1e-4)


def test_a_place_outside_is_nowhere():
    places = np.array([-1, 0, 4, 2**31 - 1], np.int32).reshape(1, 4, 1)
    assert max_unpool(np.ones((1, 4, 1), np.float32), places, 4)[0, :, 0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(("factor", "size"), [(2, None), ((2, 3), None), (2, (5, 7)), (2, (7, 9)), (1, None)])
def test_a_bed_of_nails_is_the_transposed_convolution_of_a_single_place(factor, size):
    x = random(2, 3, 4, 3)
    one_place = np.eye(3, dtype=np.float32)[None, None]
    up, d_x = in_jax(lambda x: bed_of_nails(x, factor, size), x)
    asked = up.shape[1:3]
    rows, columns = (factor, factor) if isinstance(factor, int) else factor
    assert asked == (size or (3 * rows, 4 * columns))
    np.testing.assert_array_equal(up[:, ::rows, ::columns][:, :3, :4], x)
    assert np.count_nonzero(up) == x.size
    np.testing.assert_array_equal(d_x, random(*up.shape, seed=1)[:, ::rows, ::columns][:, :3, :4])
    if asked[0] <= 3 * rows and asked[1] <= 4 * columns:
        same = convolve_transposed(x, one_place, stride=factor, output_size=asked)
        np.testing.assert_array_equal(up, same)


@on_keras
@pytest.mark.parametrize("factor", [2, (3, 1)])
def test_nearest_equals_pytorchs_and_keras_on_values_and_gradients(factor):
    def theirs(x):
        return channels_last(F.interpolate(channels_first(x), scale_factor=factor, mode="nearest"))

    x = random(2, 3, 4, 3)
    ours = in_jax(lambda x: nearest(x, factor), x)
    assert_close(ours, in_torch(theirs, x))
    assert_close(ours, in_jax(keras.layers.UpSampling2D(factor).call, x))
    np.testing.assert_array_equal(nearest(x[:, 0], 2), np.repeat(x[:, 0], 2, axis=1))


@on_keras
@pytest.mark.parametrize("size", [(6, 10), (7, 12), (2, 3), (3, 5), (1, 8)])
def test_bilinear_equals_pytorchs_and_keras_on_values_and_gradients(size):
    def theirs(x):
        return channels_last(F.interpolate(channels_first(x), size, mode="bilinear", align_corners=False))

    def of_keras(x):
        return keras.ops.image.resize(x, size, interpolation="bilinear", antialias=False)

    x = random(2, 3, 5, 3)
    ours = in_jax(lambda x: bilinear(x, size), x)
    assert_close(ours, in_torch(theirs, x))
    assert_close(ours, in_jax(of_keras, x))


@on_keras
def test_bilinear_by_a_whole_factor_is_keras_upsampling_and_along_one_axis_pytorchs_linear():
    x = random(2, 3, 5, 3)
    theirs = keras.layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    np.testing.assert_allclose(bilinear(x, (6, 15)), theirs, atol=1e-5)
    linear = F.interpolate(torch.tensor(x[:, 0]).movedim(-1, 1), 8, mode="linear", align_corners=False)
    np.testing.assert_allclose(bilinear(x[:, 0], 8), linear.movedim(1, -1), atol=1e-5)


def test_results_have_the_type_of_x_and_means_add_up_in_float32():
    x = np.ones((1, 4096, 1), jnp.bfloat16)
    x[0, 0] = 4096
    assert jax.jit(lambda x: mean_pool(x, 4096))(x)[0, 0, 0] == jnp.asarray(8191 / 4096, jnp.bfloat16)
    up = (lambda x: nearest(x, 2), lambda x: bed_of_nails(x, 2), lambda x: bilinear(x, 10))
    for call in (lambda x: max_pool(x, 2), lambda x: max_unpool(x, x.astype(jnp.int32), 4097), *up):
        assert jax.eval_shape(call, x).dtype == jnp.bfloat16


def test_a_window_may_be_large():
    x = random(1, 3000, 1)
    values, places = jax.jit(lambda x: max_pool_places(x, 2100, 900))(x)
    expected = [x[0, :2100].argmax(), 900 + x[0, 900:].argmax()]
    assert places[0, :, 0].tolist() == expected
    np.testing.assert_array_equal(values[0], x[0, expected])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: max_pool(x, 8), "a kernel of 8 .* does not go into the 5 that axis 0 has"),
        (lambda x: max_pool(x, 2, 2, [(2, 0), (0, 0)]), "window 0 along axis 0 lies in padding alone, .*: give less"),
        (lambda x: mean_pool(x, 2, 2, [(0, 0), (0, 2)]), "window 3 along axis 1 lies in padding alone"),
        (
            lambda x: max_pool(x[:, :0], 2, padding="same"),
            r"the size of x \(0, 6\) cannot be used: give whole numbers from 1",
        ),
        (lambda x: mean_pool(x, (2, 2, 2)), r"kernel \(2, 2, 2\) has 3 numbers for 2 axes"),
        (lambda x: max_unpool(x, np.zeros(x.shape, np.int32), 0), "size 0 cannot be used"),
        (
            lambda x: bed_of_nails(x, 2, (12, 12)),
            "5 nails 2 apart do not make 12 along axis 0: give a size from 9 to 11",
        ),
        (lambda x: bed_of_nails(x, 2, (10, 10)), "6 nails 2 apart do not make 10 along axis 1: give .* from 11 to 13"),
        (lambda x: nearest(x, (2, 0)), r"factor \(2, 0\) cannot be used"),
        (lambda x: bilinear(x, (2, 2, 2)), r"size \(2, 2, 2\) has 3 numbers for 2 axes: give one for each"),
    ],
)
def test_what_cannot_be_pooled_or_enlarged_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(random(1, 5, 6, 2))
