"""Layers over pictures as values: their shapes, against Keras's layers; and what is wrong with a stack, in one line."""

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.picture_layers import Convolution, MaxPool, Upsample, output_shapes

sides = st.integers(1, 12)
paddings = st.sampled_from(["same", "valid"])


def keras_layer(layer):
    match layer:
        case Convolution(transposed=False):
            return keras.layers.Conv2D(layer.features, layer.kernel, padding=layer.padding)
        case Convolution():
            return keras.layers.Conv2DTranspose(layer.features, layer.kernel, padding=layer.padding)
        case MaxPool():
            return keras.layers.MaxPooling2D(layer.window, padding=layer.padding)
        case _:
            return keras.layers.UpSampling2D(layer.factor)


@settings(max_examples=200)
@given(
    st.tuples(sides, sides, st.integers(1, 3)),
    st.one_of(
        st.builds(Convolution, st.integers(1, 3), st.integers(1, 5), paddings, st.booleans()),
        st.builds(MaxPool, st.integers(1, 4), paddings),
        st.builds(Upsample, st.just("nearest"), st.integers(1, 4)),
    ),
)
def test_a_layer_has_the_output_shape_of_keras(shape, layer):
    side = {Convolution: "kernel", MaxPool: "window"}.get(type(layer))
    transposed = isinstance(layer, Convolution) and layer.transposed
    if side and layer.padding == "valid" and not transposed and min(shape[:2]) < getattr(layer, side):
        with pytest.raises(ValueError, match=r"layer 1 of the stack.* pixels are fewer"):
            output_shapes([layer], shape)
    else:
        assert output_shapes([layer], shape) == [tuple(keras_layer(layer).compute_output_shape((1, *shape))[1:])]


def test_nails_stand_as_far_apart_as_nearest_values_do():
    assert output_shapes([Upsample("nails", 3)], (4, 5, 2)) == [(12, 15, 2)]


def test_an_unpooling_gives_the_size_that_its_pooling_had():
    layers = [MaxPool(2), MaxPool(2, "same"), Upsample("unpool"), Convolution(3), Convolution(2), Upsample("unpool")]
    assert output_shapes(layers, (9, 7, 2)) == [(4, 3, 2), (2, 2, 2), (4, 3, 2), (4, 3, 3), (4, 3, 2), (9, 7, 2)]


@pytest.mark.parametrize(
    ("layers", "line"),
    [
        (
            [Convolution(4, 5, "valid")],
            r"layer 1 of the stack, Convolution.*4 pixels are fewer than its window of 5: use",
        ),
        ([Convolution(4), MaxPool(5)], r"layer 2 of the stack, MaxPool.*4 pixels are fewer than its window of 5: use"),
        ([Upsample("unpool")], r"layer 1 .*no MaxPool left whose places it could fill: add one before it"),
        (
            [MaxPool(), Convolution(5), Upsample("unpool")],
            r"layer 3 .*a map of 2 x 3 x 5 meets the places that a MaxPool found for one of 2 x 3 x 1",
        ),
        (
            [MaxPool(), Convolution(1, 2, "valid"), Upsample("unpool")],
            r"layer 3 .*a map of 1 x 2 x 1 meets the places that a MaxPool found for one of 2 x 3 x 1: give the conv",
        ),
    ],
)
def test_a_stack_that_does_not_fit_is_refused_by_the_layer(layers, line):
    with pytest.raises(ValueError, match=line):
        output_shapes(layers, (4, 6, 1))
