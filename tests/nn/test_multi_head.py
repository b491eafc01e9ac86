"""Multi-head attention of any queries to any keys, against PyTorch's and Keras's, on values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.multi_head import MultiHeadAttention

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

BATCH, QUERIES, KEYS, FEATURES, HEADS = 2, 5, 4, 12, 3
RNG = np.random.default_rng(0)
LAYER = MultiHeadAttention(FEATURES, HEADS)
KEY_MASK = np.array([[1, 1, 1, 0], [1, 0, 1, 0]], bool)
MASKS = {
    "cross": {},
    "cross, padding": {"key_mask": KEY_MASK},
    "self, causal": {"causal": True},
    "self, causal, padding": {"causal": True, "key_mask": KEY_MASK},
    "cross, any": {"visible": RNG.random((1, QUERIES, KEYS)) < 0.7, "key_mask": KEY_MASK},
}
# Every query sees something: where it does not PyTorch gives NaN, and Keras an average of what is hidden.
MASKS["cross, any"]["visible"][..., 0] = True


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ours(params, query, key, value, weights, **masks):
    def objective(params, *inputs):
        outputs = LAYER.apply({"params": params}, *inputs, **masks)
        return (outputs * weights).sum(), outputs

    arguments = (params, query, key, value)
    slopes, outputs = jax.jit(jax.grad(objective, argnums=(0, 1, 2, 3), has_aux=True))(*arguments)
    return outputs, slopes


def hidden(queries, **masks) -> np.ndarray:
    """[b, t, s]: where PyTorch must not look, worked out place by place."""
    result = np.zeros((BATCH, queries, KEYS), bool)
    for b, t, s in np.ndindex(*result.shape):
        result[b, t, s] = (
            (masks.get("causal", False) and s > t)
            or ("key_mask" in masks and not masks["key_mask"][b, s])
            or ("visible" in masks and not masks["visible"][0, t, s])
        )
    return result


def torchs_params(layer, of):
    parts = zip(np.split(of(layer.in_proj_weight), 3), np.split(of(layer.in_proj_bias), 3), strict=True)
    params = {
        name: {"kernel": kernel.T, "bias": bias}
        for name, (kernel, bias) in zip(("query", "key", "value"), parts, strict=True)
    }
    return params | {"output": {"kernel": of(layer.out_proj.weight).T, "bias": of(layer.out_proj.bias)}}


@pytest.mark.parametrize("kind", MASKS)
def test_it_is_pytorchs_on_values_and_gradients(kind):
    queries = KEYS if "self" in kind else QUERIES
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    inputs = [random(BATCH, length, FEATURES) for length in (queries, KEYS, KEYS)]
    leaves, weights = [torch.tensor(x, requires_grad=True) for x in inputs], random(BATCH, queries, FEATURES)
    mask = torch.tensor(hidden(queries, **MASKS[kind])).repeat_interleave(HEADS, dim=0)
    expected, _ = theirs(*leaves, attn_mask=mask)
    (expected * torch.tensor(weights)).sum().backward()
    params = torchs_params(theirs, lambda p: p.detach().numpy())
    outputs, (d_params, *d_inputs) = ours(params, *inputs, weights, **MASKS[kind])
    np.testing.assert_allclose(outputs, expected.detach().numpy(), atol=1e-5)
    wanted = (torchs_params(theirs, lambda p: p.grad.numpy()), *(leaf.grad.numpy() for leaf in leaves))
    for have, want in zip(jax.tree.leaves((d_params, *d_inputs)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(have, want, atol=2e-5)


def test_it_is_kerass_on_values_and_gradients():
    theirs = keras.layers.MultiHeadAttention(HEADS, FEATURES // HEADS)
    query, value = random(BATCH, QUERIES, FEATURES), random(BATCH, KEYS, FEATURES)
    visible, weights = MASKS["cross, any"]["visible"], random(BATCH, QUERIES, FEATURES)
    whole = np.broadcast_to(visible, (BATCH, QUERIES, KEYS))
    theirs.build(query.shape, value.shape)
    variables = [random(*variable.shape) for variable in theirs.trainable_variables]

    def objective(variables, query, value):
        state = theirs.non_trainable_variables
        outputs, _ = theirs.stateless_call(variables, state, query, value, attention_mask=whole)
        return (outputs * weights).sum(), outputs

    slopes, expected = jax.jit(jax.grad(objective, argnums=(0, 1, 2), has_aux=True))(variables, query, value)

    def params_of(variables):
        pairs = zip(variables[::2], variables[1::2], ("query", "key", "value", "output"), strict=True)
        return {
            name: {"kernel": jnp.reshape(kernel, (FEATURES, FEATURES)), "bias": jnp.ravel(bias)}
            for kernel, bias, name in pairs
        }

    names = [variable.path.split("/")[-2] for variable in theirs.trainable_variables[::2]]
    assert names == ["query", "key", "value", "attention_output"]
    outputs, own = ours(params_of(variables), query, value, value, weights, visible=visible)
    d_params, d_query, d_key, d_value = own
    np.testing.assert_allclose(outputs, expected, atol=1e-5, rtol=1e-5)
    have, want = (d_params, d_query, d_key + d_value), (params_of(slopes[0]), *slopes[1:])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4), have, want)


def test_a_query_that_sees_nothing_gathers_zeros_and_has_finite_gradients():
    query, key = random(BATCH, QUERIES, FEATURES), random(BATCH, KEYS, FEATURES)
    params = LAYER.init(jax.random.key(0), query, key)["params"]
    params["output"]["bias"] = random(FEATURES)
    mask = np.array([[False] * KEYS, [True] * KEYS])
    outputs, slopes = ours(params, query, key, key, np.ones_like(query), key_mask=mask)
    np.testing.assert_array_equal(outputs[0], np.broadcast_to(params["output"]["bias"], outputs[0].shape))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert np.abs(outputs[1] - params["output"]["bias"]).min(axis=-1).any()


def test_queries_of_50_and_values_of_80_with_8_heads_as_in_the_books():
    layer = MultiHeadAttention(512, 8)
    query, value = jax.ShapeDtypeStruct((2, 50, 512), jnp.float32), jax.ShapeDtypeStruct((2, 80, 512), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.random.key(0), query, value)
    outputs, sown = jax.eval_shape(
        lambda *given: layer.apply(*given, mutable=["intermediates"]), variables, query, value
    )
    assert outputs.shape == (2, 50, 512)
    assert sown["intermediates"]["weights"].shape == (2, 8, 50, 80)


def test_weights_that_are_sown_are_those_that_the_result_is_made_with():
    query, key = random(BATCH, QUERIES, FEATURES), random(BATCH, KEYS, FEATURES)
    params = LAYER.init(jax.random.key(1), query, key)["params"]
    outputs, sown = LAYER.apply({"params": params}, query, key, key_mask=KEY_MASK, mutable=["intermediates"])
    weights = np.asarray(sown["intermediates"]["weights"])
    assert not weights[~np.broadcast_to(KEY_MASK[:, None, None], weights.shape)].any()
    values = np.asarray(key @ params["value"]["kernel"] + params["value"]["bias"]).reshape(BATCH, KEYS, HEADS, -1)
    gathered = np.einsum("bhts,bshk->bthk", weights, values).reshape(BATCH, QUERIES, FEATURES)
    expected = gathered @ params["output"]["kernel"] + params["output"]["bias"]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
