"""Poolings against loops over each row's real tokens, and what padding may hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jaxseq.nn.pooling import POOLINGS
from jaxseq.ops import pooling
from jaxseq.ops.lookup import Lookup

ROWS, STEPS, WIDTH = 3, 5, 4
QUERY = np.random.default_rng(0).normal(size=WIDTH).astype(np.float32)
ONE_VECTOR = [name for name in POOLINGS if name != "flatten"]
PARAMS = {name: {"params": {"query": QUERY}} if name == "attention" else {} for name in ONE_VECTOR}
MASKS = arrays.arrays(bool, (ROWS, STEPS))
SEEDS = st.integers(0, 2**32 - 1)
few = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))


def attention(x):
    scores = np.exp(x.astype(np.float64) @ QUERY / WIDTH**0.5)
    return (scores / scores.sum()) @ x


# x [n, d], the real tokens of one row.
ORACLES = {
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(0),
    "sqrt_mean": lambda x: x.sum(0) / np.sqrt(len(x)),
    "max": lambda x: x.max(0),
    "first": lambda x: x[0],
    "last": lambda x: x[-1],
    "ends": lambda x: np.concatenate([x[-1, : WIDTH // 2], x[0, WIDTH // 2 :]]),
    "attention": attention,
}


def pooled(name, x, mask):
    return POOLINGS[name]().apply(PARAMS[name], x, mask=mask)


@jax.jit
def everything(x, mask, d):
    """{name: (pooled, gradients of x and of parameters)}."""
    found = {}
    for name in ONE_VECTOR:
        y, pull = jax.vjp(lambda x, p, name=name: POOLINGS[name]().apply(p, x, mask=mask), x, PARAMS[name])
        found[name] = (y, pull(d))
    return found


def vectors(seed, shape=(ROWS, STEPS, WIDTH)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_every_pooling_has_an_oracle_here():
    assert {*ONE_VECTOR} == ORACLES.keys()


@few
@given(mask=MASKS, seed=SEEDS, side=st.sampled_from(["pre", "post"]), value=st.sampled_from([np.nan, 1.0]))
def test_flattened_every_token_has_a_place_of_its_own_and_padding_is_zero(mask, seed, side, value):
    x = vectors(seed)
    flat = POOLINGS["flatten"](length=STEPS + 2, padding=side)
    expected = np.zeros((ROWS, STEPS + 2, WIDTH), np.float32)
    (expected[:, 2:] if side == "pre" else expected[:, :STEPS])[...] = np.where(mask[..., None], x, 0)
    filled = np.where(mask[..., None], x, np.float32(value))
    np.testing.assert_array_equal(flat.apply({}, filled, mask=mask), expected.reshape(ROWS, -1))
    gradient = jax.grad(lambda x: (flat.apply({}, x, mask=mask) ** 2).sum())(jnp.asarray(filled))
    np.testing.assert_array_equal(gradient, np.where(mask[..., None], 2 * x, 0))


def test_more_tokens_than_there_are_places_for_are_refused():
    with pytest.raises(ValueError, match="texts of 5 tokens do not go into the 4 places"):
        POOLINGS["flatten"](length=4).apply({}, vectors(0))


@few
@given(mask=MASKS, seed=SEEDS)
def test_a_row_is_pooled_over_its_real_tokens_and_zero_without_any(mask, seed):
    x = vectors(seed)
    found = everything(x, mask, np.ones((ROWS, WIDTH), np.float32))
    for name, oracle in ORACLES.items():
        expected = [oracle(row[real]) if real.any() else np.zeros(WIDTH) for row, real in zip(x, mask, strict=True)]
        np.testing.assert_allclose(found[name][0], expected, rtol=1e-5, atol=1e-6, err_msg=name)


@few
@given(mask=MASKS, seed=SEEDS, value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_padding_holds_reaches_no_value_and_no_gradient(mask, seed, value):
    x, d = vectors(seed), vectors(seed ^ 1, (ROWS, WIDTH))
    clean, spoilt = (everything(np.where(mask[..., None], x, other), mask, d) for other in (x, np.float32(value)))
    for name in ONE_VECTOR:
        for mine, theirs in zip(jax.tree.leaves(spoilt[name]), jax.tree.leaves(clean[name]), strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert np.isfinite(mine).all(), name
        assert not np.asarray(clean[name][1][0])[~mask].any(), name


@few
@given(mask=MASKS, seed=SEEDS)
def test_a_real_nan_stays_in_its_row_and_is_seen_there(mask, seed):
    mask[0] = [False, True, False, True, False]
    x, d = vectors(seed), vectors(seed ^ 1, (ROWS, WIDTH))
    spoilt = x.copy()
    spoilt[0, 1], spoilt[0, 3] = np.nan, np.nan
    d_elsewhere = np.where(np.arange(ROWS)[:, None] == 0, 0, d)
    clean, dirty = everything(x, mask, d_elsewhere), everything(spoilt, mask, d_elsewhere)
    for name in ONE_VECTOR:
        assert np.isnan(dirty[name][0][0]).all(), name
        np.testing.assert_array_equal(dirty[name][0][1:], clean[name][0][1:], err_msg=name)
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), dirty[name][1], clean[name][1])


@pytest.mark.parametrize("name", ONE_VECTOR)
def test_gradients_are_those_of_finite_differences(name):
    x, mask = vectors(0), np.array([[True] * 5, [False, True, True, False, True], [False] * 5])
    direction, d, size = vectors(1), vectors(2, (ROWS, WIDTH)), 1e-2
    _, (d_x, _) = everything(x, mask, d)[name]
    ahead, behind = (np.sum(pooled(name, x + s * size * direction, mask) * d) for s in (1, -1))
    np.testing.assert_allclose((d_x * direction).sum(), (ahead - behind) / (2 * size), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("name", ONE_VECTOR)
def test_no_mask_means_no_padding_and_no_tokens_give_zeros(name):
    x = vectors(0)
    np.testing.assert_allclose(pooled(name, x, None), pooled(name, x, np.ones((ROWS, STEPS), bool)), rtol=1e-6)
    for mask in (None, np.ones((ROWS, 0), bool)):
        np.testing.assert_array_equal(pooled(name, x[:, :0], mask), np.zeros((ROWS, WIDTH)))


@pytest.mark.parametrize("name", ONE_VECTOR)
def test_bfloat16_stays_bfloat16_and_adds_up_in_float32(name):
    x = jnp.asarray(vectors(0, (1, 3000, WIDTH)) + 1, jnp.bfloat16)
    expected = pooled(name, x.astype(jnp.float32), None)
    found = pooled(name, x, None)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), expected, rtol=0.01)


@pytest.mark.parametrize("name", ONE_VECTOR)
def test_a_pooling_maps_over_one_more_axis(name):
    x, mask = vectors(0, (2, ROWS, STEPS, WIDTH)), np.random.default_rng(0).random((2, ROWS, STEPS)) < 0.6
    mapped = jax.jit(jax.vmap(lambda x, mask: pooled(name, x, mask)))(x, mask)
    np.testing.assert_allclose(mapped, [pooled(name, *one) for one in zip(x, mask, strict=True)], rtol=1e-6)


def test_an_untrained_attention_is_the_mean_and_can_learn():
    x, mask = vectors(0), np.ones((ROWS, STEPS), bool)
    layer = POOLINGS["attention"]()
    params = layer.init(jax.random.key(0), x)
    np.testing.assert_allclose(layer.apply(params, x, mask=mask), x.mean(1), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda p: (layer.apply(p, x, mask=mask) * vectors(1, (ROWS, WIDTH))).sum())(params)
    assert np.abs(gradient["params"]["query"]).max() > 1e-3


def test_of_equals_the_first_has_the_gradient_of_the_maximum():
    x = jnp.ones((1, 3, 1))
    d = jax.grad(lambda x: pooling.maximum(x, jnp.array([[False, True, True]])).sum())(x)
    assert d[0, :, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("steps", [1, 9, 5000])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_mean_of_a_lookup_is_that_of_its_vectors(steps, scaled):
    rng = np.random.default_rng(steps)
    table, ids = vectors(0, (7, WIDTH)), rng.integers(0, 7, (2, steps))
    scale = rng.random((2, steps)).astype(np.float32) if scaled else None
    mask = rng.random((2, steps)) < 0.6
    mask[1] = False
    dirty = np.where(mask, ids, rng.choice([-1, 7, 2**31 - 1], ids.shape)).astype(np.int32)
    d = vectors(1, (2, WIDTH))

    @jax.jit
    def fused(table):
        y, pull = jax.vjp(lambda table: pooling.mean(Lookup(jnp.asarray(dirty), table, WIDTH, scale), mask), table)
        return y, pull(d)[0]

    @jax.jit
    def plain(table):
        y, pull = jax.vjp(
            lambda table: pooling.mean(Lookup(jnp.asarray(ids), table, WIDTH, scale).vectors(), mask), table
        )
        return y, pull(d)[0]

    for mine, theirs in zip(fused(table), plain(table), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
