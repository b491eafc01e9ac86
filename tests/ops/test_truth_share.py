"""The share of true inputs over the steps of a training."""

import numpy as np
import pytest

from jaxseq.ops.truth_share import truth_share


@pytest.mark.parametrize("decay", ["linear", "exponential", "inverse_sigmoid"])
def test_a_share_falls_from_near_1_and_never_below_the_least(decay):
    shares = np.array([truth_share(step, decay=decay, steps=100, least=0.2) for step in range(0, 1000, 20)])
    assert shares[0] > 0.95
    assert (np.diff(shares) <= 0).all()
    assert shares[-1] == np.float32(0.2)


def test_shares_are_those_of_the_paper():
    np.testing.assert_allclose(truth_share(25, decay="linear", steps=100), 0.75)
    np.testing.assert_allclose(truth_share(100, decay="exponential", steps=100), 0.5)
    np.testing.assert_allclose(truth_share(300, decay="exponential", steps=100), 0.125)
    # k = 10: k log k = 23.02585; the paper's k / (k + exp(step / k)).
    np.testing.assert_allclose(truth_share(23, decay="inverse_sigmoid", steps=23), 0.5, atol=1e-6)
    k = 9.992189  # k log k = 23
    np.testing.assert_allclose(truth_share(40, decay="inverse_sigmoid", steps=23), k / (k + np.exp(40 / k)), rtol=1e-4)
