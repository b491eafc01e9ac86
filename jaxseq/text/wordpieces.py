"""The tokenizer of BERT: words, and signs of punctuation, in pieces that are known, or else unknown as a whole."""

import reprlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from jaxseq.errors import InputError
from jaxseq.text.chunks import APART, Chunking, Encoded
from jaxseq.text.normalize import normalizer
from jaxseq.text.subword_libraries import tokenizers_library
from jaxseq.text.subword_models import count_chunks, encode_words, learned, refuse_few_ids
from jaxseq.text.subwords import REPLACEMENT, ChunkedTokenizer, refuse_places, subword_fields
from jaxseq.text.vocab import json_fields, json_integers, json_texts

UNKNOWN_WORD = "[UNK]"
"""The name of the id of a word that cannot be made of pieces. In a text it is three words."""

_INSIDE = "##"
_LONGEST = 100


@dataclass(frozen=True)
class BertNormalization:
    """What models of BERT do to a text, done by the library.

    Args:
        clean_text: leave out control characters; white space of any kind is a space.
        handle_chinese_chars: make a word of each Chinese character.
        strip_accents: leave out accents; None does where `lowercase` is set.
        lowercase: lower case, character by character.
    """

    clean_text: bool = True
    handle_chinese_chars: bool = True
    strip_accents: bool | None = None
    lowercase: bool = True

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, bool | None if name == "strip_accents" else bool):
                raise InputError(f"{name} of BERT's normalisation is {reprlib.repr(value)}: it must be true or false")

    @property
    def loses(self) -> tuple[str, ...]:
        """What a text loses by it."""
        accents = self.lowercase if self.strip_accents is None else self.strip_accents
        lost = {"case": self.lowercase, "marks": accents, "control characters": self.clean_text}
        return tuple(name for name, is_lost in lost.items() if is_lost)


@dataclass(frozen=True)
class WordPieceTokenizer(ChunkedTokenizer):
    """WordPiece (Schuster and Nakajima 2012, Devlin et al. 2019), with the library `tokenizers`.

    A word is what white space and punctuation leave, a sign of punctuation is a word. The longest piece that a word
    begins with comes first, what follows in it begins with "##". White space is lost, and so are words that cannot
    be made of pieces, or are longer than 100 characters: each has the one unknown id.

    Args:
        pieces: by id, from the first behind padding.
        unknown: the place in `pieces` of the unknown word.
        reserved: places in `pieces` of what no text has besides, which are only names.
        bert: what the model itself does to a text first; None is nothing.

    Raises:
        InputError: a piece occurs twice or is empty; the unknown word is none of the pieces; a normaliser is unknown.

    >>> tokenizer = WordPieceTokenizer.train("low lower lowest low", size=18)
    >>> tokenizer.vocabulary.symbols[-3:]
    ('##ow', 'low', 'lowe')
    >>> tokenizer.decode(tokenizer.encode("lower,  or"))
    'lower � or'
    """

    pieces: tuple[str, ...]
    unknown: int = 0
    reserved: tuple[int, ...] = ()
    bert: BertNormalization | None = None

    kind: ClassVar[str] = "wordpiece"

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_places(self.reserved, size=len(self.pieces), kind=self.kind)
        if type(self.unknown) is not int or not 0 <= self.unknown < len(self.pieces):
            raise InputError(
                f"the unknown word of a wordpiece tokenizer is {reprlib.repr(self.unknown)}: it must be a place from 0 "
                f"to {len(self.pieces) - 1} among its pieces"
            )
        _ = self.vocabulary  # refuses pieces that are none

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
        """A tokenizer whose pieces are the characters of `text`, and the pairs of pieces most frequent in words.

        Args:
            text: one text, or several, which are read and normalised one at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
            size: the number of ids, padding and the unknown word included; there are fewer where there are no more
                pairs.
            min_count: how often a pair must occur to become a piece.

        Raises:
            InputError: there is no word; `size` has no room for the characters; the library is not installed; a
                normaliser is unknown.
        """
        library = tokenizers_library()
        before = library.pre_tokenizers.BertPreTokenizer()
        counts = count_chunks(text, normalizer(normalize), APART)
        words = {word for chunk in counts for word, _ in before.pre_tokenize_str(chunk)}
        # The library numbers these in the order of a hash table, which chooses among pairs that are equally frequent.
        inside = sorted({_INSIDE + character for word in words for character in word[1:]})
        needed = padding + 1 + len(inside) + len({character for word in words for character in word})
        reserved = ", the unknown word and padding" if padding else " and the unknown word"
        refuse_few_ids(size, needed=needed, what=f"the characters{reserved}")
        model = library.Tokenizer(library.models.WordPiece(unk_token=UNKNOWN_WORD))
        model.pre_tokenizer = before
        trainer = library.trainers.WordPieceTrainer(
            vocab_size=size - padding,
            min_frequency=min_count,
            special_tokens=[UNKNOWN_WORD, *inside],
            continuing_subword_prefix=_INSIDE,
            show_progress=False,
        )
        model.train_from_iterator((f" {chunk}" * count for chunk, count in counts.items()), trainer)
        return cls(learned(model)["pieces"], padding=padding, normalizers=tuple(normalize))

    @property
    def unknown_id(self) -> int:
        """The id of words that cannot be made of pieces."""
        return self.padding + self.unknown

    def normalize(self, text: str) -> str:
        """What comes back of `text` where all its words are known: these, with a space between two."""
        return " ".join(self.split(text))

    def split(self, text: str) -> list[str]:
        """The words of `text`, normalised, known or not."""
        text = self._normalizer(text)
        if self._model.normalizer is not None:
            text = self._model.normalizer.normalize_str(text)
        return [word for word, _ in self._model.pre_tokenizer.pre_tokenize_str(text)]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {
            **self._head(),
            "pieces": list(self.pieces),
            "unknown": self.unknown,
            "reserved": list(self.reserved),
            "bert": None if self.bert is None else asdict(self.bert),
        }

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, common = subword_fields(tree, cls.kind, "pieces", "unknown", "reserved", "bert")
        bert = fields["bert"]
        if bert is not None:
            names = tuple(asdict(BertNormalization()))
            bert = BertNormalization(**json_fields(bert, names, what="BERT's normalisation"))
        return cls(
            json_texts(fields["pieces"], where="the pieces of a wordpiece tokenizer"),
            fields["unknown"],
            json_integers(fields["reserved"], where="what a wordpiece tokenizer reserves"),
            bert,
            **common,
        )

    @property
    def _model_loses(self) -> tuple[str, ...]:
        return ("white space", *(self.bert.loses if self.bert else ()), "unknown words")

    @property
    def _begins_with_space(self) -> bool:
        return True

    @cached_property
    def _specials(self) -> Container[int]:
        return frozenset((self.unknown, *self.reserved))

    @cached_property
    def _piece_bytes(self) -> Sequence[bytes]:
        texts = [_text(piece) for piece in self.pieces]
        for at in self.reserved:
            texts[at] = b""
        texts[self.unknown] = b" " + REPLACEMENT
        return texts

    @cached_property
    def _piece_names(self) -> Sequence[str]:
        return self.pieces

    @cached_property
    def _chunking(self) -> Chunking:
        return APART

    @cached_property
    def _model(self) -> Any:
        library = tokenizers_library()
        ids = {piece: at for at, piece in enumerate(self.pieces) if at not in self.reserved}
        wordpiece = library.models.WordPiece(
            ids,
            unk_token=self.pieces[self.unknown],
            continuing_subword_prefix=_INSIDE,
            max_input_chars_per_word=_LONGEST,
        )
        model = library.Tokenizer(wordpiece)
        model.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
        if self.bert is not None:
            model.normalizer = library.normalizers.BertNormalizer(**asdict(self.bert))
        return model

    def _with_prefix(self, text: str) -> str:
        return text

    def _encode_chunks(self, chunks: Sequence[str], spans: bool) -> Encoded:
        return encode_words(self._model, chunks, first_id=int(self.padding), spans=spans)


def _text(piece: str) -> bytes:
    """What a piece adds to the text before it."""
    text = piece[len(_INSIDE) :] if piece.startswith(_INSIDE) and piece != _INSIDE else " " + piece
    return text.encode("utf-8", "surrogatepass")
