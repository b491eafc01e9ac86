"""A tokenizer of bytes: it knows every text and needs no training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.text.common import checked_ids, decode_whole, tokenizer_fields, utf8_of
from jaxseq.text.normalize import losses, normalizer
from jaxseq.text.streaming import StreamDecoder, utf8_decoder
from jaxseq.text.vocab import Vocabulary, fingerprint_of, json_texts

_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


@dataclass(frozen=True)
class ByteTokenizer:
    """One id for each byte of the text in UTF-8, 0 to 255, or behind the specials; bytes that are no UTF-8 decode to
    U+FFFD, specials are never in a text and decode to nothing.

    >>> ByteTokenizer().encode("né").tolist()
    [110, 195, 169]
    """

    normalizers: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()

    kind: ClassVar[str] = "byte"

    def __post_init__(self) -> None:
        normalizer(self.normalizers)
        _ = self.vocabulary  # complains of specials that are none

    @classmethod
    def train(cls, text: str | Iterable[str], *, normalize: Sequence[str] = (), specials: Sequence[str] = ()) -> Self:
        """The tokenizer with these normalisers and specials; the text makes no difference.

        Raises:
            InputError: a normaliser is unknown, or a special occurs twice or is the name of a byte.
        """
        del text
        return cls(tuple(normalize), tuple(specials))

    @property
    def vocabulary(self) -> Vocabulary:
        """The specials and the 256 bytes, written as "<0x41>"."""
        return _vocabulary(self.specials)

    @property
    def vocabulary_size(self) -> int:
        """256, and the specials: a table has a row for each."""
        return len(self.vocabulary)

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a text does not come back, see `Tokenizer.loses`."""
        return losses(self.normalizers)

    def normalize(self, text: str) -> str:
        """`text` as `encode` reads it."""
        return normalizer(self.normalizers)(text)

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the bytes of `text`, after normalisation.

        Raises:
            UnknownSymbolError: the text holds half of a surrogate pair, which UTF-8 cannot express.
        """
        encoded = utf8_of(self.normalize(text))
        return np.frombuffer(encoded, np.uint8).astype(np.int32) + len(self.specials)

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids` [n].

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=len(self.vocabulary)))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; a character comes out when its last byte has come in."""
        return utf8_decoder(self._bytes)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        more = {"specials": list(self.specials)} if self.specials else {}
        return {"kind": self.kind, "normalize": list(self.normalizers), **more}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        more = ("specials",) if isinstance(tree, dict) and "specials" in tree else ()  # others have none in their JSON
        fields, normalizers = tokenizer_fields(tree, cls.kind, *more)
        specials = json_texts(fields["specials"], where="a tokenizer's specials") if more else ()
        return cls(normalizers, specials)

    def _bytes(self, ids: ArrayLike) -> NDArray[np.uint8]:
        values = checked_ids(ids, size=len(self.vocabulary)).astype(np.int32) - len(self.specials)
        return values[values >= 0].astype(np.uint8)


@cache
def _vocabulary(specials: tuple[str, ...]) -> Vocabulary:
    return Vocabulary(_BYTES, specials)
