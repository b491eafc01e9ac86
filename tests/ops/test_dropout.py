import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops.dropout import dropout, dropout_mask, kept_from

RATES = [1e-12, 1e-6, 1e-4, 2**-10, 0.1, 0.2, 1 / 3, 0.5, 0.9, 0.99, 65535 / 65536, 0.99999, 0.999999, 1 - 1e-12]


@pytest.mark.parametrize("rate", RATES)
def test_the_mean_of_the_factors_is_1_at_every_rate(rate):
    threshold, bits = kept_from(rate)
    dropped = threshold / 2**bits
    factors = np.asarray(dropout_mask(jax.random.key(0), rate, (64,)))
    scale = np.float64(factors.max()) or 1 / (1 - dropped)  # none may be kept of so few
    assert abs((1 - dropped) * scale - 1) < 1e-7
    assert set(factors.tolist()) <= {0.0, float(np.float32(1 / (1 - dropped)))}
    # The share that is dropped is the rate, to what the docstring states.
    assert abs(dropped - rate) <= 2.0 ** -(bits + 1) or rate > 1 - 2**-32
    assert bits == 32 or abs(dropped - rate) < 0.01 * min(rate, 1 - rate)


@pytest.mark.parametrize("rate", [1e-4, 0.2, 0.999, 0.9999])
def test_elements_are_dropped_at_the_rate(rate):
    n = 1_000_001
    factors = np.asarray(dropout_mask(jax.random.key(1), rate, (n,)))
    deviation = (rate * (1 - rate) / n) ** 0.5
    assert abs((factors == 0).mean() - rate) < 5 * deviation + 2**-17
    assert abs(factors.mean() - 1) < 5 * deviation / (1 - rate)


def test_shared_axes_share_one_choice():
    y = dropout(jnp.ones((3, 5, 4), jnp.float32), 0.5, jax.random.key(2), shared_axes=(1,))
    assert (y == y[:, :1]).all()
    assert (y[0] != y[1]).any()


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_drops_all_or_less_than_nothing_is_refused(rate):
    with pytest.raises(ValueError, match=r"a dropout rate of .* cannot be used"):
        dropout_mask(jax.random.key(0), rate, (3,))
