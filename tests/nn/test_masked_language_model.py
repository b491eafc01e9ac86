"""An encoder with the heads of pretraining, against the same by PyTorch, and what reaches its loss."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import subjects

from jaxseq.models import TransformerEncoder
from jaxseq.nn.masked_language_model import MaskedLanguageModel

V, D, B, T, K = 11, 8, 4, 7, 3
BODY = {"vocabulary_size": V, "features": D, "heads": 2, "layers": 1, "mlp_ratio": 2, "epsilon": 1e-3}
BODY |= {"positions": "learned", "context": T, "segments": 2, "norm": "post"}


def model_of(*, pairs=True, **options):
    return MaskedLanguageModel(TransformerEncoder(**{**BODY, **options}), pairs)


@cache
def params_of(pairs=True):
    found = jax.jit(model_of(pairs=pairs).init)(jax.random.key(0), *a_batch()[:2])["params"]
    return subjects.perturbed(found, 0.2)


def a_batch(seed=0):
    """Tokens, columns, targets and which of these are; then by name the rest. The last row is none."""
    rng = np.random.default_rng(seed)
    mask = np.arange(T) < np.array([7, 5, 4, 0])[:, None]
    tokens = rng.integers(1, V, (B, T)).astype(np.int32) * mask
    chosen = np.arange(K) < np.array([3, 1, 0, 0])[:, None]
    positions = np.array([[1, 3, 6], [4, 0, 0], [0, 0, 0], [0, 0, 0]], np.int32)
    targets = rng.integers(1, V, (B, K)).astype(np.int32) * chosen
    rest = {"segments": (np.arange(T) > 2).astype(np.int32) * mask, "mask": mask}
    rest |= {"is_next": np.array([True, False, True, False]), "valid": np.array([True, True, True, False])}
    return tokens, positions, targets, chosen, rest


@partial(jax.jit, static_argnames=("pairs", "dtype"))
def slopes(params, batch, *, pairs=True, dtype=jnp.float32):
    """What a batch costs, and the gradient of the sum of both losses."""

    def total(params):
        *given, rest = batch
        found = model_of(pairs=pairs, dtype=dtype).apply({"params": params}, *given, method="losses", **rest)
        return found.tokens.total + (found.pairs.total if pairs else 0), found

    gradients, found = jax.grad(total, has_aux=True)(params)
    return found, gradients


def test_losses_hits_and_gradients_are_those_of_pytorchs_modules():
    torch = pytest.importorskip("torch")
    params, (tokens, positions, targets, chosen, rest) = params_of(), a_batch()
    leaves = {
        "/".join(key.key for key in path): torch.tensor(np.array(leaf), requires_grad=True)
        for path, leaf in jax.tree.leaves_with_path(params)
    }

    def dense(x, name):
        return x @ leaves[f"{name}/kernel"] + leaves[f"{name}/bias"]

    def norm(x, name):
        return torch.nn.functional.layer_norm(x, (D,), leaves[f"{name}/scale"], leaves[f"{name}/bias"], 1e-3)

    mask, words, parts = (torch.tensor(np.asarray(a)) for a in (rest["mask"], tokens, rest["segments"]))
    block = "body/block_0"
    x = leaves["body/embedding"][words.long()] + leaves["body/position_table"]
    x = norm(x + leaves["body/segment_table"][parts.long()], "body/norm")[:3]  # the last row has no token to look at
    joined = dense(x, f"{block}/attention/input").unflatten(-1, (3, 2, D // 2)).permute(2, 0, 3, 1, 4)
    seen = torch.nn.functional.scaled_dot_product_attention(*joined, attn_mask=mask[:3, None, None, :])
    gathered = dense(seen.transpose(1, 2).flatten(2), f"{block}/attention/output")
    x = norm(x + gathered, f"{block}/attention_norm")
    wide = torch.nn.functional.gelu(dense(x, f"{block}/feed_forward/input"))
    narrow = wide @ leaves[f"{block}/feed_forward/output/kernel"].T + leaves[f"{block}/feed_forward/output/bias"]
    x = norm(x + narrow, f"{block}/feed_forward_norm")

    rows, at = np.nonzero(chosen)
    hidden = norm(torch.nn.functional.gelu(dense(x[rows, positions[rows, at]], "transform")), "transform_norm")
    logits = hidden @ leaves["body/embedding"].T + leaves["output_bias"]
    wanted = torch.tensor(targets[rows, at]).long()
    loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    follows = dense(torch.tanh(dense(x[:, 0], "pooler")), "relation")[:, 0]
    pair_loss = torch.nn.functional.binary_cross_entropy_with_logits(
        follows, torch.tensor(rest["is_next"][:3]).float(), reduction="sum"
    )
    (loss + pair_loss).backward()

    found, gradients = slopes(params, a_batch())
    np.testing.assert_allclose(found.tokens.total, loss.item(), rtol=1e-5)
    np.testing.assert_allclose(found.pairs.total, pair_loss.item(), rtol=1e-5)
    assert (found.tokens.count, found.pairs.count) == (4, 3)
    assert found.hits.total == (logits.argmax(-1) == wanted).sum().item()
    assert found.pair_hits.total == ((follows > 0).numpy() == rest["is_next"][:3]).sum()
    mine = {"/".join(key.key for key in path): leaf for path, leaf in jax.tree.leaves_with_path(gradients)}
    for name, leaf in leaves.items():
        scale = leaf.grad.abs().max().item() + 1e-6
        np.testing.assert_allclose(mine[name] / scale, leaf.grad.numpy() / scale, atol=3e-5, err_msg=name)

    shown, relation = jax.jit(model_of().apply)(
        {"params": params}, tokens, positions, segments=rest["segments"], mask=rest["mask"]
    )
    np.testing.assert_allclose(np.asarray(shown)[rows, at], logits.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(relation[:3], follows.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pairs", [True, False])
def test_where_nothing_is_hidden_the_loss_is_0_with_count_0_and_no_gradient_is_nan(pairs):
    """hf#16711."""
    tokens, positions, targets, chosen, rest = a_batch()
    nothing = (tokens, positions, targets, np.zeros_like(chosen), {**rest, "valid": np.zeros(B, bool)})
    found, gradients = slopes(params_of(pairs), nothing, pairs=pairs)
    assert not any(float(leaf) for leaf in jax.tree.leaves(found))
    assert (found.pairs is None) == (not pairs)
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients))


def test_neither_padding_nor_neighbours_reach_loss_or_gradient():
    params, (tokens, positions, targets, chosen, rest) = params_of(), a_batch()
    wanted = slopes(params, a_batch())
    mask = rest["mask"]
    dirty = {
        "segments": np.where(mask, rest["segments"], 99).astype(np.int32),
        "mask": mask,
        "is_next": np.where(rest["valid"], rest["is_next"], True),
        "valid": rest["valid"],
    }
    # Padding that is no token, targets and columns of nothing: none is looked at.
    wild = (np.where(mask, tokens, 10**6), positions, np.where(chosen, targets, 10**6).astype(np.int32), chosen, dirty)
    jax.tree.map(np.testing.assert_array_equal, slopes(params, wild), wanted)

    def only(rows):
        there = np.isin(np.arange(B), rows)
        kept = {**rest, "mask": mask & there[:, None], "valid": rest["valid"] & there}
        return slopes(params, (tokens, positions, targets, chosen & there[:, None], kept))

    def near(one, other):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

    jax.tree.map(near, jax.tree.map(np.add, only([0]), only([1, 2])), wanted)


def test_in_bfloat16_losses_are_near_those_of_float32_and_parameters_stay_float32():
    model = model_of(dtype=jnp.bfloat16)
    tokens, positions, *_ = a_batch()
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens, positions)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(jnp.float32)}
    assert model.dtype == jnp.bfloat16
    near, wanted = slopes(params_of(), a_batch(), dtype=jnp.bfloat16)[0], slopes(params_of(), a_batch())[0]
    assert {leaf.dtype for leaf in jax.tree.leaves(near)} == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(near.tokens.total, wanted.tokens.total, rtol=2e-2)
    np.testing.assert_allclose(near.pairs.total, wanted.pairs.total, rtol=5e-2)


def test_a_fresh_one_knows_nothing_and_dropout_follows_its_key():
    tokens, positions, *_, rest = a_batch()
    found, _ = slopes(jax.jit(model_of().init)(jax.random.key(1), tokens, positions)["params"], a_batch())
    np.testing.assert_allclose(found.tokens.total / found.tokens.count, np.log(V), rtol=0.05)
    np.testing.assert_allclose(found.pairs.total / found.pairs.count, np.log(2), rtol=0.05)

    @partial(jax.jit, static_argnums=1)
    def run(key, train):
        return model_of(dropout=0.5).apply(
            {"params": params_of()}, tokens, mask=rest["mask"], train=train, rngs={"dropout": key}, method="features"
        )

    one, other = (run(jax.random.key(seed), True) for seed in (1, 2))
    assert (one != other).any()
    still = run(jax.random.key(1), False)
    np.testing.assert_array_equal(still, run(jax.random.key(2), False))
    assert not np.asarray(still)[~rest["mask"]].any()


def test_a_model_of_pairs_must_be_told_which_they_are():
    tokens, positions, targets, chosen, rest = a_batch()
    with pytest.raises(ValueError, match="give is_next"):
        slopes(params_of(), (tokens, positions, targets, chosen, {**rest, "is_next": None}))
