"""Attention and blocks against PyTorch's and Keras's, on values and gradients, masks included."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.decoder_block import DecoderBlock
from jaxseq.nn.transformer import Block
from jaxseq.ops.ring_cache import place

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

BATCH, TIME, FEATURES, HEADS, WIDTH = 3, 7, 12, 3, 20
RNG = np.random.default_rng(0)
MASKS = {
    "full": np.ones((BATCH, TIME), bool),
    "right": np.arange(TIME) < np.array([[7], [4], [1]]),
    "interior": np.array([[1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 1], [1, 1, 0, 1, 1, 0, 1]], bool),
}
# The first token of each row is real: where no key is visible PyTorch gives NaN, and Keras an average of padding.


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def close(ours, theirs, what=""):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-5, err_msg=what)


def ours(module, params, x, weights, mask):
    """Outputs at real tokens, and gradients of their weighted sum for params and x."""

    def objective(params, x):
        outputs, _ = module.apply({"params": params}, x, place(TIME, context=TIME, mask=jnp.asarray(mask)))
        return (outputs * weights).sum(), outputs

    gradients, outputs = jax.jit(jax.grad(objective, argnums=(0, 1), has_aux=True))(params, x)
    return outputs * mask[..., None], gradients


def attention_params(from_torch: dict) -> dict:
    return {
        "input": {"kernel": from_torch["in_proj_weight"].T, "bias": from_torch["in_proj_bias"]},
        "output": {"kernel": from_torch["out_proj.weight"].T, "bias": from_torch["out_proj.bias"]},
    }


def block_params(from_torch: dict) -> dict:
    """Of torch.nn.TransformerEncoderLayer's weights, or of their gradients."""
    own = {name.removeprefix("self_attn."): x for name, x in from_torch.items() if name.startswith("self_attn.")}
    return {
        "attention": attention_params(own),
        "attention_norm": {"scale": from_torch["norm1.weight"], "bias": from_torch["norm1.bias"]},
        "feed_forward_norm": {"scale": from_torch["norm2.weight"], "bias": from_torch["norm2.bias"]},
        "feed_forward": {
            "input": {"kernel": from_torch["linear1.weight"].T, "bias": from_torch["linear1.bias"]},
            "output": {"kernel": from_torch["linear2.weight"], "bias": from_torch["linear2.bias"]},
        },
    }


def check_against_torch(module, theirs, call, convert, mask):
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x, weights = random(BATCH, TIME, FEATURES), random(BATCH, TIME, FEATURES) * mask[..., None]
    leaf = torch.tensor(x, requires_grad=True)
    expected = call(leaf, torch.tensor(np.triu(np.ones((TIME, TIME), bool), 1)), torch.tensor(~mask))
    (expected * torch.tensor(weights)).sum().backward()
    numbers = {name: p.detach().numpy() for name, p in theirs.named_parameters()}
    slopes = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    outputs, (d_params, d_x) = ours(module, convert(numbers), x, weights, mask)
    close(outputs, expected.detach().numpy() * mask[..., None])
    close(d_x, leaf.grad, "input")
    paths = jax.tree_util.tree_leaves_with_path(convert(slopes))
    for (path, want), have in zip(paths, jax.tree.leaves(d_params), strict=True):
        close(have / np.abs(want).max(), want / np.abs(want).max(), jax.tree_util.keystr(path))


@pytest.mark.parametrize("kind", MASKS)
def test_self_attention_equals_pytorch_on_values_and_gradients(kind):
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)

    def call(x, hidden, padding):
        return theirs(x, x, x, attn_mask=hidden, key_padding_mask=padding, need_weights=False)[0]

    check_against_torch(SelfAttention(HEADS), theirs, call, attention_params, MASKS[kind])


@pytest.mark.parametrize("kind", MASKS)
def test_block_equals_pytorch_on_values_and_gradients(kind):
    theirs = torch.nn.TransformerEncoderLayer(
        FEATURES, HEADS, WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )

    def call(x, hidden, padding):
        return theirs(x, src_mask=hidden, src_key_padding_mask=padding)

    check_against_torch(Block(HEADS, WIDTH), theirs, call, block_params, MASKS[kind])


@pytest.mark.parametrize("kind", MASKS)
def test_self_attention_equals_keras_on_values_and_gradients(kind):
    theirs, mask = keras.layers.MultiHeadAttention(HEADS, FEATURES // HEADS), MASKS[kind]
    x, weights = random(BATCH, TIME, FEATURES), random(BATCH, TIME, FEATURES) * mask[..., None]
    theirs.build(x.shape, x.shape)
    variables = [jnp.asarray(0.5 * random(*v.shape)) for v in theirs.trainable_variables]
    rest = [v.value for v in theirs.non_trainable_variables]

    def params(variables):
        """Query, key and value kernels [d, h, k] and biases [h, k] side by side; output kernel [h, k, d]."""
        kernels = [v.reshape(FEATURES, FEATURES) for v in variables[0:6:2]]
        biases = [v.reshape(FEATURES) for v in variables[1:6:2]]
        return {
            "input": {"kernel": jnp.concatenate(kernels, 1), "bias": jnp.concatenate(biases)},
            "output": {"kernel": variables[6].reshape(FEATURES, FEATURES), "bias": variables[7]},
        }

    def objective(variables, x):
        outputs, _ = theirs.stateless_call(
            variables, rest, x, x, query_mask=None, value_mask=jnp.asarray(mask), use_causal_mask=True
        )
        return (outputs * weights).sum(), outputs

    (d_variables, d_x), expected = jax.grad(objective, argnums=(0, 1), has_aux=True)(variables, jnp.asarray(x))
    outputs, (d_ours, d_x_ours) = ours(SelfAttention(HEADS), params(variables), x, weights, mask)
    close(outputs, expected * mask[..., None])
    close(d_x_ours, d_x, "input")
    jax.tree.map(functools.partial(close, what="parameters"), d_ours, params(d_variables))


@pytest.mark.parametrize("dropped", [True, False])
@pytest.mark.parametrize("branch", ["attention", "cross_attention"])
def test_dropout_may_be_of_the_branches_alone(branch, dropped):
    """Then each element of a branch is twice what it is without, or nothing; the other branches add zeros here."""
    module = DecoderBlock(HEADS, WIDTH, features=FEATURES, dropout=0.5, attention_dropout=dropped)
    x, source = jnp.asarray(random(BATCH, TIME, FEATURES)), jnp.asarray(random(BATCH, 5, FEATURES))

    def run(params, train):
        def call(block):
            return block(x, place(TIME, context=TIME), block.project(source), train=train)[0]

        return nn.apply(call, module)({"params": params}, rngs={"dropout": jax.random.key(1)}) - x

    def every(block):
        return block(x, place(TIME, context=TIME), block.project(source))

    params = nn.init(every, module)(jax.random.key(0))["params"]
    for other in {"attention", "cross_attention", "feed_forward"} - {branch}:
        params[other]["output"] = jax.tree.map(jnp.zeros_like, params[other]["output"])
    whole, found = run(params, False), run(params, True)
    apart = jnp.minimum(jnp.abs(found), jnp.abs(found - 2 * whole)).max()
    assert (apart > 1e-2) if dropped else (apart < 1e-5)
    assert 0.3 < (found == 0).mean() < 0.7


def test_dropped_attention_weights_keep_their_expectation():
    module = SelfAttention(HEADS, dropout=0.5)
    x = random(1, TIME, FEATURES)
    placement = place(TIME, context=TIME)
    params = jax.jit(module.init)(jax.random.key(0), x, placement)["params"]

    def run(key):
        return module.apply({"params": params}, x, placement, train=True, rngs={"dropout": key})[0]

    outputs = jax.vmap(run)(jax.random.split(jax.random.key(1), 4000))
    expected, _ = module.apply({"params": params}, x, placement)
    deviation = outputs.std(0) / 4000**0.5
    assert (outputs[0] != outputs[1]).any()
    assert (jnp.abs(outputs.mean(0) - expected) < 5 * deviation + 1e-6).all()
