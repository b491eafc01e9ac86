"""How much more often tokens stand in the texts of one class than in those of another."""

import numpy as np

from jaxseq.data.examples import Sequences


def log_count_ratios(
    sequences: Sequences, labels: np.ndarray, *, classes: int, size: int, smoothing: float
) -> np.ndarray:
    """The log-count ratios of naive Bayes (Wang and Manning 2012): [size, 1] float32 of the second of two classes to
    the first; of more classes [size, classes], of each one to all others.

    A ratio is log(p / sum(p)) - log(q / sum(q)), where p and q [size] are `smoothing` plus how often each token stands
    in the sequences of the one and in those of the other. A token that stands nowhere tells nothing: its ratio is 0.

    Args:
        labels: [k] class ids.
        size: ids there are; all of `sequences` are smaller.
        smoothing: above 0.
    """
    labels_of_ids = np.repeat(labels, sequences.lengths)
    counts = np.stack([np.bincount(sequences.ids[labels_of_ids == c], minlength=size) for c in range(classes)], axis=1)
    total = counts.sum(axis=1, keepdims=True)
    ones = counts[:, 1:] if classes == 2 else counts
    ratios = _log_shares(ones, smoothing) - _log_shares(total - ones, smoothing)
    return np.where(total > 0, ratios, 0).astype(np.float32)


def _log_shares(counts: np.ndarray, smoothing: float) -> np.ndarray:
    """Of counts [size, n], each column by itself."""
    smoothed = counts + smoothing
    return np.log(smoothed) - np.log(smoothed.sum(axis=0))
