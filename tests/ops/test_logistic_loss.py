"""The loss of one unit against PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import example, given
from hypothesis import strategies as st

from jaxseq.ops.logistic_loss import logistic_loss

logit = st.integers(-1_000_000, 1_000_000).map(lambda number: number / 100)


@example(pairs=[(x, False) for x in (-6.33, -6.34, -6.34, -6.36, -6.36, -12.93)])  # XLA's log1p is off by 2e-7
@given(pairs=st.lists(st.tuples(logit, st.booleans()), min_size=6, max_size=6))
def test_loss_and_gradient_are_pytorch_s_and_hits_those_above_zero(pairs):
    logits, labels = np.float32([x for x, _ in pairs]), np.int32([y for _, y in pairs])
    (total, hits), gradient = jax.value_and_grad(
        lambda x: (lambda loss, hits: (loss.total, hits.total))(*logistic_loss(x, labels)), has_aux=True
    )(logits)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = F.binary_cross_entropy_with_logits(theirs, torch.tensor(labels, dtype=torch.float32), reduction="sum")
    expected.backward()
    assert theirs.grad is not None
    np.testing.assert_allclose(total, expected.detach().numpy(), rtol=1e-5, atol=1e-6 * len(pairs))
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), atol=1e-6)
    assert hits == sum((x > 0) == y for x, y in pairs)


def test_where_the_mask_is_false_nothing_is_looked_at():
    logits, labels = jnp.array([1.0, jnp.nan, -2.0]), jnp.array([1, 7, 1])
    mask = jnp.array([True, False, True])
    loss, hits = logistic_loss(logits, labels, mask)
    assert (float(loss.count), float(hits.total), float(hits.count)) == (2, 1, 2)
    np.testing.assert_allclose(loss.total, np.log1p(np.exp(-1.0)) + np.log1p(np.exp(2.0)), rtol=1e-6)
    gradient = jax.grad(lambda x: logistic_loss(x, labels, mask)[0].total)(logits)
    assert np.isfinite(gradient).all()
    assert gradient[1] == 0


def test_what_is_no_number_is_no_hit():
    _, hits = logistic_loss(jnp.full(2, jnp.nan), jnp.array([0, 1]))
    assert hits.total == 0
