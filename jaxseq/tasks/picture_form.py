"""Of what form pictures are that a model reads: what a run keeps of those that it was trained on."""

import json
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError

PICTURES = "pictures.json"
"""Name of the artifact."""
_LEAST_DEVIATION = 1 / 255
"""Of a channel that is the same everywhere."""


class PictureForm(NamedTuple):
    """Size of pictures [h, w, c] of 0 to 255, and what they are scaled by: from a pixel over 255 the mean of its
    channel is taken off, and what is left is divided by the deviation."""

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> Self:
        """That of pictures [n, h, w, c]; mean and deviation are over all pixels of a channel."""
        _, height, width, channels = pictures.shape
        values = np.arange(256) / 255
        means, deviations = [], []
        for channel in range(channels):
            counts = np.bincount(pictures[..., channel].ravel(), minlength=256)
            mean = float(counts @ values / counts.sum())
            variance = float(counts @ (values - mean) ** 2 / counts.sum())
            means.append(mean)
            deviations.append(max(variance**0.5, _LEAST_DEVIATION))
        return cls(height, width, channels, tuple(means), tuple(deviations))

    @property
    def shape(self) -> tuple[int, int, int]:
        """[h, w, c] of a picture."""
        return self.height, self.width, self.channels

    def __str__(self) -> str:
        return f"{self.height} x {self.width}" + (f" x {self.channels}" if self.channels > 1 else "")

    def to_bytes(self) -> bytes:
        """JSON, which `from_bytes` reads."""
        return (json.dumps(self._asdict()) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Inverse of `to_bytes`.

        Raises:
            InputError: it is none of that.
        """
        try:
            tree = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{PICTURES} is no JSON ({error})") from error
        if not isinstance(tree, dict) or set(tree) != set(cls._fields):
            raise InputError(f"{PICTURES} must hold {', '.join(cls._fields[:-1])} and {cls._fields[-1]}")
        sizes = [tree[name] for name in ("height", "width", "channels")]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise InputError(f"{PICTURES} must have whole numbers above 0 for height, width and channels")
        mean, deviation = tree["mean"], tree["deviation"]
        if not (_are_numbers(mean, sizes[2]) and _are_numbers(deviation, sizes[2]) and min(deviation) > 0):
            raise InputError(f"{PICTURES} must have a mean and a deviation above 0 for each of {sizes[2]} channels")
        height, width, channels = sizes
        return cls(height, width, channels, tuple(map(float, mean)), tuple(map(float, deviation)))


def _are_numbers(value: Any, count: int) -> bool:
    """Whether it is a list of so many finite numbers."""
    is_list = isinstance(value, list) and len(value) == count
    return is_list and all(type(each) in (int, float) and np.isfinite(each) for each in value)
