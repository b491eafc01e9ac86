"""Word vectors written to files that other programs read: word2vec's text and binary format, GloVe's text."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError

_AT_ONCE = 1000
"""Words of a piece."""


def word2vec_file(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The content of a file of word vectors [v, d] as word2vec's text: "v d", and then a line a word.

    Raises:
        InputError: a word holds white space, which stands between the numbers there.
    """
    _check(words, ".txt or .vec")
    yield _header(words, vectors)
    yield from _text(words, vectors)


def glove_file(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The same as GloVe's text, which is without the first line.

    Raises:
        InputError: a word holds white space.
    """
    _check(words, ".glove")
    yield from _text(words, vectors)


def word2vec_binary_file(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The same as word2vec's binary format: "v d", and then the word, a space, its numbers in float32, a newline.

    Raises:
        InputError: a word holds white space: a space ends it there, and readers pass over lines' ends before it.
    """
    _check(words, ".bin")
    yield _header(words, vectors)
    for begin in range(0, len(words), _AT_ONCE):
        numbers = vectors[begin : begin + _AT_ONCE].astype("<f4")
        some = zip(words[begin : begin + _AT_ONCE], numbers, strict=True)
        yield b"".join(_encoded(word) + b" " + row.tobytes() + b"\n" for word, row in some)


def _header(words: Sequence[str], vectors: NDArray[np.float32]) -> bytes:
    return f"{len(words)} {vectors.shape[1]}\n".encode()


def _text(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """A line a word; nine digits are enough for a float32 to come back as it was."""
    form = " ".join(["%.9g"] * vectors.shape[1])
    for begin in range(0, len(words), _AT_ONCE):
        some = zip(words[begin : begin + _AT_ONCE], vectors[begin : begin + _AT_ONCE].tolist(), strict=True)
        yield b"".join(_encoded(word) + b" " + (form % tuple(row)).encode() + b"\n" for word, row in some)


def _encoded(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


def _check(words: Sequence[str], ending: str) -> None:
    for word in words:
        if not word or any(map(str.isspace, word)):
            raise InputError(
                f"the word {word!r} holds white space, which no word in a {ending} of vectors may: write an .npz"
            )
