"""The sampled softmax against a loop in NumPy, and against the full one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops import losses
from jaxseq.ops.proposals import Proposal
from jaxseq.ops.sampled_softmax import sampled_cross_entropy

RNG = np.random.default_rng(0)
N, D, V = 12, 5, 30
FEATURES = RNG.normal(size=(N, D)).astype(np.float32)
KERNEL = RNG.normal(size=(D, V)).astype(np.float32)
BIAS = RNG.normal(size=V).astype(np.float32)
LIKELIEST = (FEATURES @ KERNEL + BIAS).argmax(1)
TARGETS = np.where(np.arange(N) % 2, LIKELIEST, RNG.integers(0, V, N)).astype(np.int32)
MASK = np.arange(N) % 3 > 0
SAMPLED = np.array([0, 2, 3, TARGETS[0], TARGETS[1], 17, 17, 28], np.int32)
LOG_EXPECTED = np.log(RNG.uniform(0.1, 1.0, V)).astype(np.float32)


def by_loop(sampled, mask):
    """Loss, hits and gradients, a row and a word at a time, in float64."""
    loss, hits = 0.0, 0
    d_features, d_kernel, d_bias = np.zeros((N, D)), np.zeros((D, V)), np.zeros(V)
    kernel, features, bias = KERNEL.astype(float), FEATURES.astype(float), BIAS.astype(float)
    for i in range(N):
        if mask is not None and not mask[i]:
            continue
        words = [int(TARGETS[i]), *(int(word) for word in sampled if word != TARGETS[i])]
        logits = [features[i] @ kernel[:, word] + bias[word] for word in words]
        weights = np.exp([logit - LOG_EXPECTED[word] for logit, word in zip(logits, words, strict=True)])
        shares = weights / weights.sum()
        loss -= np.log(shares[0])
        hits += all(logit < logits[0] for logit in logits[1:])
        for j, (word, share) in enumerate(zip(words, shares, strict=True)):
            slope = share - (j == 0)  # of one label, whatever the number of samples (tf#10267)
            d_features[i] += slope * kernel[:, word]
            d_kernel[:, word] += slope * features[i]
            d_bias[word] += slope
    return loss, hits, (d_features, d_kernel, d_bias)


def with_gradients(sampled, mask, *, features=FEATURES, targets=TARGETS, transposed=False, log_expected=LOG_EXPECTED):
    def total(weights):
        tallies = sampled_cross_entropy(
            *weights, jnp.asarray(targets), sampled, log_expected, mask, transposed=transposed
        )
        return tallies[0].total, tallies

    kernel = KERNEL.T if transposed else KERNEL
    (_, tallies), gradients = jax.jit(jax.value_and_grad(total, has_aux=True))((features, kernel, BIAS))
    return tallies, gradients


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("transposed", [False, True])
def test_loss_hits_and_gradients_are_those_of_a_plain_loop(mask, transposed):
    """A target among the sampled words is no negative of its own row (tf#44758), and is one of the others."""
    (loss, hits), (d_features, d_kernel, d_bias) = with_gradients(SAMPLED, mask, transposed=transposed)
    wanted_loss, wanted_hits, wanted = by_loop(SAMPLED, mask)
    np.testing.assert_allclose(loss.total, wanted_loss, rtol=1e-6)
    assert hits.total == wanted_hits > 0
    assert loss.count == hits.count == (N if mask is None else mask.sum())
    for have, want in zip((d_features, d_kernel.T if transposed else d_kernel, d_bias), wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)


def test_with_all_words_sampled_it_is_the_full_loss():
    tallies, gradients = with_gradients(np.arange(V, dtype=np.int32), MASK, log_expected=np.zeros(V, np.float32))

    def full(weights):
        tallies = losses.cross_entropy(weights[0] @ weights[1] + weights[2], jnp.asarray(TARGETS), MASK)
        return tallies[0].total, tallies

    (_, wanted), wanted_gradients = jax.value_and_grad(full, has_aux=True)((FEATURES, KERNEL, BIAS))
    for have, want in zip(jax.tree.leaves(tallies), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-6)
    for have, want in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)


def test_the_mean_gradient_comes_nearer_to_the_full_one_the_more_words_are_sampled():
    def gradient(sampled, log_expected):
        def total(kernel):
            return sampled_cross_entropy(FEATURES, kernel, BIAS, jnp.asarray(TARGETS), sampled, log_expected)[0].total

        return jax.grad(total)(KERNEL)

    full = gradient(np.arange(V, dtype=np.int32), np.zeros(V, np.float32))
    keys = jax.random.split(jax.random.key(0), 50)
    errors = []
    for samples in (3, 10, 25, V):
        proposal = Proposal.log_uniform(V, samples=samples)
        each = jax.jit(jax.vmap(lambda key, p=proposal: gradient(p.draw(key), p.log_expected())))(keys)
        errors.append(np.linalg.norm(each.mean(0) - full) / np.linalg.norm(full))
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2] > 0.01
    assert errors[-1] < 1e-6


def test_padding_content_never_reaches_loss_or_gradient():
    dirty, wild = np.where(MASK[:, None], FEATURES, np.nan), np.where(MASK, TARGETS, 2**31 - 1)
    have = with_gradients(SAMPLED, MASK, features=dirty, targets=wild)
    jax.tree.map(np.testing.assert_array_equal, have, with_gradients(SAMPLED, MASK))


def test_what_is_not_finite_and_counts_makes_loss_and_gradient_so_and_is_no_hit():
    dirty = FEATURES.copy()
    dirty[1] = np.nan
    (loss, hits), gradients = with_gradients(SAMPLED, None, features=dirty)
    assert np.isnan(loss.total)
    assert all(np.isnan(gradient).any() for gradient in gradients)
    assert hits.total == with_gradients(SAMPLED, np.arange(N) != 1)[0][1].total


def test_the_kernel_has_gradients_where_a_word_is_target_or_sampled_only():
    _, (_, d_kernel, _) = with_gradients(SAMPLED, None)
    others = np.setdiff1d(np.arange(V), np.union1d(SAMPLED, TARGETS))
    assert len(others)
    assert not np.asarray(d_kernel)[:, others].any()


def test_in_bfloat16_loss_and_gradients_are_near_those_in_float32():
    (loss, _), gradients = with_gradients(SAMPLED, MASK, features=jnp.asarray(FEATURES, jnp.bfloat16))
    (exact, _), wanted = with_gradients(SAMPLED, MASK)
    assert loss.total.dtype == jnp.float32
    np.testing.assert_allclose(loss.total, exact.total, rtol=1e-2)
    for have, want in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(have, np.float32), want, atol=0.1)


def test_no_tokens_have_no_loss():
    features, none = np.zeros((0, D), np.float32), jnp.zeros(0, jnp.int32)
    tallies = sampled_cross_entropy(features, KERNEL, BIAS, none, SAMPLED, LOG_EXPECTED)
    assert jax.tree.leaves(tallies) == [0] * 4
