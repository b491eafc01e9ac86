"""What no model of pixels gets below."""

import numpy as np
from numpy.typing import NDArray


def pixel_entropy(pictures: NDArray[np.uint8]) -> float:
    """The mean of -x log(x) - (1 - x) log(1 - x) over pixels x = value / 255, in nats.

    That is the cross-entropy of a pixel with itself: where there is grey it is more than 0, and the loss of pictures
    that come back exactly.

    >>> round(pixel_entropy(np.array([0, 255, 51], np.uint8)), 4)
    0.1668
    """
    counts = np.bincount(pictures.ravel(), minlength=256)
    shares = np.arange(256) / 255
    inner = shares[1:-1]
    entropies = np.zeros(256)
    entropies[1:-1] = -inner * np.log(inner) - (1 - inner) * np.log(1 - inner)
    return float(counts @ entropies / pictures.size)
