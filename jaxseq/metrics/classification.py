"""What a classifier shows over a whole split, from what was collected there: what is no sum of per-text values too.

Letters: n texts, c classes, m bins. Matrices of confusion have a row for each true class, a column for each predicted
one, as scikit-learn's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, NonFiniteError
from jaxseq.metrics.metric import Metric

CLASSIFICATION_METRICS = (Metric("loss", "nats per text"), Metric("accuracy", better="higher"))
"""Of models that predict a class: what is measured while a run trains."""

BINS = 15
"""Bins of confidence, as in Guo et al. 2017."""
_SUM_TOLERANCE = 1e-2
"""By how much probabilities may miss 1: those of a softmax in bfloat16 do."""


class ClassScores(NamedTuple):
    """Of each class, [c]; 0 where a denominator is."""

    precision: NDArray[np.float64]
    """The share of the texts taken for it that are of it."""
    recall: NDArray[np.float64]
    """The share of its texts that are taken for it."""
    f1: NDArray[np.float64]
    """Harmonic mean of the two."""
    support: NDArray[np.int64]
    """Texts of it."""


class Reliability(NamedTuple):
    """What a model says of itself against what is right, in `m` bins of equal width of its confidence, which is the
    probability of the class that it predicts. Bin i holds confidences in (i/m, (i+1)/m]; means of empty ones are 0."""

    support: NDArray[np.int64]
    """Texts in each bin [m]."""
    confidence: NDArray[np.float64]
    """Their mean confidence [m]."""
    accuracy: NDArray[np.float64]
    """The share of them predicted right [m]."""

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the sum over the bins of |accuracy - confidence|, each weighed by its share
        of the texts (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3)."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.support * gaps).sum() / self.support.sum())


class Classified(NamedTuple):
    """All of it, over one split."""

    loss: float
    """Mean of -log(probability of the true class), in nats; infinite where one of them is 0."""
    accuracy: float
    f1: float
    """Of the class `positive`; where that is None the mean over all classes, each counting the same ("macro")."""
    positive: int | None
    matrix: NDArray[np.int64]
    """Texts [c, c] by true and by predicted class."""
    scores: ClassScores
    reliability: Reliability
    mistakes: NDArray[np.int64]
    """Texts [k] predicted wrong, those first of which the model was surest."""
    predictions: NDArray[np.int64]
    """Predicted classes [n]."""
    confidences: NDArray[np.float64]
    """Their probabilities [n]."""
    labels: NDArray[np.int64]
    """True classes [n]."""

    def summary(self) -> dict[str, float]:
        """The single numbers, by name."""
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "f1": self.f1,
            "calibration_error": self.reliability.expected_error,
        }


def classified(
    labels: ArrayLike, probabilities: ArrayLike, *, positive: int = 1, bins: int = BINS, mistakes: int = 10
) -> Classified:
    """What a classifier shows on n texts of classes `labels` [n], to which it gives `probabilities` [n, c].

    The class of the highest probability is the prediction, the first one of several, as in the loss that it is trained
    with.

    Args:
        positive: of two classes the one whose F1 it is; of more, all count.
        bins: of confidence.
        mistakes: how many of the mistakes to list.

    Raises:
        InputError: there are no texts, a label is no class, or a row of `probabilities` is no distribution.
        NonFiniteError: a probability is no finite number.
    """
    labels, probabilities = _checked(np.asarray(labels), np.asarray(probabilities))
    n, c = probabilities.shape
    if c == 2 and positive not in (0, 1):
        raise InputError(f"the positive class is {positive}: of two classes it is 0 or 1")
    predictions = probabilities.argmax(axis=1)
    confidences = probabilities[np.arange(n), predictions]
    matrix = confusion_matrix(labels, predictions, classes=c)
    scores = class_scores(matrix)
    return Classified(
        loss=log_loss(labels, probabilities),
        accuracy=float(np.trace(matrix) / n),
        f1=float(scores.f1[positive] if c == 2 else scores.f1.mean()),
        positive=positive if c == 2 else None,
        matrix=matrix,
        scores=scores,
        reliability=reliability(confidences, predictions == labels, bins=bins),
        mistakes=confident_mistakes(confidences, predictions == labels, count=mistakes),
        predictions=predictions,
        confidences=confidences.astype(np.float64),
        labels=labels,
    )


def confusion_matrix(
    labels: NDArray[np.integer], predictions: NDArray[np.integer], *, classes: int
) -> NDArray[np.int64]:
    """Texts [c, c] by true class (rows) and predicted class (columns), of labels and predictions [n]."""
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_scores(matrix: NDArray[np.int64]) -> ClassScores:
    """Precision, recall and F1 of each class of a matrix of confusion [c, c]; scikit-learn's with `zero_division=0`."""
    hits, predicted, support = np.diagonal(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return ClassScores(_ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, predicted + support), support)


def log_loss(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Mean of -log(probability of the true class) in nats, for labels [n] and probabilities [n, c].

    It is infinite where one of those probabilities is 0; scikit-learn's is cut there.
    """
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    with np.errstate(divide="ignore"):
        return float(-np.log(of_truth).mean() + 0.0)  # no -0


def logit_loss(labels: NDArray[np.integer], logits: NDArray[np.floating]) -> float:
    """The same of logits [n, c]: finite however sure a model is."""
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean())


def reliability(confidences: NDArray[np.floating], is_right: NDArray[np.bool_], *, bins: int = BINS) -> Reliability:
    """Confidences [n], each above 0 and at most 1, against whether the predictions are right [n]."""
    # Edges of the confidences' own type: 0.2 in float32 is above 0.2 and yet belongs below that edge.
    edges = np.linspace(0, 1, bins + 1).astype(confidences.dtype)
    which = np.searchsorted(edges[1:-1], confidences, side="left")
    count = np.bincount(which, minlength=bins)
    sums = np.bincount(which, weights=confidences.astype(np.float64), minlength=bins)
    hits = np.bincount(which, weights=is_right, minlength=bins)
    return Reliability(count, _ratio(sums, count), _ratio(hits, count))


def confident_mistakes(
    confidences: NDArray[np.floating], is_right: NDArray[np.bool_], *, count: int
) -> NDArray[np.int64]:
    """Where the predictions are wrong, at most `count` places [k], those with the highest confidence first; of equal
    ones the earlier first."""
    wrong = np.flatnonzero(~is_right)
    return wrong[np.argsort(-confidences[wrong], kind="stable")][:count]


def _ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _checked(labels: NDArray, probabilities: NDArray) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or labels.shape != probabilities.shape[:1]:
        raise InputError(
            f"labels {labels.shape} and probabilities {probabilities.shape} do not fit: give [n], and [n, c] of at "
            "least two classes"
        )
    if not labels.size:
        raise InputError("there are no texts to measure on: give a split that has some")
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels are of type {labels.dtype}: give whole numbers")
    c = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= c:
        at = int(np.flatnonzero((labels < 0) | (labels >= c))[0])
        raise InputError(f"the label of text {at} is {labels[at]}: the classes go from 0 to {c - 1}")
    if probabilities.dtype.kind != "f":  # NumPy knows no bfloat16
        probabilities = probabilities.astype(np.float32)
    if not np.isfinite(probabilities).all():
        at = int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])
        raise NonFiniteError(f"the probabilities of text {at} are not all finite numbers: train anew with other values")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = (probabilities < 0).any(axis=1) | (np.abs(sums - 1) > _SUM_TOLERANCE)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"the probabilities of text {at} are no distribution, their sum is {sums[at]:.6g}: give those of a softmax"
        )
    return labels.astype(np.int64), probabilities
