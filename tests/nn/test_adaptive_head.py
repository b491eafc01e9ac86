"""The adaptive softmax against PyTorch's, and its hits against all its probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.adaptive_head import AdaptiveHead

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
N, D, V, CUTOFFS = 64, 16, 30, (6, 14)
X = RNG.normal(size=(N, D)).astype(np.float32)
MASK = np.arange(N) % 3 > 0
ROOMY, CROWDED = 100.0, 1e-6
"""Slacks with room for all tokens, and for 8 in each cluster, which are too few."""


def head(**fields) -> AdaptiveHead:
    return AdaptiveHead(V, cutoffs=CUTOFFS, div_value=2.0, **fields)


def theirs(bias: bool):
    torch.manual_seed(0)
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(D, V, list(CUTOFFS), div_value=2.0, head_bias=bias)
    with torch.no_grad():  # larger than fresh ones, so that words differ
        for parameter in module.parameters():
            parameter *= 4
    return module


def params_of(module, *, gradients: bool = False) -> dict:
    """Its weights, or the gradients of these, as ours are named."""

    def value(parameter):
        return np.asarray((parameter.grad if gradients else parameter).detach()).T

    named = {"kernel": value(module.head.weight)}
    if module.head.bias is not None:
        named["bias"] = value(module.head.bias)
    for i, tail in enumerate(module.tail):
        named[f"projection_{i}"], named[f"kernel_{i}"] = value(tail[0].weight), value(tail[1].weight)
    return named


def log_probabilities(module) -> np.ndarray:
    return np.asarray(module.log_prob(torch.tensor(X)).detach())


LIKELIEST = log_probabilities(theirs(True)).argmax(1)
TARGETS = np.choose(np.arange(N) % 4, [LIKELIEST, *(RNG.integers(low, V, N) for low in (0, 6, 6))]).astype(np.int32)


def with_gradients(head, params, x=X, targets=TARGETS, mask=None):
    def total(params, x):
        tallies = head.apply({"params": params}, x, jnp.asarray(targets), mask, method="cross_entropy")
        return tallies[0].total, tallies

    (_, tallies), gradients = jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))(params, x)
    return tallies, gradients


@pytest.mark.parametrize("bias", [False, True])
def test_all_probabilities_are_pytorch_s_and_so_are_those_of_steps(bias):
    module, ours = theirs(bias), head(bias=bias)
    params = params_of(module)
    found = jax.jit(ours.apply)({"params": params}, X)
    np.testing.assert_allclose(found, log_probabilities(module), rtol=1e-5, atol=1e-5)
    steps = jax.jit(ours.step)(ours.prepare(params), X)
    np.testing.assert_allclose(steps, log_probabilities(module), rtol=1e-5, atol=1e-5)
    shapes = jax.eval_shape(ours.init, jax.random.key(0), X)["params"]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)


@pytest.mark.parametrize("slack", [ROOMY, CROWDED], ids=["roomy", "crowded"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_loss_hits_and_gradients_are_pytorch_s_whether_or_not_there_is_room(slack, mask):
    module, ours = theirs(True), head(bias=True, slack=slack)
    valid = np.ones(N, bool) if mask is None else mask
    assert ((CUTOFFS[0] <= TARGETS) & (CUTOFFS[1] > TARGETS) & valid).sum() > 8
    x = torch.tensor(X, requires_grad=True)
    logarithms = module(x, torch.tensor(TARGETS).long()).output
    loss = -logarithms[torch.tensor(valid)].sum()
    loss.backward()
    tallies, (d_params, d_x) = with_gradients(ours, params_of(module), mask=mask)
    np.testing.assert_allclose(tallies[0].total, loss.item(), rtol=1e-5)
    assert tallies[0].count == tallies[1].count == valid.sum()
    assert tallies[1].total == ((log_probabilities(module).argmax(1) == TARGETS) & valid).sum() > 0
    wanted = (params_of(module, gradients=True), x.grad.numpy())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), (d_params, d_x), wanted)


@pytest.mark.parametrize("slack", [ROOMY, CROWDED], ids=["roomy", "crowded"])
def test_a_hit_is_the_likeliest_word_wherever_it_is(slack):
    """Each token has every word as its target once: one of them is a hit."""
    module, ours = theirs(True), head(bias=True, slack=slack)
    x, targets = np.repeat(X[:8], V, axis=0), np.tile(np.arange(V, dtype=np.int32), 8)
    params = params_of(module)

    @jax.jit
    def hits(valid):
        return ours.apply({"params": params}, x, targets, valid, method="cross_entropy")[1].total

    likeliest = LIKELIEST[:8]
    assert len({int(np.searchsorted(CUTOFFS, word, side="right")) for word in likeliest}) > 1  # in several places
    assert hits(np.ones(8 * V, bool)) == 8
    for row, word in enumerate(likeliest):
        assert hits(np.arange(8 * V) == row * V + word) == 1


def test_of_words_that_are_alike_the_one_with_the_lowest_id_is_a_hit():
    params = jax.tree.map(jnp.zeros_like, head().init(jax.random.key(0), X)["params"])

    @jax.jit
    def hits(params, target):
        return head().apply({"params": params}, X[:1], target[None], method="cross_entropy")[1].total

    # All columns of the first kernel are alike, so a cluster's words have an eighth of a frequent word's probability.
    assert [int(hits(params, jnp.int32(target))) for target in (0, 3, 7, 29)] == [1, 0, 0, 0]
    # Likely as a whole, the last cluster has the likeliest words: 14 is the first of them.
    params["kernel"] = params["kernel"].at[:, -1].set(X[0])
    assert [int(hits(params, jnp.int32(target))) for target in (0, 7, 14, 15)] == [0, 0, 1, 0]


def test_padding_content_never_reaches_loss_or_gradient():
    ours, params = head(), params_of(theirs(False))
    dirty, wild = np.where(MASK[:, None], X, np.nan), np.where(MASK, TARGETS, 2**31 - 1)
    have = with_gradients(ours, params, dirty, wild, MASK)
    jax.tree.map(np.testing.assert_array_equal, have, with_gradients(ours, params, mask=MASK))


def test_what_is_not_finite_and_counts_makes_the_loss_so_and_is_no_hit():
    ours, params = head(), params_of(theirs(False))
    dirty = X.copy()
    dirty[1] = np.nan
    (loss, hits), _ = with_gradients(ours, params, dirty)
    assert np.isnan(loss.total)
    assert hits.total == with_gradients(ours, params, mask=np.arange(N) != 1)[0][1].total


def test_in_bfloat16_loss_and_probabilities_are_near_those_in_float32():
    ours, params = head(), params_of(theirs(False))
    narrow = jnp.asarray(X, jnp.bfloat16)
    logarithms = ours.apply({"params": params}, narrow)
    assert logarithms.dtype == jnp.float32
    np.testing.assert_allclose(logarithms, ours.apply({"params": params}, X), atol=0.2)
    (loss, _), _ = with_gradients(ours, params, narrow)
    np.testing.assert_allclose(loss.total, with_gradients(ours, params)[0][0].total, rtol=1e-2)


@pytest.mark.parametrize("cutoffs", [(), (0,), (5, 5), (9, 3), (30,)])
def test_cutoffs_that_leave_a_part_without_words_are_refused(cutoffs):
    with pytest.raises(ValueError, match=r"cutoffs .* do not divide 30 words: give ids that rise, from 1 to 29"):
        AdaptiveHead(V, cutoffs=cutoffs).init(jax.random.key(0), X)
