"""Ids to text piece by piece, as a model emits them."""

import codecs
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Unit = TypeVar("Unit", bound=np.generic)


class StreamDecoder(Protocol):
    """Decodes ids that come a few at a time.

    The texts of all `push` calls and the `flush` after them, joined, are `decode` of all the ids, however these were
    split. A text once returned is final: no id that comes later would have changed it.
    """

    def push(self, ids: ArrayLike) -> str:
        """Takes the next ids [n], n >= 0; returns the text that is now final, often the empty string."""
        ...

    def flush(self) -> str:
        """Returns the rest, with nothing more to come, and makes the decoder ready for another sequence."""
        ...


class HoldBackDecoder(Generic[Unit]):
    """The stream decoder of tokenizers whose ids are units (code points, bytes) that the units after them may change.

    Args:
        units: from ids [n] to units [m].
        held: how many of the last units of [m] are not final yet; it need not look further back than those.
        text: from units to text. Where the units are split as `held` allows, the texts of the parts must join to the
            text of the whole.
    """

    def __init__(
        self,
        *,
        units: Callable[[ArrayLike], NDArray[Unit]],
        held: Callable[[NDArray[Unit]], int],
        text: Callable[[NDArray[Unit]], str],
    ) -> None:
        self._units, self._held, self._text = units, held, text
        self._waiting = units(())

    def push(self, ids: ArrayLike) -> str:
        """As `StreamDecoder.push`."""
        units = self._units(ids)
        if len(self._waiting):
            units = np.concatenate([self._waiting, units])
        final = len(units) - self._held(units)
        self._waiting = units[final:]
        return self._text(units[:final]) if final else ""

    def flush(self) -> str:
        """As `StreamDecoder.flush`."""
        rest, self._waiting = self._waiting, self._waiting[:0]
        return self._text(rest)


class JoiningDecoder:
    """The stream decoder of tokenizers whose ids are texts with something between them, as words with a space.

    Args:
        texts: from ids [n] to their texts; None for an id that is passed over.
        joint: what stands between the texts of two ids.
    """

    def __init__(self, texts: Callable[[ArrayLike], list[str | None]], *, joint: str) -> None:
        self._texts, self._joint = texts, joint
        self._begun = False

    def push(self, ids: ArrayLike) -> str:
        """As `StreamDecoder.push`."""
        texts = [text for text in self._texts(ids) if text is not None]
        if not texts:
            return ""
        before = self._joint if self._begun else ""
        self._begun = True
        return before + self._joint.join(texts)

    def flush(self) -> str:
        """As `StreamDecoder.flush`."""
        self._begun = False
        return ""


class WithoutFirstSpace:
    """The texts of another stream decoder, less one space where the first of them begins with it."""

    def __init__(self, decoder: StreamDecoder) -> None:
        self._decoder = decoder
        self._begun = False

    def push(self, ids: ArrayLike) -> str:
        """As `StreamDecoder.push`."""
        return self._less(self._decoder.push(ids))

    def flush(self) -> str:
        """As `StreamDecoder.flush`."""
        text = self._less(self._decoder.flush())
        self._begun = False
        return text

    def _less(self, text: str) -> str:
        if self._begun or not text:
            return text
        self._begun = True
        return text.removeprefix(" ")


def utf8_decoder(bytes_of: Callable[[ArrayLike], NDArray[np.uint8]]) -> StreamDecoder:
    """The stream decoder of tokenizers whose ids are bytes of UTF-8: a character comes out with its last byte.

    Bytes that are no UTF-8 become U+FFFD.

    Args:
        bytes_of: from ids [n] to bytes [m].
    """
    return HoldBackDecoder(units=bytes_of, held=_unfinished, text=_text)


def _text(units: NDArray[np.uint8]) -> str:
    return units.tobytes().decode("utf-8", "replace")


def _unfinished(units: NDArray[np.uint8]) -> int:
    """How many of the last bytes, 0 to 3, begin a character that the next bytes may complete."""
    tail = units[-3:].tobytes()
    _, consumed = codecs.utf_8_decode(tail, "replace", False)
    return len(tail) - consumed
