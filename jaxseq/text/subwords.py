"""What tokenizers of parts of words have in common."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError
from jaxseq.text.alignment import align
from jaxseq.text.chunks import PART, Chunking, Encoded, encode_group, encode_in_parts, encode_with_spans
from jaxseq.text.codepoints import grouped
from jaxseq.text.common import checked_ids, decode_whole, tokenizer_fields, utf8_of
from jaxseq.text.normalize import Normalizer, losses, normalizer
from jaxseq.text.streaming import StreamDecoder, WithoutFirstSpace, utf8_decoder
from jaxseq.text.vocab import Vocabulary, fingerprint_of

PADDING = "<pad>"
"""The name of id 0 where it is kept for padding. In a text it is text."""

REPLACEMENT = "\ufffd".encode()
"""What an unknown piece is decoded to."""


@dataclass(frozen=True, kw_only=True)
class SubwordTokenizer(ABC):
    """A tokenizer whose ids are padding, where it is kept, and pieces, each of which stands for some bytes of text.

    Args:
        padding: keep id 0 for who pads; the pieces begin at 1.
        normalizers: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
    """

    padding: bool = True
    normalizers: tuple[str, ...] = ()

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if not isinstance(self.padding, bool):
            raise InputError(
                f"padding of a {self.kind} tokenizer is {reprlib.repr(self.padding)}: it must be true or false"
            )
        normalizer(self.normalizers)

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read; that of what no text has has more brackets where it is a piece."""
        return self._names

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: padding and pieces, those that no text has included."""
        return self.padding + len(self._piece_bytes)

    @property
    def silent_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text: padding, and pieces that are decoded to nothing."""
        empty = tuple(at + self.padding for at, piece in enumerate(self._piece_bytes) if not piece)
        return (0, *empty) if self.padding else empty

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a text does not come back, see `Tokenizer.loses`."""
        return tuple(dict.fromkeys((*losses(self.normalizers), *self._model_loses)))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def normalize(self, text: str) -> str:
        """What comes back of `text` where all its pieces are known."""
        return self._normalizer(text)

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the pieces of `text`, after normalisation.

        Raises:
            UnknownSymbolError: the text holds half of a surrogate pair, which UTF-8 cannot express.
        """
        text = self._normalizer(text)
        utf8_of(text)
        return self._encode(text)

    def encode_texts(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each of `texts`, in less time where they are short and many.

        Raises:
            UnknownSymbolError: as `encode`.
        """
        return [self.encode(text) for text in texts]

    def encode_with_offsets(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids [n] of `text`, and offsets [n, 2]: `text[start:end]` is what an id stands for in the text as given.

        Where a piece is a part of a character, that is all of the character.

        Raises:
            UnknownSymbolError: as `encode`.
        """
        aligned = align(text, self._normalizer)
        utf8_of(aligned.text)
        ids, spans = self._encode_with_spans(aligned.text)
        return ids, aligned.back(spans)

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids` [n]; nothing for padding and other ids that no text has, U+FFFD for an unknown piece.

        Raises:
            ValueError: an id has no piece, or there are more axes than one.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=self.vocabulary_size))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; a character comes out when its last byte has come in."""
        decoder = utf8_decoder(self._bytes_of)
        return WithoutFirstSpace(decoder) if self._begins_with_space else decoder

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""

    @cached_property
    @abstractmethod
    def _piece_bytes(self) -> Sequence[bytes]:
        """What each piece is decoded to."""

    @cached_property
    @abstractmethod
    def _piece_names(self) -> Sequence[str]:
        """A name for each piece; two may have the same where one is reserved."""

    @cached_property
    @abstractmethod
    def _specials(self) -> Container[int]:
        """The pieces that no text has, and the unknown one."""

    @cached_property
    def _unlike_names(self) -> Container[int]:
        """The pieces that are not the text they are named after: specials, and bytes where there are such."""
        return self._specials

    @property
    def _model_loses(self) -> tuple[str, ...]:
        """What the model loses, whatever the normalisers."""
        return ()

    @property
    def _begins_with_space(self) -> bool:
        """Whether ids stand for a text with a space before it."""
        return False

    @abstractmethod
    def _encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of a normalised text."""

    @abstractmethod
    def _encode_with_spans(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids [n] of a normalised text and the spans [n, 2] of characters they stand for."""

    def _head(self) -> dict[str, Any]:
        """The fields that all have in JSON."""
        return {"kind": self.kind, "normalize": list(self.normalizers), "padding": self.padding}

    def _bytes_of(self, ids: ArrayLike) -> NDArray[np.uint8]:
        values = checked_ids(ids, size=self.vocabulary_size)
        return np.frombuffer(b"".join(map(self._bytes_of_id.__getitem__, values.tolist())), np.uint8)

    @cached_property
    def _normalizer(self) -> Normalizer:
        return normalizer(self.normalizers)

    @cached_property
    def _bytes_of_id(self) -> list[bytes]:
        return [b""] * self.padding + list(self._piece_bytes)

    @cached_property
    def _names(self) -> Vocabulary:
        taken = {name for at, name in enumerate(self._piece_names) if at not in self._unlike_names}
        names: list[str] = [_unlike(PADDING, taken)] * self.padding
        taken.update(names)
        for at, name in enumerate(self._piece_names):
            if at in self._unlike_names:
                name = _unlike(name, taken)
                taken.add(name)
            names.append(name)
        places = range(len(self._piece_names))
        first = self.padding + next((at for at in places if at not in self._specials), len(places))
        return Vocabulary(tuple(names[first:]), tuple(names[:first]))


class ChunkedTokenizer(SubwordTokenizer):
    """A subword tokenizer whose model reads a text chunk by chunk."""

    def encode_texts(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each of `texts`, in less time where they are short and many.

        Raises:
            UnknownSymbolError: as `encode`.
        """
        found: list[NDArray[np.int32]] = []
        for group in grouped(map(self._normalizer, texts), PART):
            utf8_of("".join(group))
            found += encode_group([self._with_prefix(text) for text in group], self._chunking, self._encode_chunks)
        return found

    @cached_property
    @abstractmethod
    def _chunking(self) -> Chunking:
        """Into what a text is cut."""

    @abstractmethod
    def _encode_chunks(self, chunks: Sequence[str], spans: bool) -> Encoded:
        """The ids of chunks."""

    def _with_prefix(self, text: str) -> str:
        """`text` as the model reads it from its first character on."""
        return " " + text if self._begins_with_space and text and not text.startswith(" ") else text

    def _encode(self, text: str) -> NDArray[np.int32]:
        return encode_in_parts(self._with_prefix(text), self._chunking, self._encode_chunks)

    def _encode_with_spans(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        whole = self._with_prefix(text)
        ids, spans = encode_with_spans(whole, self._chunking, self._encode_chunks)
        return ids, np.maximum(spans - (len(whole) - len(text)), 0)


def subword_fields(tree: object, kind: str, *more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields `more` of a subword tokenizer in JSON, and the arguments that all kinds have.

    Raises:
        InputError: `tree` has other fields, or is of another kind.
    """
    fields, normalizers = tokenizer_fields(tree, kind, "padding", *more)
    return fields, {"padding": fields["padding"], "normalizers": normalizers}


def refuse_places(reserved: Sequence[int], *, size: int, kind: str) -> None:
    """Raises:
    InputError: `reserved` is not places among `size` pieces, in rising order.
    """
    if list(reserved) != sorted({*reserved} & {*range(size)}):
        raise InputError(f"what a {kind} tokenizer reserves must be places from 0 to {size - 1}, in rising order")


def _unlike(name: str, names: Container[str]) -> str:
    """`name`, in as many brackets more as make it none of the names."""
    while name in names:
        name = f"<{name}>"
    return name
