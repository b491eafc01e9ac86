"""Mixtures of models: weighted means of their probabilities, with the weights that suit a text best.

Letters: k models, n tokens. Log probabilities are in nats, each model's of the same tokens by the same vocabulary
(`jaxseq.metrics.perplexity.require_one_vocabulary`).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError

_STEPS = 1_000
_LEAST_GAIN = 1e-8
"""Nats per token by which weights may fall short of the best ones."""
_ROUNDING = 1e-4
"""By how much the logarithm of a probability may be above 0."""


def mixture_log_probability(log_probabilities: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Of each token, [n], the logarithm of the weighted mean of its probabilities; log_probabilities [k, n], weights
    [k]. -inf where no model with a weight has the token."""
    logs, weights = np.asarray(log_probabilities, np.float64), np.asarray(weights, np.float64)
    with np.errstate(divide="ignore"):
        return np.logaddexp.reduce(logs + np.log(weights)[:, None], axis=0)


def fit_weights(log_probabilities: ArrayLike) -> NDArray[np.float64]:
    """The weights [k], which sum to 1, of the mixture to which the tokens are likeliest; log_probabilities [k, n].

    By expectation maximisation from equal weights (Jelinek and Mercer 1980), every step of which is at least as good as
    the one before. The tokens should be of a validation split: on those that a model has learned it looks too good.

    Raises:
        InputError: there is no token or no model, a log probability is NaN or above 0, or a token is one that no model
            has.
    """
    logs = _checked(log_probabilities)
    relative = np.exp(logs - logs.max(axis=0))
    weights = np.full(len(logs), 1 / len(logs))
    for _ in range(_STEPS):
        # By how much each model's share of the tokens passes its weight. No weights whatever are better than these by
        # more than the logarithm of the largest (Cover 1984, "An Algorithm for Maximizing Expected Log Investment
        # Return").
        gains = (relative / (weights @ relative)).mean(axis=1)
        weights = weights * gains
        if np.log(gains.max()) < _LEAST_GAIN:
            break
    return weights / weights.sum()


def _checked(log_probabilities: ArrayLike) -> NDArray[np.float64]:
    logs = np.asarray(log_probabilities, np.float64)
    if logs.ndim != 2 or not logs.size:
        raise InputError(
            f"log probabilities of shape {list(logs.shape)} make no mixture: give those of one model or more for the "
            "same tokens, [k, n]"
        )
    if not (logs <= _ROUNDING).all():
        model, token = np.argwhere(~(logs <= _ROUNDING))[0]
        raise InputError(
            f"model {model} gives token {token} the log probability {logs[model, token]:g}: leave that model out"
        )
    if (nobody := np.isneginf(logs).all(axis=0)).any():
        raise InputError(
            f"no model has token {int(nobody.argmax())}, its probability is 0 in all of them: add a model that gives "
            "every token one"
        )
    return logs
