"""The loss of hidden tokens, from a few columns of each row, against PyTorch's from all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.masked_loss import gather_positions, masked_cross_entropy

RNG = np.random.default_rng(0)
B, T, K, D, V = 4, 9, 5, 6, 11


def a_case(seed=0):
    """Vectors [b, t, d], kernel, bias, and positions, targets and chosen [b, k]; the last row has nothing chosen."""
    rng = np.random.default_rng(seed)
    x, kernel = rng.normal(size=(B, T, D)).astype(np.float32), rng.normal(size=(D, V)).astype(np.float32)
    bias = rng.normal(size=V).astype(np.float32)
    chosen = np.arange(K) < np.array([K, 2, 1, 0])[:, None]
    positions = np.stack([np.sort(rng.permutation(T)[:K]) for _ in range(B)]).astype(np.int32) * chosen
    return x, kernel, bias, positions, rng.integers(0, V, (B, K)).astype(np.int32) * chosen, chosen


def tallies(x, kernel, bias, positions, targets, chosen, **options):
    return masked_cross_entropy(gather_positions(x, positions), kernel, bias, targets, chosen, **options)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.integers(0, 6), st.integers(0, 99))
def test_gathered_are_the_vectors_in_the_columns(b, t, d, n, seed):
    rng = np.random.default_rng(seed)
    x, positions = rng.normal(size=(b, t, d)).astype(np.float32), rng.integers(0, t, (b, n)).astype(np.int32)
    found = np.asarray(gather_positions(x, positions))
    assert found.shape == (b, n, d)
    for row in range(b):
        for at in range(n):
            np.testing.assert_array_equal(found[row, at], x[row, positions[row, at]])


@pytest.mark.parametrize("transposed", [False, True])
def test_loss_hits_and_gradients_equal_those_of_pytorch_over_all_columns(transposed):
    torch = pytest.importorskip("torch")
    x, kernel, bias, positions, targets, chosen = a_case()
    labels = np.full((B, T), -100)
    for row, at in zip(*np.nonzero(chosen), strict=True):
        labels[row, positions[row, at]] = targets[row, at]
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, kernel, bias)]
    logits = theirs[0] @ theirs[1] + theirs[2]
    expected = torch.nn.functional.cross_entropy(
        logits.reshape(-1, V), torch.tensor(labels).reshape(-1), ignore_index=-100, reduction="sum"
    )
    expected.backward()

    def loss(x, kernel, bias):
        table = kernel.T if transposed else kernel
        return tallies(x, table, bias, positions, targets, chosen, transposed=transposed)[0].total

    loss_tally, hits = tallies(x, kernel, bias, positions, targets, chosen)
    assert loss_tally.count == hits.count == chosen.sum() == 8
    assert hits.total == (logits.detach().numpy().argmax(-1) == labels).sum()
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(x, kernel, bias)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(loss_tally.total, value, rtol=1e-6)
    for mine, its in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(mine, its.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_what_is_not_chosen_reaches_neither_loss_nor_gradient():
    x, kernel, bias, positions, targets, chosen = a_case(1)
    positions = np.where(chosen, positions, 0).astype(np.int32)
    dirty, wild = x.copy(), np.where(chosen, targets, 2**31 - 1).astype(np.int32)
    looked_at = np.zeros((B, T), bool)
    for row, at in zip(*np.nonzero(chosen), strict=True):
        looked_at[row, positions[row, at]] = True
    dirty[~looked_at] = np.nan

    def loss(x, targets):
        def total(x, kernel, bias):
            return tallies(x, kernel, bias, positions, jnp.asarray(targets), chosen)[0].total

        return jax.value_and_grad(total, argnums=(0, 1, 2))(x, kernel, bias)

    for have, want in zip(jax.tree.leaves(loss(dirty, wild)), jax.tree.leaves(loss(x, targets)), strict=True):
        np.testing.assert_array_equal(have, want)


def test_where_nothing_is_chosen_the_loss_is_0_with_count_0_and_no_gradient():
    """The mean that others take is NaN there."""
    x, kernel, bias, positions, targets, _ = a_case()
    nothing = np.zeros((B, K), bool)
    found = tallies(x, kernel, bias, positions, targets, nothing)
    assert [float(leaf) for leaf in jax.tree.leaves(found)] == [0, 0, 0, 0]
    gradients = jax.grad(lambda *a: tallies(*a, positions, targets, nothing)[0].total, argnums=(0, 1, 2))(
        x, kernel, bias
    )
    assert not any(np.asarray(gradient).any() for gradient in gradients)
    none = tallies(x, kernel, bias, positions[:, :0], targets[:, :0], nothing[:, :0])
    assert [float(leaf) for leaf in jax.tree.leaves(none)] == [0, 0, 0, 0]
