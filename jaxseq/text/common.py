"""What every tokenizer does in the same way, one of your own included."""

import reprlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.codepoints import CHUNK
from jaxseq.text.streaming import StreamDecoder
from jaxseq.text.vocab import json_fields, json_texts


def checked_ids(ids: ArrayLike, *, size: int) -> NDArray[Any]:
    """`ids` as an array [n] of integers from 0 to `size` - 1.

    Raises:
        TypeError: they are no integers.
        ValueError: they have another number of axes than one, or one of them has no symbol.
    """
    array = np.asarray(ids)
    if array.ndim != 1:
        raise ValueError(f"ids have the shape {array.shape}: decode one sequence [n] at a time")
    if not array.size:
        return np.zeros(0, np.int32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"ids have the type {array.dtype}: give integers")
    if array.min() < 0 or array.max() >= size:
        position = int(np.flatnonzero((array < 0) | (array >= size))[0])
        raise ValueError(f"id {array[position]} at position {position} has no symbol: the ids go from 0 to {size - 1}")
    return array


def decode_whole(stream: StreamDecoder, ids: NDArray[Any]) -> str:
    """All of `ids` [n] through a fresh `stream`, a piece at a time: the text takes more memory than the work."""
    pieces = [stream.push(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
    return "".join([*pieces, stream.flush()])


def unknown_symbols(tokenizer: Any, text: str) -> list[str]:
    """What of `text`, normalised, has no id of its own, each once: words where the tokenizer reads words, and tells
    them (`unknown_words`), else characters."""
    if hasattr(tokenizer, "unknown_words"):
        return tokenizer.unknown_words(text)
    return [symbol for symbol in dict.fromkeys(tokenizer.normalize(text)) if not comes_back(tokenizer, symbol)]


def comes_back(tokenizer: Any, text: str) -> bool:
    """Whether ids of the vocabulary make `text`; those of "<unk>" make U+FFFD."""
    try:
        return tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalize(text)
    except UnknownSymbolError:
        return False


def utf8_of(text: str) -> bytes:
    """The bytes of `text` in UTF-8.

    Raises:
        UnknownSymbolError: the text holds half of a surrogate pair, which UTF-8 cannot express.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise UnknownSymbolError(
            f"{half!r} (U+{ord(half):04X}) at offset {error.start} is half of a surrogate pair, which UTF-8 cannot "
            "express: leave it out"
        ) from error


def tokenizer_fields(tree: object, kind: str, *more: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a tokenizer of this `kind` in JSON ("kind", "normalize" and `more`), and the names in "normalize".

    Raises:
        InputError: `tree` has other fields, or is of another kind.
    """
    fields = json_fields(tree, ("kind", "normalize", *more), what=f"a {kind} tokenizer")
    if fields["kind"] != kind:
        raise InputError(f"kind is {reprlib.repr(fields['kind'])}: a {kind} tokenizer is read from kind {kind!r}")
    return fields, json_texts(fields["normalize"], where="a tokenizer's normalisers")
