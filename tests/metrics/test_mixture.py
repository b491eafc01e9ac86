"""Mixtures of models, against a search over all weights and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from jaxseq.errors import InputError
from jaxseq.metrics.mixture import fit_weights, mixture_log_probability
from jaxseq.metrics.perplexity import require_one_vocabulary


def drawn(models, tokens, seed) -> np.ndarray:
    """Log probabilities [k, n]."""
    return np.log(np.random.default_rng(seed).beta(0.7, 2, (models, tokens)).clip(1e-9, 1))


def mean(logs, weights) -> float:
    """Of the logarithm of the mixture, by definition."""
    return float(np.log((np.exp(logs) * np.asarray(weights)[:, None]).sum(axis=0)).mean())


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_no_weights_of_two_models_are_better(tokens, seed):
    logs = drawn(2, tokens, seed)
    weights = fit_weights(logs)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    best = max(mean(logs, (w, 1 - w)) for w in np.linspace(0, 1, 501))
    assert mean(logs, weights) >= best - 1e-6


def test_those_of_four_models_are_those_that_scipy_finds():
    logs = drawn(4, 500, 3)

    def loss(free):
        weights = np.exp(free) / np.exp(free).sum()
        return -mean(logs, weights)

    found = minimize(loss, np.zeros(4), tol=1e-12).x
    np.testing.assert_allclose(fit_weights(logs), np.exp(found) / np.exp(found).sum(), atol=2e-3)


def test_the_mixture_is_the_mean_of_probabilities_even_of_very_small_ones():
    logs = np.array([[-1.0, -2000.0, -np.inf], [-3.0, -1999.0, -0.5]])
    found = mixture_log_probability(logs, [0.25, 0.75])
    expected = [np.log(0.25 * np.exp(-1) + 0.75 * np.exp(-3)), -1999 + np.log(0.75 + 0.25 / np.e), np.log(0.75) - 0.5]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert mixture_log_probability(logs, [1, 0])[2] == -np.inf


def test_a_mixture_is_better_than_each_where_each_knows_something():
    logs = np.log([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9]])
    weights = fit_weights(logs)
    np.testing.assert_allclose(weights, 0.5)
    assert mixture_log_probability(logs, weights).mean() > logs.mean(axis=1).max()


def test_a_model_that_is_worse_everywhere_gets_next_to_nothing():
    logs = np.log([[0.5] * 10, [0.25] * 10])
    assert fit_weights(logs)[1] < 1e-6
    np.testing.assert_allclose(fit_weights(logs[:1]), [1])


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        (np.zeros((2, 0)), r"log probabilities of shape \[2, 0\] make no mixture"),
        (np.zeros(3), r"log probabilities of shape \[3\] make no mixture"),
        ([[-1.0, 0.5], [-1, -1]], "model 0 gives token 1 the log probability 0.5: leave that model out"),
        ([[-1.0, -1], [-1, np.nan]], "model 1 gives token 1 the log probability nan"),
        ([[-1.0, -np.inf], [-1, -np.inf]], "no model has token 1"),
    ],
)
def test_what_cannot_be_mixed_is_told(logs, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_weights(logs)
    assert "\n" not in str(caught.value)


def test_perplexities_of_different_vocabularies_are_not_compared():
    """kenlm#345."""
    require_one_vocabulary({})
    require_one_vocabulary({"runs/a": "1", "runs/b": "1"})
    with pytest.raises(InputError, match=r"runs/a and runs/c have different tokenizers.*compare bits per character"):
        require_one_vocabulary({"runs/a": "1", "runs/b": "1", "runs/c": "2"})
