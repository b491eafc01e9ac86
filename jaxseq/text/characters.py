"""The tokenizer of characters, and what it shares with that of jamo."""

import reprlib
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.codepoints import CHUNK, code_points, count_characters, text_of
from jaxseq.text.common import checked_ids, decode_whole, tokenizer_fields
from jaxseq.text.normalize import losses, normalizer
from jaxseq.text.streaming import HoldBackDecoder, StreamDecoder
from jaxseq.text.vocab import UNKNOWN, Vocabulary, fingerprint_of

_REPLACEMENT = ord("\N{REPLACEMENT CHARACTER}")
_SILENT = 0xFFFFFFFF  # no code point: stands for a special that has no text
_NO_BYTE = 255  # what -1, for a symbol that is refused, becomes in a table of bytes


@dataclass(frozen=True)
class SymbolTokenizer(ABC):
    """A tokenizer whose symbols are single characters, those of the text or what they are made of.

    Ids are looked up in a table over code points, a chunk of the text at a time; in one over bytes where a chunk is
    ASCII, which is twice as fast.

    The special "<unk>", where the vocabulary has it, stands for every symbol that the vocabulary lacks and is decoded
    as U+FFFD; other specials are never in a text and decode to nothing.

    Raises:
        InputError: a symbol of the vocabulary is not one character, or a special is; a normaliser is unknown.
    """

    vocabulary: Vocabulary
    normalizers: tuple[str, ...] = ()

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        wrong = [symbol for symbol in self.vocabulary.ranked if len(symbol) != 1]
        wrong += [special for special in self.vocabulary.specials if len(special) == 1]
        if wrong:
            raise InputError(
                f"{reprlib.repr(wrong[0])} cannot stand in the vocabulary of a {self.kind} tokenizer: its symbols are "
                "single characters, its specials longer"
            )
        normalizer(self.normalizers)

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: the length of the vocabulary."""
        return len(self.vocabulary)

    @property
    def unknown_id(self) -> int | None:
        """The id of every symbol that the vocabulary lacks; None where such symbols are refused."""
        return self.vocabulary.id_of(UNKNOWN) if UNKNOWN in self.vocabulary.specials else None

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a text does not come back, see `Tokenizer.loses`."""
        unknown = () if self.unknown_id is None else ("unknown symbols",)
        return (*losses(self.normalizers), *unknown)

    @abstractmethod
    def _spread(self, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """From the code points of a text [n] to those of its symbols [m]; ASCII stays as it is."""

    @abstractmethod
    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time."""

    def normalize(self, text: str) -> str:
        """`text` as `encode` reads it."""
        return normalizer(self.normalizers)(text)

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the symbols of `text`, after normalisation.

        Raises:
            UnknownSymbolError: the vocabulary lacks a symbol and has no "<unk>" to stand for it.
        """
        text = self.normalize(text)
        parts: list[NDArray[np.integer]] = [np.zeros(0, np.int32)]
        for start in range(0, len(text), CHUNK):
            piece = text[start : start + CHUNK]
            if self._id_of_ascii and piece.isascii():
                ids = np.frombuffer(piece.encode("ascii").translate(self._id_of_ascii), np.uint8)
                refused = ids.max() == _NO_BYTE
            else:
                ids = np.take(self._id_of_code_point, self._spread(code_points(piece)), mode="clip")
                refused = ids.min() < 0
            if refused:
                self._refuse(piece, start)
            parts.append(ids)
        return np.concatenate(parts, dtype=np.int32)

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids` [n].

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=len(self.vocabulary)))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {"kind": self.kind, "normalize": list(self.normalizers), "vocabulary": self.vocabulary.to_json()}

    @classmethod
    def _arguments(cls, tree: object, *more: str) -> dict[str, Any]:
        """The arguments of the constructor that `tree` holds."""
        fields, normalizers = tokenizer_fields(tree, cls.kind, "vocabulary", *more)
        vocabulary = Vocabulary.from_json(fields["vocabulary"])
        return {"vocabulary": vocabulary, "normalizers": normalizers, **{name: fields[name] for name in more}}

    @cached_property
    def _id_of_code_point(self) -> NDArray[np.signedinteger]:
        """Ids over code points; the last entry is for all beyond. What is unknown has the id of "<unk>", or -1."""
        vocabulary = self.vocabulary
        codes = code_points("".join(vocabulary.ranked))
        unknown = -1 if self.unknown_id is None else self.unknown_id
        narrow = np.int16 if len(vocabulary) <= np.iinfo(np.int16).max else np.int32
        table = np.full(codes.max(initial=0) + 2, unknown, narrow)
        table[codes] = len(vocabulary.specials) + np.arange(len(codes))
        return table

    @cached_property
    def _id_of_ascii(self) -> bytes:
        """Ids over bytes, `_NO_BYTE` for what is refused; empty where an id does not fit."""
        ids = np.take(self._id_of_code_point, np.arange(128), mode="clip")
        return ids.astype(np.uint8).tobytes().ljust(256, bytes([_NO_BYTE])) if ids.max() < _NO_BYTE else b""

    @cached_property
    def _code_point_of_id(self) -> NDArray[np.uint32]:
        specials = [_REPLACEMENT if special == UNKNOWN else _SILENT for special in self.vocabulary.specials]
        return np.concatenate([np.array(specials, np.uint32), code_points("".join(self.vocabulary.ranked))])

    def _symbols(self, ids: ArrayLike) -> NDArray[np.uint32]:
        """The code points [m] of the symbols of `ids` [n]."""
        codes = np.take(self._code_point_of_id, checked_ids(ids, size=len(self.vocabulary)), mode="clip")
        return codes[codes != _SILENT] if _SILENT in self._code_point_of_id else codes

    def _refuse(self, piece: str, start: int) -> NoReturn:
        for offset, character in enumerate(piece, start):
            for symbol in text_of(self._spread(code_points(character))):
                if symbol not in self.vocabulary:
                    part = "" if symbol == character else f" needs {_named(symbol)}, which"
                    where = "the normalised text" if self.normalizers else "the text"
                    # A part of a letter: the whole one may be known.
                    compose = "give the text in Unicode's form C, " if _is_part(character) else ""
                    raise UnknownSymbolError(
                        f"{_named(character)} at offset {offset} of {where}{part} is not among the "
                        f"{len(self.vocabulary)} symbols of the vocabulary: "
                        f"{compose}leave it out, or train with <unk> for rare symbols (--data.min-count 2, or "
                        "unknown=True)"
                    )
        raise AssertionError("no symbol of the piece is unknown")


@dataclass(frozen=True)
class CharTokenizer(SymbolTokenizer):
    """One id for each character.

    >>> tokenizer = CharTokenizer.train("to be or not to be")
    >>> tokenizer.vocabulary.symbols
    (' ', 'o', 't', 'b', 'e', 'n', 'r')
    >>> tokenizer.encode("not").tolist()
    [5, 1, 2]
    >>> tokenizer.decode([3, 4, 4])
    'bee'
    """

    kind: ClassVar[str] = "char"

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        *,
        normalize: Sequence[str] = (),
        specials: Sequence[str] = (),
        unknown: bool = False,
        min_count: int = 1,
    ) -> Self:
        """A tokenizer whose vocabulary is the characters of `text`, the most frequent first.

        Args:
            text: one text, or several, which are read and normalised one at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
            specials: symbols without text, each longer than one character; they take the first ids.
            unknown: have "<unk>" among the specials, so that no text is refused.
            min_count: leave out characters that occur fewer times; above 1 it implies `unknown`.

        Raises:
            InputError: there is no text, or a normaliser is unknown.
        """
        counts = count_symbols(text, normalize)
        vocabulary = build_vocabulary(counts, specials=specials, unknown=unknown, min_count=min_count)
        return cls(vocabulary, tuple(normalize))

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        return cls(**cls._arguments(tree))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; every character is final at once."""
        return HoldBackDecoder(units=self._symbols, held=lambda codes: 0, text=text_of)

    def _spread(self, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        return codes


def count_symbols(text: str | Iterable[str], normalize: Sequence[str]) -> Counter[str]:
    """How often each character occurs in `text`, one or several, normalised.

    Raises:
        InputError: there is no text, or a normaliser is unknown.
    """
    counts = count_characters(map(normalizer(normalize), [text] if isinstance(text, str) else text))
    if not counts:
        raise InputError("there is no text to train a tokenizer on: it is empty")
    return counts


def build_vocabulary(counts: Counter[str], *, specials: Sequence[str], unknown: bool, min_count: int) -> Vocabulary:
    """The vocabulary of these counts, with "<unk>" as the last special where it is needed.

    Raises:
        InputError: no symbol occurs `min_count` times.
    """
    most = max(counts.values(), default=0)
    if most < min_count:
        raise InputError(f"min_count is {min_count}, the most frequent symbol occurs {most} times: lower it")
    needed = (unknown or min_count > 1) and UNKNOWN not in specials
    return Vocabulary.build(counts, specials=(*specials, UNKNOWN) if needed else specials, min_count=min_count)


def _is_part(character: str) -> bool:
    """Whether it is a mark or a conjoining jamo."""
    return unicodedata.combining(character) > 0 or "\u1100" <= character < "\u1200"


def _named(symbol: str) -> str:
    return f"{symbol!r} (U+{ord(symbol):04X})"
