"""A sample as text, while it grows."""

from collections.abc import Sequence
from typing import Literal, Protocol

from numpy.typing import ArrayLike

from jaxseq.decoding.prompts import TextReader, readable
from jaxseq.decoding.stopping import StopFilter
from jaxseq.text.streaming import StreamDecoder


class TextCodec(TextReader, Protocol):
    """What is asked of a tokenizer here."""

    def stream(self) -> StreamDecoder: ...


class Transcript:
    """The text of one sample: tokens go in, text that is final comes out.

    Neither half a syllable or character nor any part of a stop string ever comes out: where the length of the sample
    cuts one in two, what there is of it is left out.

    Args:
        tokenizer: that of the model.
        prompt: the text the sample goes on from, read as `prompt_ids` does.
        stop: strings that end the sample, in the Unicode form that the vocabulary has symbols for; they are normalised
            as the tokenizer does, for so is all that it can say.
    """

    prompt: str
    """The prompt as the tokenizer reads it."""
    text: str
    """All that has come out, without the prompt."""

    def __init__(self, tokenizer: TextCodec, prompt: str, *, stop: Sequence[str] = ()) -> None:
        self._decoder = tokenizer.stream()
        self._filter = StopFilter([tokenizer.normalize(readable(tokenizer, string)) for string in stop])
        self.prompt = self._decoder.push(tokenizer.encode(readable(tokenizer, prompt)))
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
