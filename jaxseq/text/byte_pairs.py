"""The tokenizer of byte pairs: it gives back every text, and needs no id for what it does not know."""

import reprlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self

from jaxseq.errors import InputError
from jaxseq.text.chunks import WHOLE, WORDS, Chunking, Encoded
from jaxseq.text.normalize import normalizer
from jaxseq.text.subword_libraries import tokenizers_library
from jaxseq.text.subword_models import encode_words, learned, parts_of, refuse_few_ids
from jaxseq.text.subwords import ChunkedTokenizer, refuse_places, subword_fields
from jaxseq.text.vocab import json_integers, json_texts


@cache
def byte_letters() -> tuple[str, ...]:
    """The letter that stands for each byte in pieces, from 0 to 255, as in GPT-2.

    Bytes that are printable characters of Latin-1 stand for themselves, the others for those from U+0100 on.

    >>> byte_letters()[ord("a")], byte_letters()[ord(" ")], byte_letters()[ord("\\n")]
    ('a', 'Ġ', 'Ċ')
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))


@dataclass(frozen=True)
class BytePairTokenizer(ChunkedTokenizer):
    """Byte pair encoding of UTF-8 (Sennrich et al. 2016, Radford et al. 2019), with the library `tokenizers`.

    Words, with the space before them, are cut as in GPT-2: letters, digits and other signs apart. All of a text comes
    back, and no text has the id of padding or of a reserved piece, whatever is written in it.

    Args:
        pieces: by id, from the first behind padding; in `byte_letters`. All 256 bytes are among them.
        merges: two pieces that make a third one, the first to be made first.
        reserved: places in `pieces` of what no text has, which are only names.
        pattern: the library's regular expression of words; None is GPT-2's.

    Raises:
        InputError: a piece is no bytes or occurs twice; a byte is missing; a merge makes no piece; a normaliser is
            unknown.

    >>> tokenizer = BytePairTokenizer.train("low lower lowest low", size=261)
    >>> tokenizer.vocabulary.symbols[257:]
    ('lo', 'low', ' low', ' lowe')
    """

    pieces: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    reserved: tuple[int, ...] = ()
    pattern: str | None = None

    kind: ClassVar[str] = "bpe"

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_places(self.reserved, size=len(self.pieces), kind=self.kind)
        if not isinstance(self.pattern, str | None):
            raise InputError(f"pattern of a bpe tokenizer is {reprlib.repr(self.pattern)}: it must be a text, or null")
        letters = set(byte_letters())
        known = {piece for at, piece in enumerate(self.pieces) if at not in self._specials}
        wrong = next((x for x in self.pieces if x in known and (not x or not letters.issuperset(x))), None)
        if wrong is not None:
            raise InputError(
                f"{reprlib.repr(wrong)} is no piece of a bpe tokenizer, which are letters that stand for bytes"
            )
        _ = self.vocabulary  # refuses pieces that occur twice
        missing = [byte for byte, letter in enumerate(byte_letters()) if letter not in known]
        if missing:
            raise InputError(
                f"byte 0x{missing[0]:02X} is not among the pieces of a bpe tokenizer: texts that have it would lose it"
            )
        for left, right in self.merges:
            if not {left, right, left + right} <= known:
                raise InputError(
                    f"a bpe tokenizer merges {reprlib.repr(left)} and {reprlib.repr(right)}: one of these, or both "
                    "together, is not among its pieces"
                )
        if self.pattern is not None:
            _ = self._model  # refuses a pattern that is none

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        *,
        normalize: Sequence[str] = (),
        size: int = 8000,
        min_count: int = 2,
        padding: bool = True,
    ) -> Self:
        """A tokenizer whose pieces are the 256 bytes and the pairs that are most frequent in `text`.

        Args:
            text: one text, or several, which are read and normalised one at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
            size: the number of ids, padding included; there are fewer where there are no more pairs.
            min_count: how often a pair must occur to become a piece.

        Raises:
            InputError: `size` has no room for the bytes; the library is not installed; a normaliser is unknown.
        """
        library = tokenizers_library()
        refuse_few_ids(size, needed=256 + padding, what="the 256 bytes" + " and padding" * padding)
        model = library.Tokenizer(library.models.BPE())
        model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = library.trainers.BpeTrainer(
            vocab_size=size - padding,
            min_frequency=min_count,
            initial_alphabet=sorted(byte_letters()),
            show_progress=False,
        )
        model.train_from_iterator(parts_of(text, normalizer(normalize), WORDS), trainer)
        found = learned(model)
        merges = tuple(map(tuple, found["merges"]))
        return cls(found["pieces"], merges, padding=padding, normalizers=tuple(normalize))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {
            **self._head(),
            "pieces": list(self.pieces),
            "merges": list(map(list, self.merges)),
            "reserved": list(self.reserved),
            "pattern": self.pattern,
        }

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, common = subword_fields(tree, cls.kind, "pieces", "merges", "reserved", "pattern")
        pairs = fields["merges"]
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise InputError("the merges of a bpe tokenizer in JSON must be a list of lists of two pieces")
        merges = [json_texts(pair, where="a merge of a bpe tokenizer") for pair in pairs]
        return cls(
            json_texts(fields["pieces"], where="the pieces of a bpe tokenizer"),
            tuple((left, right) for left, right in merges),
            json_integers(fields["reserved"], where="what a bpe tokenizer reserves"),
            fields["pattern"],
            **common,
        )

    @cached_property
    def _specials(self) -> Container[int]:
        return frozenset(self.reserved)

    @cached_property
    def _piece_bytes(self) -> Sequence[bytes]:
        byte_of = {ord(letter): byte for byte, letter in enumerate(byte_letters())}
        return [
            b"" if at in self._specials else piece.translate(byte_of).encode("latin-1")
            for at, piece in enumerate(self.pieces)
        ]

    @cached_property
    def _piece_names(self) -> Sequence[str]:
        return [
            piece if at in self._specials else _shown(self._piece_bytes[at]) for at, piece in enumerate(self.pieces)
        ]

    @cached_property
    def _chunking(self) -> Chunking:
        return WORDS if self.pattern is None else WHOLE

    @cached_property
    def _model(self) -> Any:
        library = tokenizers_library()
        ids = {piece: at for at, piece in enumerate(self.pieces) if at not in self._specials}
        model = library.Tokenizer(library.models.BPE(ids, list(self.merges)))
        before = library.pre_tokenizers
        if self.pattern is None:
            model.pre_tokenizer = before.ByteLevel(add_prefix_space=False)
        else:
            try:
                split = before.Split(library.Regex(self.pattern), "isolated")
            except Exception as error:
                raise InputError(f"pattern of a bpe tokenizer is no regular expression ({error})") from error
            model.pre_tokenizer = before.Sequence([split, before.ByteLevel(add_prefix_space=False, use_regex=False)])
        return model

    def _encode_chunks(self, chunks: Sequence[str], spans: bool) -> Encoded:
        return encode_words(self._model, chunks, first_id=int(self.padding), spans=spans)


def _shown(piece: bytes) -> str:
    """The text of a piece, or the numbers of its bytes where it begins or ends within a character."""
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in piece)
