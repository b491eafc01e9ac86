"""A linear classifier of vectors, by which it is measured what they tell: logistic regression with an L2 penalty."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError

_STEPS = 1000
"""Of L-BFGS, at the most; tens are usual."""


class LinearProbe(NamedTuple):
    """One of c classes from vectors of d numbers."""

    weights: NDArray[np.float64]
    """[d, c]."""
    bias: NDArray[np.float64]
    """[c]."""

    def probabilities(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Of each class [n, c] for vectors [n, d]."""
        return np.exp(_log_softmax(vectors.astype(np.float64) @ self.weights + self.bias))


def fit_linear_probe(
    vectors: NDArray[np.floating], labels: NDArray[np.integer], *, classes: int, penalty: float
) -> LinearProbe:
    """The classifier with the least mean cross-entropy in nats, plus penalty / 2 times the squared weights.

    The minimum is one point, but for what is added to all biases alike: what it is fitted from makes no difference.
    scikit-learn's `LogisticRegression` of several classes finds it with C = 1 / (n penalty).

    Args:
        vectors: [n, d].
        labels: [n], from 0 to `classes` - 1.

    Raises:
        InputError: there is no vector, or all are of one class.
    """
    from scipy.optimize import minimize

    present = np.unique(labels)
    if len(present) < 2:
        raise InputError(
            f"the {len(labels):,} texts with a vector are of {len(present)} class: a classifier needs texts of two"
        )
    inputs = np.concatenate([vectors.astype(np.float64), np.ones((len(vectors), 1))], axis=1)
    rows, size = np.arange(len(labels)), (inputs.shape[1], classes)

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = flat.reshape(size)
        weights = np.concatenate([matrix[:-1], np.zeros((1, classes))])
        logs = _log_softmax(inputs @ matrix)
        slopes = np.exp(logs)
        slopes[rows, labels] -= 1
        value = -logs[rows, labels].mean() + penalty / 2 * np.square(weights).sum()
        return value, (inputs.T @ slopes / len(rows) + penalty * weights).ravel()

    options = {"maxiter": _STEPS, "gtol": 1e-7, "ftol": 0.0, "maxcor": 20}
    found = minimize(value_and_gradient, np.zeros(size).ravel(), jac=True, method="L-BFGS-B", options=options)
    matrix = found.x.reshape(size)
    return LinearProbe(matrix[:-1], matrix[-1])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
