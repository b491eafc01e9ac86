"""Texts in chunks that a model reads one by one, and each distinct one once: most words of a text come again."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Unicode has as White_Space, as a regular expression's set has it; Python's `\\s` has four more."""

PART = 1 << 20
"""Characters of which the chunks lie in memory at a time."""


class Chunking(NamedTuple):
    """A way to cut a text."""

    chunk: re.Pattern[str]
    """Of which all of every text consists."""
    boundary: re.Pattern[str]
    """Where a chunk begins, whatever stands around it."""


WORDS = Chunking(re.compile(f"[{SPACES}]*[^{SPACES}]+|[{SPACES}]+"), re.compile(f"(?<=[^{SPACES}])[ \n]"))
"""Words with all white space before them: no pre-tokenizer that we know joins a word to the white space after it."""

APART = Chunking(re.compile("[ \n]*[^ \n]+|[ \n]+"), re.compile("(?<=[^ \n])[ \n]"))
"""The same, of spaces and line ends alone: what else is white space BERT's normalisation may take for a control
character, and leave out."""

SPACED = Chunking(re.compile(" ?[^ ]+| "), re.compile(" "))
"""Words with one space before them, and spaces."""

LINES = Chunking(re.compile(f" ?[^{SPACES}]+|[{SPACES}]"), re.compile(" |\n"))
"""Words with one space before them, and each other character of white space by itself."""

WHOLE = Chunking(re.compile("(?s:.+)"), re.compile(r"(?!)"))
"""A text in one piece."""


class Encoded(NamedTuple):
    """The ids of m chunks."""

    ids: NDArray[np.int32]
    """[n], chunk after chunk."""
    sizes: NDArray[np.intp]
    """[m], how many ids each chunk has."""
    spans: NDArray[np.int64] | None
    """[n, 2], from which character to which, in its chunk; None where nobody asked."""


EncodeChunks = Callable[[Sequence[str], bool], Encoded]
"""From chunks, and whether to tell spans, to their ids."""


def encode_in_parts(text: str, chunking: Chunking, encode: EncodeChunks) -> NDArray[np.int32]:
    """The ids [n] of `text`, a part of it at a time."""
    bounds = list(pairwise(_bounds(text, chunking.boundary)))
    parts = [_repeated(chunking.chunk.findall(text, start, end), encode).ids for start, end in bounds]
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def encode_group(texts: Sequence[str], chunking: Chunking, encode: EncodeChunks) -> list[NDArray[np.int32]]:
    """The ids [n] of each of `texts`."""
    chunks = [chunking.chunk.findall(text) for text in texts]
    encoded = _repeated([chunk for one in chunks for chunk in one], encode)
    ends_of_chunks = np.concatenate([[0], np.cumsum(encoded.sizes)])
    bounds = ends_of_chunks[np.cumsum([0, *map(len, chunks)])]
    return [encoded.ids[start:end] for start, end in pairwise(bounds.tolist())]


def encode_with_spans(
    text: str, chunking: Chunking, encode: EncodeChunks
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The ids [n] of `text`, and the spans [n, 2] of characters they stand for."""
    chunks = chunking.chunk.findall(text)
    if not chunks:
        return np.zeros(0, np.int32), np.zeros((0, 2), np.int64)
    encoded = encode(chunks, True)
    assert encoded.spans is not None
    starts = np.cumsum([0, *map(len, chunks[:-1])])
    return encoded.ids, encoded.spans + np.repeat(starts, encoded.sizes)[:, None]


def _repeated(chunks: Sequence[str], encode: EncodeChunks) -> Encoded:
    """What `encode` makes of chunks of which many are the same."""
    distinct = list(dict.fromkeys(chunks))
    number_of = dict(zip(distinct, range(len(distinct)), strict=True))
    numbers = np.fromiter(map(number_of.__getitem__, chunks), np.intp, len(chunks))
    once = encode(distinct, False)
    starts, sizes = np.cumsum(once.sizes) - once.sizes, once.sizes[numbers]
    shifts = starts[numbers] - (np.cumsum(sizes) - sizes)
    return Encoded(once.ids[np.repeat(shifts, sizes) + np.arange(sizes.sum())], sizes, None)


def _bounds(text: str, boundary: re.Pattern[str]) -> Iterator[int]:
    """Where parts of `text` begin, and where the last one ends; of an empty text nothing."""
    at = 0
    while at < len(text):
        yield at
        found = boundary.search(text, at + PART)
        at = found.start() if found else len(text)
    if text:
        yield len(text)
