"""Text as arrays of Unicode code points, and back: the form in which texts are looked up, counted and rewritten."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 16
"""Characters handled at a time: the arrays in between stay in the processor's cache, whatever the text's size."""


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points [len(text)] of `text`; a lone surrogate counts as one, so every str has them."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def text_of(codes: NDArray[np.uint32]) -> str:
    """Inverse of `code_points`."""
    return codes.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")


def chunks(text: str) -> Iterator[str]:
    """`text` in pieces of at most `CHUNK` characters."""
    return (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """How often each character occurs in all of `texts`, which are read one at a time."""
    totals = np.zeros(0, np.int64)
    for piece in _gathered(texts):
        counts = np.bincount(code_points(piece))
        if len(counts) > len(totals):
            totals, counts = counts, totals
        totals[: len(counts)] += counts
    present = np.flatnonzero(totals)
    return Counter(dict(zip(map(chr, present.tolist()), totals[present].tolist(), strict=True)))


def _gathered(texts: Iterable[str]) -> Iterator[str]:
    """The same characters in pieces of about `CHUNK`: no work for each short text, no large array for a long one."""
    short: list[str] = []
    size = 0
    for text in texts:
        for piece in chunks(text):
            short.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield "".join(short)
                short, size = [], 0
    if short:
        yield "".join(short)


def grouped(texts: Iterable[str], characters: int) -> Iterator[list[str]]:
    """Some of `texts` at a time: together about so many characters, or one longer text."""
    group: list[str] = []
    size = 0
    for text in texts:
        group.append(text)
        size += len(text)
        if size >= characters:
            yield group
            group, size = [], 0
    if group:
        yield group
