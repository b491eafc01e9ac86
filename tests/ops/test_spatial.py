"""The geometry of windows: counted by walking along, and against Keras's and PyTorch's sizes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.convolution import convolve
from jaxseq.ops.spatial import Reach, receptive_field, transposed_windows, windows
from jaxseq.ops.spatial_pooling import max_pool

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

SMALL = st.integers(1, 4)


@given(size=st.integers(1, 12), kernel=SMALL, stride=SMALL, dilation=SMALL, pads=st.tuples(*[st.integers(0, 9)] * 2))
def test_there_are_as_many_windows_as_go_into_the_padded_input(size, kernel, stride, dilation, pads):
    padded = sum(pads) + size
    begins = [at for at in range(0, padded, stride) if at + (kernel - 1) * dilation < padded]
    if begins:
        assert windows(size, kernel, stride, dilation, [pads]).output == (len(begins),)
    else:
        with pytest.raises(ValueError, match="does not go into"):
            windows(size, kernel, stride, dilation, [pads])


@given(size=st.integers(0, 12), kernel=SMALL, stride=SMALL, dilation=SMALL)
def test_same_has_the_least_padding_for_size_over_stride_and_more_of_it_behind(size, kernel, stride, dilation):
    found = windows(size, kernel, stride, dilation, "same")
    ((before, behind),) = found.padding
    assert found.output == (math.ceil(size / stride),)
    assert behind - before in (0, 1)
    if size and before + behind:
        assert (size + before + behind - 1 - (kernel - 1) * dilation) // stride + 1 == found.output[0]
        assert (size + before + behind - 2 - (kernel - 1) * dilation) // stride + 1 < found.output[0]


def test_same_tilts_where_kernel_size_and_stride_leave_an_odd_number():
    def padding(size, kernel, stride):
        return windows(size, kernel, stride, padding="same").padding[0]

    assert [padding(size, 3, 2) for size in (7, 8, 9)] == [(1, 1), (0, 1), (1, 1)]
    assert [padding(size, 2, 2) for size in (7, 8)] == [(0, 1), (0, 0)]
    assert [padding(size, 4, 1) for size in (7, 8)] == [(1, 2), (1, 2)]


def test_a_number_stands_for_all_axes():
    assert windows((7, 9), 3, 2, 1, "same") == windows((7, 9), (3, 3), (2, 2), (1, 1), [(1, 1), (1, 1)])
    assert windows(7, (3, 2)).output == (5, 6)


@settings(max_examples=25)
@given(
    size=SMALL,
    kernel=SMALL,
    stride=SMALL,
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same", [(1, 0)], [(1, 1)]]),
)
def test_any_size_from_which_a_convolution_comes_may_be_asked_for_and_no_other(size, kernel, stride, dilation, padding):
    def fits(asked):
        try:
            return windows(asked, kernel, stride, dilation, padding).output == (size,)
        except ValueError:
            return False

    for asked in range(1, 20):
        if fits(asked):
            found = transposed_windows(size, kernel, stride, dilation, padding, asked)
            assert found == windows(asked, kernel, stride, dilation, padding)
        else:
            with pytest.raises(ValueError, match="give an output_size"):
                transposed_windows(size, kernel, stride, dilation, padding, asked)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (4, 2, 1), (2, 3, 1), (3, 1, 2), (1, 3, 1)])
def test_a_transposed_convolution_has_keras_size(kernel, stride, dilation, padding):
    theirs = keras.layers.Conv1DTranspose(1, kernel, stride, padding, dilation_rate=dilation)
    shape = theirs.compute_output_shape((1, 5, 1))
    assert transposed_windows(5, kernel, stride, dilation, padding).size == tuple(shape[1:2])


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (4, 2, 1), (2, 3, 1), (3, 1, 2), (1, 3, 1)])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_transposed_convolution_has_pytorchs_size_and_all_that_an_output_padding_makes(
    kernel, stride, dilation, padding
):
    if padding > (kernel - 1) * dilation / 2:
        padding = 0
    for more in range(stride):
        theirs = torch.nn.ConvTranspose1d(1, 1, kernel, stride, padding, more, dilation=dilation, device="meta")
        length = theirs(torch.empty(1, 1, 5, device="meta")).shape[2]
        given_size = None if more == 0 else length
        rest = (kernel, stride, dilation, [(padding, padding)], given_size, "pytorch")
        assert transposed_windows(5, *rest).size == (length,)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"), [(3, 2, 1, 1), (5, 2, 2, 1), (4, 2, 1, 0), (3, 1, 1, 0), (5, 3, 1, 0)]
)
def test_same_of_pytorch_is_even_padding_and_n_times_the_stride(kernel, stride, padding, more):
    theirs = torch.nn.ConvTranspose1d(1, 1, kernel, stride, padding, more, device="meta")
    found = transposed_windows(5, kernel, stride, padding="same", convention="pytorch")
    assert found.size == (5 * stride,) == theirs(torch.empty(1, 1, 5, device="meta")).shape[2:]
    assert found.padding == ((padding, padding),)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: windows((5, 3), (3, 4)), "a kernel of 4 with dilation 1 spans 4 .* the 3 that axis 1 has"),
        (lambda: windows(5, 3, dilation=3), "spans 7 places"),
        (lambda: windows((5, 5), (3,)), r"kernel \(3,\) has 1 numbers for 2 axes: give one for each"),
        (lambda: windows((5, 5), 3, (2, 0)), r"stride \(2, 0\) cannot be used: give whole numbers from 1"),
        (lambda: windows(5, 0), "kernel 0 cannot be used"),
        (lambda: windows(5, 2.5), r"kernel 2\.5 cannot be used: give whole numbers from 1"),
        (lambda: windows(-1, 1), "size -1 cannot be used: give whole numbers from 0"),
        (lambda: windows((5, 5), 3, padding="full"), "padding 'full' does not fit 2 axes: give 'valid', 'same'"),
        (lambda: windows((5, 5), 3, padding=[(1, 1)]), r"padding \[\(1, 1\)\] does not fit 2 axes"),
        (lambda: windows(5, 3, padding=[(1, -1)]), r"numbers from 0"),
        (lambda: windows(5, 3, padding=[(1, 1, 1)]), r"a pair \(before, behind\)"),
        (lambda: windows(5, 3, padding=1), "padding 1 does not fit 1 axes"),
        (lambda: windows((5, 5), 3, padding=[1, 1]), r"padding \[1, 1\] does not fit 2 axes"),
        (lambda: transposed_windows(4, 3, 2, output_size=11), "no convolution of 11 .* from 9 to 10, or other"),
        (lambda: transposed_windows((4, 4), 3, output_size=(6, 7)), "along axis 1, .* of 6, or other"),
        (lambda: transposed_windows(4, 3, output_size=(6, 7)), r"output_size \(6, 7\) has 2 numbers for 1 axes"),
        (lambda: transposed_windows(4, 4, padding="same", convention="pytorch"), "none can be transposed"),
        (lambda: transposed_windows(4, 3, convention="caffe"), "convention 'caffe' is unknown: give 'keras' or"),
        (lambda: transposed_windows(1, 1, padding=[(1, 0)]), "no convolution of 0 places"),
        (lambda: receptive_field([(3,), (0,)]), "layer 1 is Reach.*: give kernel, stride and dilation from 1"),
    ],
)
def test_what_makes_no_windows_is_refused_by_name(unchecked, call, message):
    with pytest.raises(ValueError, match=message):
        call()


def seen_by_the_middle(layers, size):
    """Places of a picture [size] by which the middle output of a stack changes, by its gradient, and that output."""

    def stack(x):
        for kernel, stride, dilation, before in layers:
            weights, pad = jnp.ones((kernel, 1, 1)), [(before, before)]
            x = convolve(x, weights, stride=stride, dilation=dilation, padding=pad)
        return x[0, :, 0]

    x = jnp.ones((1, size, 1))
    middle = jax.eval_shape(stack, x).shape[0] // 2
    return np.flatnonzero(jax.jit(jax.grad(lambda x: stack(x)[middle]))(x)), middle


@pytest.mark.parametrize(
    "layers",
    [
        [(3, 1, 1, 0)] * 3,
        [(3, 2, 1, 1), (3, 2, 1, 1), (2, 1, 1, 0)],
        [(3, 1, 1, 2), (3, 1, 2, 2), (3, 1, 4, 4)],
        [(5, 3, 1, 0), (2, 2, 1, 1), (3, 1, 1, 0)],
    ],
)
def test_the_receptive_field_reaches_from_the_first_to_the_last_place_that_matters(layers):
    seen, middle = seen_by_the_middle(layers, 60)
    size, jump, start = receptive_field(layers)
    assert (seen[0], seen[-1]) == (start + middle * jump, start + middle * jump + size - 1)


def test_three_convolutions_of_3_by_3_see_exactly_7_by_7():
    assert receptive_field([(3,)] * 3) == (7, 1, 0) == receptive_field([(7,)])

    def middle(x):
        for seed in range(3):
            x = convolve(x, jax.random.normal(jax.random.key(seed), (3, 3, 1, 1)), padding="same")
        return x[0, 5, 6, 0]

    seen = np.asarray(jax.jit(jax.grad(middle))(jnp.ones((1, 11, 13, 1))))[0, :, :, 0] != 0
    assert seen[2:9, 3:10].all()
    assert seen.sum() == 7 * 7


def test_a_pooling_makes_all_layers_behind_it_see_further():
    pooled = [Reach(3, before=1), Reach(2, stride=2), Reach(3, before=1)]
    assert receptive_field(pooled) == (8, 2, -3)

    def output(x):
        x = max_pool(convolve(x, jnp.ones((3, 1, 1)), padding="same"), 2)
        return convolve(x, jnp.ones((3, 1, 1)), padding="same")[0, 3, 0]

    moved = [output(jnp.zeros((1, 20, 1)).at[0, at, 0].set(1)) for at in range(20)]
    assert np.flatnonzero(np.asarray(moved)).tolist() == list(range(3, 11))
