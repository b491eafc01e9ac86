"""Cross-entropy, plain and fused with the linear layer before it, against PyTorch and each other."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from jaxseq.ops import losses

RNG = np.random.default_rng(0)


def test_cross_entropy_equals_pytorch():
    torch = pytest.importorskip("torch")
    logits, targets = RNG.normal(size=(4, 9, 11)).astype(np.float32) * 3, RNG.integers(0, 11, (4, 9))
    loss, hits = losses.cross_entropy(jnp.asarray(logits), jnp.asarray(targets))
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits).reshape(-1, 11), torch.tensor(targets).reshape(-1), reduction="sum"
    )
    np.testing.assert_allclose(loss.total, expected.numpy(), rtol=1e-6)
    assert loss.count == hits.count == 36
    assert hits.total == (logits.argmax(-1) == targets).sum()


@pytest.mark.parametrize("tokens", [5, 8, 19])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fused_loss_and_its_gradients_equal_those_from_the_logits(monkeypatch, tokens, masked, bias):
    monkeypatch.setattr(losses, "CHUNK", 8)
    features, kernel = RNG.normal(size=(tokens, 6)).astype(np.float32), RNG.normal(size=(6, 11)).astype(np.float32)
    offset = RNG.normal(size=11).astype(np.float32) if bias else None
    targets, mask = RNG.integers(0, 11, tokens), RNG.random(tokens) < 0.6 if masked else None

    def plain(features, kernel, offset):
        logits = features @ kernel + (0 if offset is None else offset)
        return losses.cross_entropy(logits, jnp.asarray(targets), mask)

    def fused(features, kernel, offset):
        return losses.linear_cross_entropy(features, kernel, offset, jnp.asarray(targets), mask)

    def scaled(function):
        return lambda *a: 0.3 * function(*a)[0].total

    for have, want in zip(
        jax.tree.leaves(fused(features, kernel, offset)), jax.tree.leaves(plain(features, kernel, offset)), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-5)
    which = (0, 1, 2) if bias else (0, 1)
    have, want = (jax.jit(jax.grad(scaled(f), argnums=which))(features, kernel, offset) for f in (fused, plain))
    for mine, theirs in zip(have, want, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "features", "words", "chunk"),
    [
        (700, 256, 4002, 700),
        (2050, 256, 4002, 684),  # as equal as can be
        (960, 128, 8002, 480),  # 4 million logits, and a few
        (960, 512, 8002, 960),  # the kernel's gradient is as large as a thousand tokens' logits
        (960, 16, 40_000, 96),
    ],
)
def test_chunks_have_few_logits_unless_the_kernel_is_wide(tokens, features, words, chunk):
    assert losses._chunk(np.empty((tokens, features)), np.empty((features, words))) == chunk


def test_padding_content_never_reaches_loss_or_gradient():
    features, kernel = RNG.normal(size=(6, 3)).astype(np.float32), RNG.normal(size=(3, 4)).astype(np.float32)
    targets, mask = RNG.integers(0, 4, 6), np.array([1, 0, 1, 1, 0, 1], bool)
    dirty, wild = features.copy(), targets.copy()
    dirty[~mask], wild[~mask] = np.nan, 2**31 - 1

    def loss(features, targets):
        def total(features, kernel):
            return losses.linear_cross_entropy(features, kernel, None, jnp.asarray(targets), mask)[0].total

        return jax.value_and_grad(total, argnums=(0, 1))(features, kernel)

    for have, want in zip(jax.tree.leaves(loss(dirty, wild)), jax.tree.leaves(loss(features, targets)), strict=True):
        np.testing.assert_array_equal(have, want)


def test_the_gradient_agrees_with_finite_differences():
    features, kernel = jnp.asarray(RNG.normal(size=(5, 3))), jnp.asarray(RNG.normal(size=(3, 4)))
    targets = jnp.asarray(RNG.integers(0, 4, 5))
    jax.test_util.check_grads(
        lambda f, k: losses.linear_cross_entropy(f, k, None, targets)[0].total, (features, kernel), 1, modes=["rev"]
    )


@pytest.mark.parametrize("mask", [None, np.array([1, 1, 0, 1, 1, 1], bool)], ids=["whole", "masked"])
def test_a_hit_is_the_lowest_numbered_of_the_highest_logits_and_no_hit_is_a_nan(mask):
    logits = np.zeros((6, 4), np.float32)
    logits[2:4, 1:3] = 5
    logits[4, 0], logits[5] = np.nan, [-np.inf, 1, 1, np.nan]
    targets = np.array([0, 1, 1, 2, 0, 1], np.int32)
    hits = 1 + (mask is None)  # the first two rows have 0 as their prediction, the next two 1
    assert losses.cross_entropy(jnp.asarray(logits), jnp.asarray(targets), mask)[1].total == hits
    eye = np.eye(4, dtype=np.float32)
    finite = 4  # a product with NaN is NaN in the whole row, which is no hit either
    part = None if mask is None else mask[:finite]
    fused = losses.linear_cross_entropy(logits[:finite], eye, None, jnp.asarray(targets[:finite]), part)
    assert fused[1].total == hits
    nans = losses.linear_cross_entropy(logits[finite:], eye, None, jnp.asarray(targets[finite:]))
    assert nans[1].total == 0


def test_no_tokens_have_no_loss():
    features, kernel, none = np.zeros((0, 3), np.float32), np.ones((3, 4), np.float32), jnp.zeros(0, jnp.int32)
    for mask in (None, jnp.zeros(0, bool)):
        tallies = losses.linear_cross_entropy(features, kernel, None, none, mask)
        plain = losses.cross_entropy(jnp.zeros((0, 4), jnp.float32), none, mask)
        assert jax.tree.leaves((tallies, plain)) == [0] * 8


EXTREME = np.array([0.0, 1e-8, -1e-8, 3.0, -3.0, 88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 3e38, -3e38], np.float32)


def test_cross_entropy_equals_pytorch_at_every_size_of_logit():
    torch = pytest.importorskip("torch")
    rows = np.stack([np.roll(EXTREME[:-2], i) for i in range(11)])
    targets = RNG.integers(0, 11, 11)

    def of(logits, target):
        return losses.cross_entropy(logits, target)[0].total

    have, d_have = jax.vmap(jax.value_and_grad(of))(rows, targets)
    logits = torch.tensor(rows, requires_grad=True)
    want = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none")
    want.sum().backward()
    np.testing.assert_allclose(have, want.detach(), rtol=1e-6)
    np.testing.assert_allclose(d_have, logits.grad, rtol=1e-6, atol=1e-7)
