"""Multiply-adds counted in traced programs, against products worked out by hand and PyTorch's counter."""

import math
from functools import partial

import flax.linen as nn
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from torch.utils.flop_counter import FlopCounterMode

from jaxseq.nn import GRU, LSTM
from jaxseq.reporting.multiply_adds import layer_scope, multiply_adds


def of(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def total(function, *inputs):
    return sum(multiply_adds(jax.make_jaxpr(function)(*inputs)).values())


def of_torch(function, *shapes):
    """Multiply-adds as PyTorch counts them, which takes each for two operations; on shapes alone."""
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        function(*(torch.empty(shape) for shape in shapes))
    return counter.get_total_flops() // 2


def test_a_product_takes_one_for_each_number_and_each_summand():
    assert total(jnp.matmul, of(2, 5, 3), of(3, 7)) == 2 * 5 * 3 * 7
    assert total(jnp.dot, of(9), of(9)) == 9
    assert total(lambda q, k: jnp.einsum("bthd,bshd->bhts", q, k), of(2, 5, 4, 3), of(2, 6, 4, 3)) == 2 * 4 * 5 * 6 * 3
    assert total(jnp.outer, of(3), of(4)) == 0  # number by number


def test_attention_takes_two_products_of_every_pair_of_places():
    def attention(q, k, v):
        return jax.nn.dot_product_attention(q, k, v)

    assert total(attention, of(1, 11, 4, 8), of(1, 13, 4, 8), of(1, 13, 4, 8)) == 2 * 11 * 13 * 32


def test_the_first_layer_of_a_detector_of_hands():
    # 16 filters of 5 x 5 x 3, which lie side by side on 384 x 216 places.
    convolve = partial(
        lax.conv_general_dilated, window_strides=(5, 5), padding="VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert total(convolve, of(1, 1080, 1920, 3), of(5, 5, 3, 16)) == 384 * 216 * 16 * 75
    assert total(jnp.matmul, of(1, 1_327_104), of(1_327_104, 1)) == 384 * 216 * 16


@settings(max_examples=25)
@given(data=st.data())
def test_convolutions_of_any_stride_dilation_and_groups_take_what_pytorch_says(data):
    small = st.integers(1, 3)
    kernel, strides, dilation = (data.draw(st.tuples(small, small)) for _ in range(3))
    groups, depth, features = (data.draw(small) for _ in range(3))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    padding = [data.draw(st.integers(0, r // 2)) for r in reach]  # at most that of "same"
    size = [data.draw(st.integers(r + 1, r + 9)) for r in reach]
    rows = data.draw(small)
    weight = (groups * features, depth, *kernel)

    made = total(
        lambda x, w: lax.conv_general_dilated(
            x, w, strides, [(p, p) for p in padding], rhs_dilation=dilation, feature_group_count=groups
        ),
        of(rows, groups * depth, *size),
        of(*weight),
    )
    convolve = partial(torch.nn.functional.conv2d, stride=strides, padding=padding, dilation=dilation, groups=groups)
    assert made == of_torch(convolve, (rows, groups * depth, *size), weight)


@settings(max_examples=25)
@given(data=st.data())
def test_transposed_convolutions_take_what_pytorch_says(data):
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, strides = data.draw(pairs), data.draw(pairs)
    rows, depth, features = (data.draw(st.integers(1, 3)) for _ in range(3))
    size = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    made = total(
        partial(lax.conv_transpose, strides=strides, padding="VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        of(rows, *size, depth),
        of(*kernel, depth, features),
    )
    transposed = partial(torch.nn.functional.conv_transpose2d, stride=strides)
    assert made == of_torch(transposed, (rows, depth, *size), (depth, features, *kernel))


def test_same_padding_counts_the_places_of_the_output():
    convolve = partial(
        lax.conv_general_dilated, window_strides=(1, 1), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert total(convolve, of(1, 28, 28, 1), of(3, 3, 1, 16)) == 28 * 28 * 9 * 16


def test_a_loop_of_known_length_counts_every_turn_and_another_one():
    x, once = of(3, 3), 27
    assert total(lambda x: lax.scan(lambda c, _: (c @ x, None), x, None, length=5)[0], x) == 5 * once
    assert total(lambda x: lax.fori_loop(0, 4, lambda i, c: c @ x, x), x) == 4 * once
    assert total(lambda x: lax.map(lambda row: row @ x, x), x) == 3 * 9
    assert total(lambda x, n: lax.fori_loop(0, n, lambda i, c: c @ x, x), x, jax.ShapeDtypeStruct((), int)) == once
    nested = partial(lax.scan, lambda c, _: (lax.fori_loop(0, 4, lambda i, c: c @ c, c), None), xs=None, length=5)
    assert total(lambda x: nested(x)[0], x) == 20 * once


def test_of_branches_the_dearest_counts_in_the_layers_it_has():
    def choose(x, which):
        def dear(x):
            with layer_scope("dear"):
                return x @ x @ x

        return lax.switch(which, [lambda x: x, dear, lambda x: x @ x], x)

    program = jax.make_jaxpr(choose)(of(3, 3), jax.ShapeDtypeStruct((), int))
    assert multiply_adds(program) == {"dear": 54}


def test_of_a_function_with_a_derivative_of_its_own_the_function_counts():
    @jax.custom_vjp
    def product(x):
        return jax.jit(lambda x: x @ x)(x)

    product.defvjp(lambda x: (product(x), x), lambda x, g: (g @ x.T + x.T @ g,))

    @jax.custom_jvp
    def twice(x):
        return jax.checkpoint(product)(x) @ x

    twice.defjvp(lambda primals, tangents: (twice(*primals), tangents[0] @ primals[0]))
    assert total(twice, of(3, 3)) == 2 * 27
    assert total(jax.vmap(twice), of(4, 3, 3)) == 4 * 2 * 27
    assert total(lambda x: lax.scan(lambda c, _: (twice(c), None), x, None, length=3)[0], of(3, 3)) == 3 * 2 * 27


def test_what_is_split_over_devices_counts_on_all_of_them():
    mesh = Mesh(np.array(jax.devices()[:4]), ("data",))
    split = jax.shard_map(jnp.matmul, mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data"), check_vma=False)
    assert total(split, of(8, 3), of(3, 5)) == 8 * 3 * 5


def test_recurrent_layers_take_all_gates_of_input_and_state_at_every_step():
    t, d, f = 7, 3, 5
    for layer, gates in ((LSTM(f), 4), (GRU(f), 3), (GRU(f, reset_after=False), 3)):
        variables = jax.eval_shape(layer.init, jax.random.key(0), of(1, t, d))
        assert total(layer.apply, variables, of(1, t, d)) == t * gates * f * (d + f), type(layer)


class _Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.ones, (4, 4))

        @jax.custom_vjp
        def turn(x):
            with layer_scope("block/inner"):
                return x @ kernel

        turn.defvjp(lambda x: (turn(x), None), lambda _, g: (g,))
        with layer_scope("block"):
            return lax.scan(lambda c, _: (turn(c) @ kernel, None), x @ x.T @ x, None, length=3)[0]


def test_every_product_stands_in_the_innermost_layer_around_it_and_together_they_are_the_program_s():
    def model(variables, x):
        return _Block().apply(variables, x) @ variables["params"]["kernel"]

    variables = jax.eval_shape(_Block().init, jax.random.key(0), of(4, 4))
    made = multiply_adds(jax.make_jaxpr(model)(variables, of(4, 4)))
    assert made == {"block": 2 * 64 + 3 * 64, "block/inner": 3 * 64, "": 64}
    assert list(made) == ["block", "block/inner", ""]  # in the order of their first ones


def test_a_product_with_a_parameter_of_a_layer_further_down_is_that_layer_s():
    @jax.jit
    def step(x, weights):
        return jnp.tanh(x @ weights["b"][:, ::-1].T)

    def decoder(params, x):
        with layer_scope("decoder"):
            x = lax.scan(lambda c, _: (step(c, params), None), x, None, length=5)[0]
            x = lax.while_loop(lambda c: (c @ params["a"]).sum() < 1, lambda c: c @ params["a"], x)
            x = lax.cond(x[0, 0] > 0, lambda x: x @ params["c"].astype(jnp.float32), lambda x: x, x)
            x = x @ x  # of no parameter
            return x @ (params["a"] @ params["b"])  # of two layers at once

    program = jax.make_jaxpr(decoder)({name: of(3, 3) for name in "abc"}, of(3, 3))
    assert multiply_adds(program, ["decoder/a", "decoder/b", "encoder/c"]) == {
        "decoder/b": 5 * 27,
        "decoder/a": 2 * 27,
        "decoder": 27 + 27 + 2 * 27,  # that with a parameter from elsewhere too
    }
    assert multiply_adds(program) == {"decoder": 11 * 27}


@pytest.mark.parametrize("length", [1, 6])
def test_a_program_without_products_has_none(length):
    assert multiply_adds(jax.make_jaxpr(lambda x: jnp.tanh(x).sum() * math.pi)(of(length))) == {}
