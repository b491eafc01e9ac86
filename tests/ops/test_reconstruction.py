"""Losses of pixels against PyTorch's, and noise on pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jaxseq.ops.picture_noise import noisy, noisy_by_content
from jaxseq.ops.reconstruction import pixel_losses


def sums(logits, pictures, valid=None):
    loss, error = pixel_losses(logits, pictures, valid)
    return loss.total, (loss, error)


@pytest.mark.parametrize("scale", [0.1, 5.0, 200.0])
def test_values_and_gradients_are_those_of_pytorch(scale):
    random = np.random.default_rng(0)
    logits = (scale * random.normal(size=(4, 5, 3, 2))).astype(np.float32)
    pictures = random.choice(np.float32([0, 0.25, 1]), logits.shape)
    (total, (loss, error)), gradient = jax.jit(jax.value_and_grad(sums, has_aux=True))(logits, pictures)
    theirs = torch.tensor(logits, requires_grad=True)
    lost = F.binary_cross_entropy_with_logits(theirs, torch.tensor(pictures))
    lost.backward()
    assert float(loss.count) == float(error.count) == 4
    assert float(total) / 4 == pytest.approx(lost.item(), rel=1e-5)
    assert float(error.total) / 4 == pytest.approx(
        F.mse_loss(theirs.sigmoid(), torch.tensor(pictures)).item(), rel=1e-5
    )
    assert theirs.grad is not None
    np.testing.assert_allclose(gradient / 4, theirs.grad, rtol=1e-4, atol=1e-8)


def test_rows_that_are_not_valid_are_not_looked_at():
    random = np.random.default_rng(1)
    logits, pictures = (random.random((3, 4, 4, 1), np.float32) for _ in range(2))
    valid = np.array([True, False, True])
    broken = logits.copy()
    broken[1] = np.nan
    (total, (loss, error)), gradient = jax.value_and_grad(sums, has_aux=True)(broken, pictures, valid)
    (expected, tallies), others = jax.value_and_grad(sums, has_aux=True)(logits[valid], pictures[valid])
    assert float(loss.count) == float(error.count) == 2
    assert float(total) == pytest.approx(float(expected), rel=1e-6)
    assert float(error.total) == pytest.approx(float(tallies[1].total), rel=1e-6)
    np.testing.assert_allclose(gradient[valid], others, rtol=1e-6)
    assert not gradient[1].any()


def test_noise_is_normal_and_what_leaves_0_to_1_is_cut_off():
    pictures = jnp.full((20, 30, 30, 1), 0.5)
    made = np.asarray(noisy(pictures, 0.1, jax.random.key(0)))
    assert made.mean() == pytest.approx(0.5, abs=0.003)
    assert made.std() == pytest.approx(0.1, rel=0.02)
    made = np.asarray(noisy(pictures, 5.0, jax.random.key(0)))
    assert (made.min(), made.max()) == (0, 1)


def test_noise_that_follows_from_a_picture_is_another_one_for_every_other_picture():
    pictures = np.random.default_rng(0).integers(100, 156, (40, 12, 12, 1)).astype(np.uint8)
    pictures[1] = pictures[0]
    pictures[1, 5, 5] ^= 1  # one pixel by the least there is
    pictures[3] = pictures[2]
    noise = np.asarray(jax.jit(noisy_by_content, static_argnums=1)(pictures, 0.05)) - pictures / 255
    np.testing.assert_array_equal(noise[2], noise[3])
    alike = np.corrcoef(noise.reshape(40, -1)) - np.eye(40)
    alike[2, 3] = alike[3, 2] = 0
    assert np.abs(alike).max() < 0.4  # 144 numbers: deviation 1/12, and 780 pairs
    assert noise.std() == pytest.approx(0.05, rel=0.03)
