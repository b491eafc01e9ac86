"""A sample as text, while it grows."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.decoding.stopping import StopFilter
from jaxseq.errors import UnknownSymbolError


class StreamDecoder(Protocol):
    """Text from ids that come a few at a time: only text that later ids cannot change."""

    def push(self, ids: ArrayLike) -> str: ...

    def flush(self) -> str: ...


class TextCodec(Protocol):
    """What is asked of a tokenizer here."""

    @property
    def vocabulary(self) -> Any: ...

    def normalize(self, text: str) -> str: ...

    def encode(self, text: str) -> NDArray[np.int32]: ...

    def decode(self, ids: ArrayLike) -> str: ...

    def stream(self) -> StreamDecoder: ...


class Transcript:
    """The text of one sample: tokens go in, text that is final comes out.

    Neither half a syllable or character nor any part of a stop string ever comes out: where the length of the sample
    cuts one in two, what there is of it is left out.

    Args:
        tokenizer: that of the model.
        prompt: the text the sample goes on from.
        stop: strings that end the sample; they are normalised as the tokenizer does, for so is all that it can say.
    """

    prompt: str
    """The prompt as the tokenizer reads it."""
    text: str
    """All that has come out, without the prompt."""

    def __init__(self, tokenizer: TextCodec, prompt: str, *, stop: Sequence[str] = ()) -> None:
        self._decoder = tokenizer.stream()
        self._filter = StopFilter([tokenizer.normalize(string) for string in stop])
        self.prompt = self._decoder.push(tokenizer.encode(prompt))
        self.text = ""

    @property
    def finish_reason(self) -> Literal["stop", "length"]:
        """Why the sample ends: a stop string came, or (so far) nothing but its length ends it."""
        return "stop" if self._filter.stopped else "length"

    def push(self, ids: ArrayLike) -> str:
        """Takes the next ids [n]; returns the text that is final now. After a stop string there is none."""
        return self._add(self._filter.push(self._decoder.push(ids)))

    def finish(self) -> str:
        """Returns the rest, with no more ids to come."""
        self._decoder.flush()  # half a unit
        return self._add(self._filter.flush())

    def _add(self, text: str) -> str:
        self.text += text
        return text


def prompt_ids(tokenizer: TextCodec, prompt: str) -> NDArray[np.int32]:
    """The ids [t] of a prompt; of an empty one, that of a line's end, or else of the most frequent symbol.

    Raises:
        UnknownSymbolError: the prompt has a symbol that the vocabulary lacks.
    """
    try:
        ids = tokenizer.encode(prompt)
    except UnknownSymbolError as error:
        raise UnknownSymbolError(f"the prompt cannot be read: {error}") from error
    return ids if len(ids) else _start_ids(tokenizer)


def _start_ids(tokenizer: TextCodec) -> NDArray[np.int32]:
    try:
        ids = tokenizer.encode("\n")
    except UnknownSymbolError:
        ids = np.zeros(0, np.int32)
    if len(ids) and tokenizer.decode(ids) == "\n":
        return ids
    return np.array([len(tokenizer.vocabulary.specials)], np.int32)
