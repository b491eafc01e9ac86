"""Which characters of a text became which of the normalised one, so that offsets can be brought back."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.text.cuts import all_cuts
from jaxseq.text.normalize import Normalizer


class Alignment(NamedTuple):
    """A text after a normaliser, and for each character [n] of it from where to where in the text before it stood."""

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def back(self, spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """The spans [m, 2] of the text before, of spans [m, 2] of the normalised text; those of nothing stay so."""
        starts, ends = spans.T
        ends_there = np.concatenate([[0], self.ends])[ends]
        starts_there = np.concatenate([self.starts, self.ends[-1:]])[starts] if len(self.starts) else starts
        return np.stack([starts_there, np.where(starts == ends, starts_there, ends_there)], axis=1)


def align(text: str, normalizer: Normalizer) -> Alignment:
    """`text` as `normalizer` makes it, aligned with what it was.

    The text is normalised between places where it may be cut, which are those where no character sees the next one. In
    between, characters at both ends that became one each belong together, and all of the rest to all of the rest.

    >>> from jaxseq.text.normalize import normalizer
    >>> align("NO  NOES", normalizer(("lowercase", "collapse_whitespace"))).starts.tolist()
    [0, 1, 2, 4, 5, 6, 7]
    """
    normalized = normalizer(text)
    if normalized == text:
        places = np.arange(len(text), dtype=np.int64)
        return Alignment(text, places, places + 1)
    starts: list[int] = []
    ends: list[int] = []
    bounds = [0, *all_cuts(text), len(text)]
    for begin, end in pairwise(bounds):
        before, after = text[begin:end], normalizer(text[begin:end])
        head = _equal(before, after, normalizer)
        tail = _equal(before[head:][::-1], after[head:][::-1], normalizer)
        middle = len(after) - head - tail
        starts += [*range(begin, begin + head), *[begin + head] * middle, *range(end - tail, end)]
        ends += [*range(begin + 1, begin + head + 1), *[end - tail] * middle, *range(end - tail + 1, end + 1)]
    return Alignment(normalized, np.array(starts, np.int64), np.array(ends, np.int64))


def _equal(before: str, after: str, normalizer: Normalizer) -> int:
    """How many characters from the first on became one each."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if new not in (old, normalizer(old))), min(len(before), len(after)))
