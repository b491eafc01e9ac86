"""The loss over blocks of a large vocabulary, against the plain one from all logits."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import torch

from jaxseq.ops import losses, vocabulary_loss

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Vocabularies of 8 words are large, 4 words a block and 8 tokens a chunk."""
    monkeypatch.setattr(losses, "LARGE", 8)
    monkeypatch.setattr(vocabulary_loss, "BLOCK", 4)
    monkeypatch.setattr(vocabulary_loss, "CHUNK", 8)


def drawn(tokens, words, *, bias=True, masked=True, features=6):
    """Features, kernel, bias, targets, of which every other one is a hit, and mask."""
    x, kernel = (RNG.normal(size=shape).astype(np.float32) for shape in ((tokens, features), (features, words)))
    added = RNG.normal(size=words).astype(np.float32) if bias else None
    likeliest = (x @ kernel + (0 if added is None else added)).argmax(1)
    targets = np.where(np.arange(tokens) % 2, likeliest, RNG.integers(0, words, tokens))
    return x, kernel, added, jnp.asarray(targets), np.arange(tokens) % 3 > 0 if masked else None


def plain(features, kernel, bias, targets, mask, *, transposed=False):
    kernel = kernel.T if transposed else kernel
    logits = jnp.matmul(features, kernel, preferred_element_type=jnp.float32)
    return losses.cross_entropy(logits if bias is None else logits + bias, targets, mask)


def with_gradients(function, features, kernel, bias, *rest, **options):
    def scaled(weights):
        loss, hits = function(*weights, *rest, **options)
        return 0.3 * loss.total, (loss, hits)

    return jax.jit(jax.value_and_grad(scaled, has_aux=True))((features, kernel, bias))


def assert_near(have, want, *, error=2e-6):
    """Trees whose arrays are each as near as `error` of the length of those wanted."""
    for mine, theirs in zip(jax.tree.leaves(have), jax.tree.leaves(want), strict=True):
        theirs = np.asarray(theirs, np.float64)
        assert np.linalg.norm(np.asarray(mine, np.float64) - theirs) <= error * np.linalg.norm(theirs)


@pytest.mark.parametrize(("tokens", "words"), [(5, 11), (19, 8), (19, 11)])
@pytest.mark.parametrize(
    ("bias", "masked", "transposed"), [(False, True, True), (True, False, False), (True, True, True)]
)
def test_loss_hits_and_gradients_equal_those_from_all_logits(tokens, words, bias, masked, transposed):
    features, kernel, *rest = drawn(tokens, words, bias=bias, masked=masked)
    kernel = kernel.T if transposed else kernel
    want = with_gradients(plain, features, kernel, *rest, transposed=transposed)
    have = with_gradients(losses.linear_cross_entropy, features, kernel, *rest, transposed=transposed)
    assert_near(have, want)


def test_the_blocks_are_what_a_large_vocabulary_of_narrow_features_takes(monkeypatch):
    def none(*_, **__):
        raise AssertionError("blocks")

    monkeypatch.setattr(losses, "blockwise_cross_entropy", none)
    losses.linear_cross_entropy(*drawn(5, 7))
    monkeypatch.setattr(losses, "WIDE", 5)
    losses.linear_cross_entropy(*drawn(5, 8))
    narrow, *others = drawn(5, 8)
    with pytest.raises(AssertionError, match="blocks"):
        losses.linear_cross_entropy(narrow.astype(jnp.bfloat16), *others)
    monkeypatch.setattr(losses, "WIDE", 6)
    with pytest.raises(AssertionError, match="blocks"):
        losses.linear_cross_entropy(narrow, *others)


@pytest.mark.parametrize("words", [7, 11], ids=["all at once", "in blocks"])
def test_smoothed_targets_have_the_loss_and_gradients_of_pytorch(words):
    x, kernel, bias, targets, mask = drawn(19, words)
    (_, (loss, _)), ours = with_gradients(losses.linear_cross_entropy, x, kernel, bias, targets, mask, smoothing=0.2)
    weights = [torch.tensor(array, requires_grad=True) for array in (x, kernel, bias)]
    logits, chosen = weights[0] @ weights[1] + weights[2], torch.tensor(mask)
    wanted = torch.nn.functional.cross_entropy(
        logits[chosen], torch.tensor(np.array(targets))[chosen].long(), label_smoothing=0.2, reduction="sum"
    )
    (0.3 * wanted).backward()
    np.testing.assert_allclose(loss.total, wanted.item(), rtol=1e-6)
    assert_near(ours, [weight.grad for weight in weights])


def test_of_wide_features_the_gradients_equal_those_from_all_logits_too(monkeypatch):
    monkeypatch.setattr(losses, "WIDE", 5)
    monkeypatch.setattr(losses, "CHUNK", 8)
    given = drawn(19, 11)
    have, want = with_gradients(losses.linear_cross_entropy, *given), with_gradients(plain, *given)
    assert_near(have, want)


@pytest.mark.parametrize("transposed", [False, True])
def test_in_bfloat16_the_gradients_are_those_of_rounded_operands(transposed):
    features, kernel, *rest = drawn(19, 11)
    features = jnp.asarray(features, jnp.bfloat16)
    kernel = kernel.T if transposed else kernel
    have = with_gradients(losses.linear_cross_entropy, features, kernel, *rest, transposed=transposed)
    rounded = features.astype(jnp.float32), jnp.asarray(kernel, jnp.bfloat16).astype(jnp.float32)
    want = with_gradients(plain, *rounded, *rest, transposed=transposed)
    np.testing.assert_allclose(have[0][0], want[0][0], rtol=1e-5)
    assert_near(have[1], want[1], error=1e-2)
    assert have[1][0].dtype == jnp.bfloat16
    assert have[1][1].dtype == have[1][2].dtype == jnp.float32


def test_padding_content_never_reaches_loss_or_gradient():
    features, kernel, bias, targets, mask = drawn(19, 11)
    dirty = np.where(mask[:, None], features, np.nan)
    wild = jnp.where(mask, targets, 2**31 - 1)
    have = with_gradients(losses.linear_cross_entropy, dirty, kernel, bias, wild, mask)
    want = with_gradients(losses.linear_cross_entropy, features, kernel, bias, targets, mask)
    jax.tree.map(np.testing.assert_array_equal, have, want)


def test_what_is_not_finite_and_counts_makes_loss_and_gradients_so():
    features, kernel, bias, targets, mask = drawn(19, 11)
    features[1, 0] = np.nan
    assert mask[1]
    (loss, _), gradients = with_gradients(losses.linear_cross_entropy, features, kernel, bias, targets, mask)
    assert np.isnan(loss)
    assert all(np.isnan(gradient).any() for gradient in gradients)
    _, hits = losses.linear_cross_entropy(features, kernel, bias, targets, mask)
    _, others = losses.linear_cross_entropy(features, kernel, bias, targets, mask & (np.arange(19) != 1))
    assert hits.total == others.total


def test_where_nothing_counts_weights_that_are_not_finite_have_no_gradient():
    features, kernel, bias, targets, _ = drawn(5, 11)
    kernel[:, 9], none = np.nan, np.zeros(5, bool)
    (loss, _), gradients = with_gradients(losses.linear_cross_entropy, features, kernel, bias, targets, none)
    assert loss == 0
    assert not any(np.any(gradient) for gradient in gradients)


@pytest.mark.parametrize("row", range(4))
def test_a_hit_is_the_first_of_the_highest_logits_wherever_the_blocks_end(row):
    logits = np.zeros((4, 11), np.float32)
    logits[1, [3, 4, 9]] = logits[2, [4, 10]] = 5
    logits[3] = np.arange(11)
    first = logits.argmax(1)[row]
    for target in range(11):
        given = (logits[[row]], np.eye(11, dtype=np.float32), None, jnp.array([target]))
        assert losses.linear_cross_entropy(*given)[1].total == (target == first)


def test_words_that_a_bias_rules_out_take_no_part():
    features, kernel, bias, targets, _ = drawn(19, 11, masked=False)
    bias[:9] = -np.inf
    targets = 9 + targets % 2
    (loss, _), (d_features, d_kernel, _) = with_gradients(losses.linear_cross_entropy, features, kernel, bias, targets)
    short = (features, kernel[:, 9:], bias[9:], targets - 9)
    (want, _), (d_short, d_columns, _) = with_gradients(plain, *short, None)
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    np.testing.assert_allclose(d_features, d_short, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(d_kernel[:, 9:], d_columns, rtol=1e-5, atol=1e-6)
    assert not d_kernel[:, :9].any()


def test_logits_of_any_size_keep_their_probabilities():
    features, kernel, bias, targets, mask = drawn(19, 11)
    bias += np.linspace(-300, 300, 11, dtype=np.float32)
    have = with_gradients(losses.linear_cross_entropy, features, kernel, bias, targets, mask)
    want = with_gradients(plain, features, kernel, bias, targets, mask)
    assert_near(have, want)


def test_the_gradient_agrees_with_finite_differences():
    features, kernel, bias, targets, mask = drawn(5, 9)
    jax.test_util.check_grads(
        lambda *weights: losses.linear_cross_entropy(*weights, targets, mask)[0].total,
        (features, kernel, bias),
        1,
        modes=["rev"],
    )
