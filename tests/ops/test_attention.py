import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxseq.ops.attention import attend

B, Q, S, H, K = 2, 5, 6, 3, 4


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def ours(query, key, value, visible, factors, d_output):
    output, pull = jax.vjp(lambda q, k, v: attend(q, k, v, visible=visible, factors=factors), query, key, value)
    return output, *pull(d_output)


def torchs(query, key, value, visible, d_output):
    """PyTorch's own, with the rows that see nothing (NaN there) left out of the gradient."""
    inputs = [torch.tensor(x).transpose(1, 2).requires_grad_() for x in (query, key, value)]
    if visible is None:
        output = torch.nn.functional.scaled_dot_product_attention(*inputs)
    else:
        seeing = torch.tensor(visible.any(-1))[:, None, :, None]
        mask = torch.tensor(visible | ~visible.any(-1, keepdims=True))[:, None]
        output = torch.nn.functional.scaled_dot_product_attention(*inputs, attn_mask=mask)
        output = torch.where(seeing, output, 0.0)
    gradients = torch.autograd.grad(output, inputs, torch.tensor(d_output).transpose(1, 2))
    return [x.transpose(1, 2).detach().numpy() for x in (output, *gradients)]


def test_unmasked_attention_agrees_with_torch_on_values_and_gradients():
    query, key, value, d_output = drawn(0, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K))
    for have, want in zip(
        ours(query, key, value, None, None, d_output), torchs(query, key, value, None, d_output), strict=True
    ):
        np.testing.assert_allclose(have, want, atol=2e-6)


@settings(deadline=None, max_examples=30)
@given(visible=arrays(bool, (B, Q, S)), seed=st.integers(0, 2**32 - 1))
def test_masked_attention_agrees_with_torch_and_a_query_that_sees_nothing_gets_zeros(visible, seed):
    query, key, value, d_output = drawn(seed, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K))
    output, *gradients = ours(query, key, value, visible, None, d_output)
    assert not np.asarray(output)[~visible.any(-1)].any()
    for have, want in zip((output, *gradients), torchs(query, key, value, visible, d_output), strict=True):
        np.testing.assert_allclose(have, want, atol=5e-6)


def test_one_mask_may_serve_all_rows():
    query, key, value, d_output = drawn(1, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K))
    visible = np.tri(Q, S, dtype=bool)[None]
    shared = ours(query, key, value, visible, None, d_output)
    for have, want in zip(shared, ours(query, key, value, np.repeat(visible, B, 0), None, d_output), strict=True):
        np.testing.assert_array_equal(have, want)


def test_factors_multiply_the_weights_in_values_and_gradients():
    query, key, value, d_output, factors = drawn(
        2, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K), (B, H, Q, S)
    )
    visible = np.tri(Q, S, dtype=bool)[None]

    def plain(query, key, value):
        scores = jnp.einsum("bqhk,bshk->bhqs", query, key) / K**0.5
        weights = jax.nn.softmax(jnp.where(visible[:, None], scores, -1e30)) * factors
        return jnp.einsum("bhqs,bshk->bqhk", weights, value)

    output, pull = jax.vjp(plain, query, key, value)
    for have, want in zip(ours(query, key, value, visible, factors, d_output), (output, *pull(d_output)), strict=True):
        np.testing.assert_allclose(have, want, atol=2e-6)


@pytest.mark.parametrize("scale", [1e4, 1e18])
def test_huge_scores_stay_finite(scale):
    query, key, value, d_output = drawn(3, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K))
    for array in ours(scale * query, scale * key, value, None, None, d_output):
        assert np.isfinite(array).all()


def test_bfloat16_attention_is_close_to_float32_and_of_its_type():
    arguments = drawn(4, (B, Q, H, K), (B, S, H, K), (B, S, H, K), (B, Q, H, K))
    low = [jnp.asarray(x, jnp.bfloat16) for x in arguments]
    for have, want in zip(
        ours(*low[:3], None, None, low[3]), ours(*arguments[:3], None, None, arguments[3]), strict=True
    ):
        assert have.dtype == jnp.bfloat16
        np.testing.assert_allclose(have.astype(jnp.float32), want, atol=0.06)


def in_float64(query, key, value, visible, factors, d_output):
    """The same with NumPy, in float64."""
    query, key, value, d_output = (np.asarray(x, np.float64) for x in (query, key, value, d_output))
    scores = np.einsum("bqhk,bshk->bhqs", query, key) / query.shape[-1] ** 0.5
    scores = np.where(visible[:, None], scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    d_weights = factors * np.einsum("bqhk,bshk->bhqs", d_output, value)
    d_scores = weights * (d_weights - (weights * d_weights).sum(-1, keepdims=True)) / query.shape[-1] ** 0.5
    return (
        np.einsum("bhqs,bshk->bqhk", factors * weights, value),
        np.einsum("bhqs,bshk->bqhk", d_scores, key),
        np.einsum("bhqs,bqhk->bshk", d_scores, query),
        np.einsum("bhqs,bqhk->bshk", factors * weights, d_output),
    )


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_keep_their_digits_where_attention_saturates(dtype, dropped):
    t, k = 128, 32
    query, key, value, d_output = drawn(5, *((1, t, 2, k),) * 4)
    query = query * (100 / (np.einsum("bqhk,bshk->bhqs", query, key).std() / k**0.5))  # scores of deviation 100
    arguments = [jnp.asarray(x, dtype) for x in (query.astype(np.float32), key, value, d_output)]
    visible = np.ones((1, t, t), bool)
    kept = np.random.default_rng(6).random((1, 2, t, t)) < 0.8
    factors = (kept / 0.8 if dropped else np.ones_like(kept)).astype(np.float32)
    have = ours(*arguments[:3], visible, jnp.asarray(factors), arguments[3])
    want = in_float64(*arguments[:3], visible, factors, arguments[3])
    for mine, theirs in list(zip(have, want, strict=True))[1:]:  # of d_query, d_key and d_value
        size = np.linalg.norm(theirs, axis=-1)
        wrong = np.linalg.norm(np.asarray(mine, np.float64) - theirs, axis=-1)
        seen = size > 0
        assert np.median(wrong[seen] / size[seen]) < (1e-4 if dtype == "float32" else 0.05)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_what_is_not_finite_reaches_those_that_see_it_and_no_gradient_of_others(which, value):
    clean = dict(zip(("query", "key", "value"), drawn(7, *((2, 6, H, K),) * 3), strict=True))
    spoilt = {name: x.copy() for name, x in clean.items()}
    spoilt[which][0, 3, 1, 2] = value
    visible = np.tri(6, dtype=bool)[None]
    sees = np.zeros((2, 6), bool)
    sees[0, 3 if which == "query" else slice(3, None)] = True
    if which == "query":
        sees[0] = np.arange(6) == 3
    d_output = drawn(8, (2, 6, H, K))[0] * ~sees[..., None, None]
    have = ours(*spoilt.values(), visible, None, d_output)
    want = ours(*clean.values(), visible, None, d_output)
    assert np.isnan(have[0][sees]).all()
    np.testing.assert_array_equal(have[0][~sees], want[0][~sees])
    for mine, theirs in zip(have[1:], want[1:], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    counted = ours(*spoilt.values(), visible, None, np.ones_like(d_output))
    assert not all(np.isfinite(gradient).all() for gradient in counted[1:])


@pytest.mark.parametrize(("q", "s"), [(0, 4), (3, 0), (0, 0)])
def test_no_queries_give_nothing_and_no_keys_give_zeros(q, s):
    query, key, value, d_output = drawn(9, (1, q, H, K), (1, s, H, K), (1, s, H, K), (1, q, H, K))
    output, *gradients = ours(query, key, value, np.ones((1, q, s), bool), None, d_output)
    assert output.shape == query.shape
    assert not any(np.asarray(x).any() for x in (output, *gradients))
