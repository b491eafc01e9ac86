"""The tokenizer of a unigram language model: of all ways to cut a word, the likeliest."""

import io
import math
import re
import reprlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from jaxseq.errors import InputError
from jaxseq.text.chunks import LINES, SPACED, SPACES, Chunking, Encoded
from jaxseq.text.normalize import normalizer
from jaxseq.text.sentencepiece_model import SPACE, read_model
from jaxseq.text.subword_libraries import sentencepiece_library, tokenizers_library
from jaxseq.text.subword_models import encode_words, parts_of
from jaxseq.text.subwords import REPLACEMENT, ChunkedTokenizer, refuse_places, subword_fields
from jaxseq.text.vocab import json_integers

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""The names of the ids of bytes. In a text they are text."""

_UNKNOWN = "\u2585"
_OF_THE_TRAINER = f"\0\t{SPACE}{_UNKNOWN}"
_APART = re.compile(f"[{SPACES}{_OF_THE_TRAINER}]".replace(" ", ""))
_LONGEST = 1000


@dataclass(frozen=True)
class UnigramTokenizer(ChunkedTokenizer):
    """A unigram language model of pieces (Kudo 2018), applied with the library `tokenizers`.

    Words begin with the space before them, as in SentencePiece, which marks it with U+2581; here it is a space, so that
    U+2581 in a text is itself. White space but one space before a word is cut off, each character by itself. What the
    pieces do not know is written in bytes of UTF-8, where these have ids: then all of a text comes back.

    Args:
        pieces: by id, from the first behind padding, each with the logarithm of its probability.
        first_byte: the place in `pieces` of the first of 256 bytes; None where they have no ids.
        unknown: the place in `pieces` of what is unknown, where bytes have no ids.
        reserved: places in `pieces` of what no text has besides, which are only names.
        prefix: read a text as if it began with a space; then one that it begins with is lost.

    Raises:
        InputError: a piece is empty or occurs twice, or its score is no number; neither bytes nor the unknown have a
            place; a normaliser is unknown.

    >>> tokenizer = UnigramTokenizer.train("low lower lowest low", size=300)
    >>> tokenizer.decode(tokenizer.encode("lower ▁ é"))
    'lower ▁ é'
    """

    pieces: tuple[tuple[str, float], ...]
    first_byte: int | None = 0
    unknown: int | None = None
    reserved: tuple[int, ...] = ()
    prefix: bool = False

    kind: ClassVar[str] = "unigram"

    def __post_init__(self) -> None:
        super().__post_init__()
        size = len(self.pieces)
        refuse_places(self.reserved, size=size, kind=self.kind)
        if not isinstance(self.prefix, bool):
            raise InputError(f"prefix of a unigram tokenizer is {reprlib.repr(self.prefix)}: it must be true or false")
        wrong = next((piece for piece, score in self.pieces if not math.isfinite(score)), None)
        if wrong is not None:
            raise InputError(f"the score of {reprlib.repr(wrong)} in a unigram tokenizer is no finite number")
        for name, place, room in (("first_byte", self.first_byte, 256), ("unknown", self.unknown, 1)):
            if place is not None and (type(place) is not int or not 0 <= place <= size - room):
                raise InputError(
                    f"{name} of a unigram tokenizer is {reprlib.repr(place)}: it must be a place among its "
                    f"{size} pieces, with room for {room}"
                )
        if self.first_byte is None and self.unknown is None:
            raise InputError("a unigram tokenizer has neither first_byte nor unknown: it needs one for what it lacks")
        _ = self.vocabulary  # refuses pieces that are none

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        *,
        normalize: Sequence[str] = (),
        size: int = 8000,
        coverage: float = 0.9995,
        prefix: bool = False,
        padding: bool = True,
    ) -> Self:
        """A tokenizer whose pieces make `text` likeliest, and the 256 bytes for what they do not know.

        The library `sentencepiece` learns them, since that of `tokenizers` gives other scores every time. Where a line
        is longer than 1,000 characters its parts are learned from.

        Args:
            text: one text, or several, which are read and normalised one at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
            size: the number of ids, padding and bytes included; there are fewer where `text` has not so many pieces.
            coverage: the share of all characters of `text` that pieces are made of; the rarest others are bytes.
            prefix: read a text as if it began with a space.

        Raises:
            InputError: there is no text; `size` has no room for bytes and characters; a library is not installed; a
                normaliser is unknown.
        """
        if not 0 < coverage <= 1:
            raise InputError(f"coverage is {coverage}: it must be above 0, and 1 at most")
        read = normalizer(normalize)
        learned = _learned(
            parts_of(text, lambda one: " " * prefix + read(one), LINES),
            size=size,
            taken=256 + padding,
            coverage=coverage,
        )
        first = [(name, 0.0) for name in BYTES]
        return cls((*first, *learned), prefix=prefix, padding=padding, normalizers=tuple(normalize))

    def normalize(self, text: str) -> str:
        """What comes back of `text` where all its pieces are known."""
        text = self._normalizer(text)
        return text.removeprefix(" ") if self.prefix else text

    @property
    def unknown_id(self) -> int | None:
        """The id of what is unknown; None where that is read as bytes."""
        return None if self.unknown is None else self.padding + self.unknown

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {
            **self._head(),
            "pieces": list(map(list, self.pieces)),
            "first_byte": self.first_byte,
            "unknown": self.unknown,
            "reserved": list(self.reserved),
            "prefix": self.prefix,
        }

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, common = subword_fields(tree, cls.kind, "pieces", "first_byte", "unknown", "reserved", "prefix")
        return cls(
            json_scores(fields["pieces"]),
            fields["first_byte"],
            fields["unknown"],
            json_integers(fields["reserved"], where="what a unigram tokenizer reserves"),
            fields["prefix"],
            **common,
        )

    @property
    def _model_loses(self) -> tuple[str, ...]:
        return ("leading space",) * self.prefix + ("unknown symbols",) * (self.first_byte is None)

    @property
    def _begins_with_space(self) -> bool:
        return self.prefix

    @cached_property
    def _bytes_at(self) -> range:
        return range(0) if self.first_byte is None else range(self.first_byte, self.first_byte + 256)

    @cached_property
    def _specials(self) -> Container[int]:
        return frozenset(self.reserved if self.unknown is None else (self.unknown, *self.reserved))

    @cached_property
    def _unlike_names(self) -> Container[int]:
        return frozenset((*self._bytes_at, *self.reserved, -1 if self.unknown is None else self.unknown))

    @cached_property
    def _piece_bytes(self) -> Sequence[bytes]:
        texts = [
            b"" if at in self._unlike_names else piece.encode("utf-8", "surrogatepass")
            for at, (piece, _) in enumerate(self.pieces)
        ]
        for byte, at in enumerate(self._bytes_at):
            texts[at] = bytes([byte])
        if self.unknown is not None:
            texts[self.unknown] = REPLACEMENT
        return texts

    @cached_property
    def _piece_names(self) -> Sequence[str]:
        return [piece for piece, _ in self.pieces]

    @cached_property
    def _chunking(self) -> Chunking:
        texts = [piece for at, (piece, _) in enumerate(self.pieces) if at not in self._unlike_names]
        # The library makes one unknown of several in a row, whatever white space is among them.
        return LINES if self.first_byte is not None and all(map(LINES.chunk.fullmatch, texts)) else SPACED

    @cached_property
    def _unknown(self) -> int:
        """The place that the library's model has for what is unknown."""
        return self._bytes_at[0] if self._bytes_at else self.unknown or 0

    @cached_property
    def _model(self) -> Any:
        library = tokenizers_library()
        # No chunk has a space in its midst, and so no text what is reserved.
        pieces = [
            (f"x {at}" if at in self._unlike_names else piece, score) for at, (piece, score) in enumerate(self.pieces)
        ]
        return library.Tokenizer(library.models.Unigram(pieces, self._unknown, False))

    def _encode_chunks(self, chunks: Sequence[str], spans: bool) -> Encoded:
        first, unknown = int(self.padding), self._unknown + self.padding
        found = encode_words(self._model, chunks, first_id=first, spans=spans)
        if not self._bytes_at or unknown not in found.ids:
            return found
        if not spans:
            found = encode_words(self._model, chunks, first_id=first, spans=True)
        return _in_bytes(chunks, found, unknown, first_byte=unknown)


def json_scores(value: object) -> tuple[tuple[str, float], ...]:
    """Pieces with their scores.

    Raises:
        InputError: they are something else.
    """
    if not isinstance(value, list) or not all(map(_is_scored, value)):
        raise InputError(
            "the pieces of a unigram tokenizer in JSON must be a list of lists, each of a text and a number, not "
            f"{reprlib.repr(value)}"
        )
    return tuple((piece, float(score)) for piece, score in value)


def _is_scored(pair: object) -> bool:
    return (
        isinstance(pair, list) and [type(item) for item in pair] in ([str, float], [str, int]) and abs(pair[1]) < 1e30
    )


def _in_bytes(chunks: Sequence[str], found: Encoded, unknown: int, *, first_byte: int) -> Encoded:
    """`found` with the bytes of the text, from the id `first_byte` on, in place of each unknown."""
    assert found.spans is not None
    is_unknown = found.ids == unknown
    chunk_of = np.repeat(np.arange(len(chunks)), found.sizes)
    characters: list[bytes] = []
    places: list[int] = []
    sizes = np.ones(len(found.ids), np.intp)
    for at in np.flatnonzero(is_unknown).tolist():
        start, end = found.spans[at].tolist()
        encoded = [character.encode() for character in chunks[chunk_of[at]][start:end]]
        sizes[at] = sum(map(len, encoded))
        characters += encoded
        places += [place for place, character in enumerate(encoded, start) for _ in character]
    ids, spans = np.repeat(found.ids, sizes), np.repeat(found.spans, sizes, axis=0)
    replaced = np.repeat(is_unknown, sizes)
    ids[replaced] = np.frombuffer(b"".join(characters), np.uint8).astype(np.int32) + first_byte
    spans[replaced] = np.array(places, np.int64)[:, None] + [0, 1]
    return Encoded(ids, np.bincount(np.repeat(chunk_of, sizes), minlength=len(chunks)), spans)


def _learned(parts: Iterable[str], *, size: int, taken: int, coverage: float) -> list[tuple[str, float]]:
    """The pieces and their scores that SentencePiece learns from the parts of a text, at most `size` - `taken`.

    Raises:
        InputError: there is no text, or no room for the characters.
    """
    library = sentencepiece_library()
    written = io.BytesIO()
    characters: set[str] = set()
    try:
        library.SentencePieceTrainer.train(
            sentence_iterator=_sentences(parts, characters),
            input_format="tsv",
            model_writer=written,
            model_type="unigram",
            vocab_size=max(2, size - taken + 1),  # one is its unknown piece
            hard_vocab_limit=False,
            character_coverage=coverage,
            unk_piece=_UNKNOWN,
            bos_id=-1,
            eos_id=-1,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            num_threads=16,  # of another number the sums differ in their last digits
            minloglevel=3,
        )
    except RuntimeError as error:
        if not characters:
            raise InputError("there is no text to train a tokenizer on: it is empty") from error
        if "ocab" not in str(error):
            raise
        needed = taken + len(characters)
        raise InputError(
            f"size is {size}, and padding, bytes and characters have up to {needed} ids: give so many, or less coverage"
        ) from error
    found = read_model(written.getvalue())
    return [(piece.replace(SPACE, " "), score) for piece, score, role in found.pieces if role == "normal"]


def _sentences(parts: Iterable[str], characters: set[str]) -> Iterator[str]:
    """All of a text for the trainer: sentences without white space but spaces, each with how often it comes.

    It passes over those of more than 4,192 bytes and those with signs of its own, so none is or has one.

    Args:
        characters: takes up those that the sentences have.
    """
    alone: Counter[str] = Counter()
    for part in parts:
        alone.update(_APART.findall(part))
        for line in _APART.split(part):
            start = 0
            while start < len(line):
                space = line.rfind(" ", start + 1, start + _LONGEST) if len(line) - start > _LONGEST else -1
                end = space if space > 0 else start + _LONGEST
                characters.update(line[start:end])
                yield f"{line[start:end]}\t1"
                start = end
    for character, count in sorted(alone.items()):
        if character not in _OF_THE_TRAINER:
            yield f"{character}\t{count}"
