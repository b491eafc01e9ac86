"""What a person sees of a model that tells two classes apart: a report in plain text, and pictures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.reporting.pictures import is_picture
from jaxseq.reporting.recognition_pictures import EXAMPLES, WEIGHTS, examples_picture, weights_picture

REPORT = "recognition.txt"
"""Name of the file of a report."""
_BEGIN = "recognition of the "
_MOST_SHOWN = 64
"""Parameters of a network that is shown whole."""


class Recognized(NamedTuple):
    """What a model says of n examples."""

    logits: NDArray[np.float32]
    """[n]: above 0 it says class 1."""
    labels: NDArray[np.int32]
    """[n]: what they are."""
    classes: Sequence[str]
    """Names of the classes 0 and 1."""

    @property
    def said(self) -> NDArray[np.int32]:
        """[n]: the class that it says."""
        return (self.logits > 0).astype(np.int32)

    @property
    def right(self) -> NDArray[np.bool_]:
        """[n]."""
        return self.said == self.labels

    def verdict(self, at: int) -> str:
        """What is said of an example, and how sure it is: "a hand, 93 %"."""
        probability = 1 / (1 + np.exp(-abs(float(self.logits[at]))))
        return f"{self.classes[self.said[at]]}, {probability:.0%}".replace("%", " %")


def report(
    found: Recognized, split: str, params: Mapping[str, Any], figures: Mapping[int, NDArray[np.floating]] | None = None
) -> str:
    """Shares that are right, the parameters of a small network, and figures by their corners.

    Args:
        split: what it was measured on, as "test split".
        params: nested dicts of arrays.
        figures: corners [n, 2] by the number of the example.
    """
    count = len(found.labels)
    lines = [f"{_BEGIN}{split}: {found.right.mean():.2%} of {count:,} examples are right", ""]
    width = max(map(len, found.classes))
    for label, name in enumerate(found.classes):
        of_class = found.labels == label
        share = f"{found.right[of_class].mean():.2%}" if of_class.any() else ""
        lines.append(f"  {name:{width}}  {share:>7} of {of_class.sum():,}")
    if (flat := _flat(params)) and sum(array.size for array in flat.values()) <= _MOST_SHOWN:
        lines += ["", f"its {sum(array.size for array in flat.values())} parameters"]
        lines += [f"  {name}  {_numbers(array)}" for name, array in flat.items()]
    if figures is not None:
        wrong = int((~found.right).sum())
        lines += ["", f"wrong about {wrong:,}" + (", of which the first" if wrong > len(figures) else "")]
        for at, corners in figures.items():
            points = "  ".join(f"({x:.2f}, {y:.2f})" for x, y in corners.tolist())
            lines.append(f"  {found.classes[found.labels[at]]}: {points}  said: {found.verdict(at)}")
    return "\n".join(lines) + "\n"


def picture_files(
    found: Recognized,
    split: str,
    params: Mapping[str, Any],
    pictures: NDArray[np.uint8],
    maps: NDArray[np.floating] | None,
) -> dict[str, bytes]:
    """A report, the first pictures [n, h, w, 3] with what is said of them, and where they have places the unit's
    weights.

    Args:
        maps: the weights of the linear unit [rows, columns, filters], where it has some for every place.

    Raises:
        InputError: Matplotlib does not start.
    """
    verdicts = [found.verdict(at) for at in range(len(pictures))]
    title = f"{found.right.mean():.1%} right of {len(found.labels):,} pictures ({split})"
    files = {
        REPORT: report(found, split, params).encode(),
        EXAMPLES: examples_picture(pictures, verdicts, found.right[: len(pictures)].tolist(), title=title),
    }
    if maps is not None:
        files[WEIGHTS] = weights_picture(maps, title="weights of the linear unit at every place, a map for each filter")
    return files


def is_report(begin: bytes) -> bool:
    """Whether a file that begins so is a report."""
    return begin.startswith(_BEGIN.encode())


SHOWCASE_FILES: Mapping[str, Callable[[bytes], bool]] = {REPORT: is_report, EXAMPLES: is_picture, WEIGHTS: is_picture}
"""By name, the files that a run ends with, and how each is known."""


def _flat(params: Mapping[str, Any], above: str = "") -> dict[str, NDArray[np.floating]]:
    """Arrays by their path."""
    flat: dict[str, NDArray[np.floating]] = {}
    for name, child in params.items():
        path = f"{above}/{name}" if above else name
        flat |= _flat(child, path) if isinstance(child, Mapping) else {path: np.asarray(child)}
    return flat


def _numbers(array: NDArray[np.floating]) -> str:
    """The rows of an array on one line."""
    rows = np.atleast_2d(array)
    return "[" + "], [".join("  ".join(f"{number:.3f}" for number in row) for row in rows.tolist()) + "]"
