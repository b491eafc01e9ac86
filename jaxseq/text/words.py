"""The tokenizer of words."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.codepoints import grouped
from jaxseq.text.common import checked_ids, decode_whole, tokenizer_fields
from jaxseq.text.hashing import bucket_of
from jaxseq.text.normalize import Normalizer, losses, normalizer
from jaxseq.text.streaming import JoiningDecoder, StreamDecoder
from jaxseq.text.vocab import UNKNOWN, Vocabulary, fingerprint_of, json_texts, unlike
from jaxseq.text.word_counts import WordCounts, count_words
from jaxseq.text.word_options import WordOptions
from jaxseq.text.word_table import PIECE, Separators, WordTable

PADDING = "<pad>"
"""The name of id 0 where it is kept for padding. In a text it is a word like others."""

_SHORT = 4096  # characters up to which a dict is as fast as arrays

DEFAULTS = WordOptions()
"""Keras's filters, every word, padding and one id for unknown words."""


@dataclass(frozen=True)
class WordTokenizer:
    """One id for each word, and for unknown ones what `options` say.

    No text has the id of padding. "<pad>" and "<unk>" in a text are words like others, with ids of their own.

    Args:
        words: the most frequent first; the first has the id `options.reserved`.
        normalizers: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.

    Raises:
        InputError: a word is empty or occurs twice; a normaliser is unknown.

    >>> tokenizer = WordTokenizer.train("To be, or not to be.", normalize=("lowercase",))
    >>> tokenizer.vocabulary.symbols
    ('<pad>', '<unk>', 'to', 'be', 'or', 'not')
    >>> tokenizer.encode("To be, or not?").tolist()
    [2, 3, 4, 5]
    >>> tokenizer.decode([2, 3, 1])
    'to be �'
    """

    words: tuple[str, ...]
    options: WordOptions = DEFAULTS
    normalizers: tuple[str, ...] = ()

    kind: ClassVar[str] = "word"

    def __post_init__(self) -> None:
        normalizer(self.normalizers)
        Vocabulary(self.words)  # refuses them where they are none

    @classmethod
    def train(
        cls, text: str | Iterable[str], *, normalize: Sequence[str] = (), options: WordOptions = DEFAULTS
    ) -> Self:
        """A tokenizer whose words are those of `text`, the most frequent first.

        Of two words that are equally frequent the one that appears first comes first, as in Keras.

        Args:
            text: one text, or several, which are read and normalised one at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.

        Raises:
            InputError: there is no word, or none occurs `options.min_count` times, unless `options.max_words` is 0; a
                normaliser is unknown.
        """
        texts = [text] if isinstance(text, str) else text
        counts = count_words(texts, normalize=normalize, how=options.how, documents=False)
        return cls.from_counts(counts, normalize=normalize, options=options)

    @classmethod
    def from_counts(cls, counts: WordCounts, *, normalize: Sequence[str] = (), options: WordOptions = DEFAULTS) -> Self:
        """What `train` makes of texts whose words have been counted; arguments and errors as there."""
        if options.max_words != 0:
            if not counts.words:
                raise InputError("there is no word to train a tokenizer on: the text is empty, or all of it left out")
            most = max(counts.words.values())
            if most < options.min_count:
                raise InputError(
                    f"min_count is {options.min_count}, the most frequent word occurs {most} times: lower it"
                )
        vocabulary = Vocabulary.build(
            counts.words, min_count=options.min_count, max_size=options.max_words, ties="first"
        )
        return cls(vocabulary.ranked, options, tuple(normalize))

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: padding, the unknown word, words and buckets, as the options have them."""
        return self.options.reserved + len(self.words) + self.options.buckets

    @property
    def silent_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text: that of padding, where it is kept."""
        return (0,) if self.options.padding else ()

    @property
    def unknown_id(self) -> int | None:
        """The id of all words that are not known; None where there is no such."""
        return int(self.options.padding) if self.options.unknown == "unk" else None

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read; that of a special has more brackets where it is a word too."""
        return self._names

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a text does not come back, see `Tokenizer.loses`."""
        unknown = () if self.options.unknown == "error" else ("unknown words",)
        return tuple(dict.fromkeys((*losses(self.normalizers), *self.options.how.loses, *unknown)))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def split(self, text: str) -> list[str]:
        """The words of `text`, normalised, known or not."""
        return self.options.how.split(self._normalizer(text))

    def normalize(self, text: str) -> str:
        """What comes back of `text` when all its words are known: these, as the splitter joins them."""
        return self.options.how.joint.join(self.split(text))

    def unknown_words(self, text: str) -> list[str]:
        """The words of `text` that have no id of their own, each once, in the order of `text`."""
        return [word for word in dict.fromkeys(self.split(text)) if word not in self._id_of]

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the words of `text`, after normalisation.

        Raises:
            UnknownSymbolError: a word is not known, and `options.unknown` is "error".
        """
        if self._separators is None or len(text) <= _SHORT:
            return self.encode_words(self.split(text))
        return self._ids_and_starts(self._separators.apply([text])[0])[0]

    def encode_texts(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each of `texts`, in less time where they are short and many.

        Raises:
            UnknownSymbolError: as `encode`; a word's number counts from the first text on.
        """
        if self._separators is None:
            return [self.encode(text) for text in texts]
        found: list[NDArray[np.int32]] = []
        for group in grouped(texts, PIECE):
            data, sizes = self._separators.apply(group)
            ids, starts = self._ids_and_starts(data)
            bounds = [0, *np.searchsorted(starts, np.cumsum(np.add(sizes, 1))).tolist()]
            found += [ids[start:end] for start, end in pairwise(bounds)]
        return found

    def encode_words(self, words: Sequence[str]) -> NDArray[np.int32]:
        """The ids [n] of words that were split elsewhere, and are taken as they are.

        Raises:
            UnknownSymbolError: as `encode`.
        """
        known = self._id_of.get
        ids = [known(word, -1) for word in words]
        if -1 in ids:
            ids = [self._other(words[at], at) if id < 0 else id for at, id in enumerate(ids)]
            ids = [id for id in ids if id >= 0]
        return np.array(ids, np.int32)

    def decode(self, ids: ArrayLike) -> str:
        """The words of `ids` [n], joined as the splitter says; nothing for padding.

        Raises:
            ValueError: an id has no word, or there are more axes than one.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=self.vocabulary_size))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; every word is final at once."""
        return JoiningDecoder(self._texts_of, joint=self.options.how.joint)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {
            "kind": self.kind,
            "normalize": list(self.normalizers),
            "options": self.options.to_json(),
            "words": list(self.words),
        }

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, normalizers = tokenizer_fields(tree, cls.kind, "options", "words")
        words = json_texts(fields["words"], where="the words of a word tokenizer")
        return cls(words, WordOptions.from_json(fields["options"]), normalizers)

    def _ids_and_starts(self, data: bytes) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids [n] of the words of `data`, as `Separators.apply` makes it, and where these start in it [n]."""
        assert self._separators is not None
        ids, starts, before = [], [], 0
        for offset, piece in self._separators.pieces(data):
            array, begins, sizes = self._separators.bounds(piece)
            found = self._table.find(array, begins, sizes)
            unknown = np.flatnonzero(found < 0)
            found += self.options.reserved
            begins += offset - 1  # the array has a separator in front
            if len(unknown) and self.options.unknown == "unk":
                found[unknown] = int(self.options.padding)
            elif len(unknown) and self.options.unknown == "drop":
                found, begins = np.delete(found, unknown), np.delete(begins, unknown)
            else:
                for at in unknown.tolist():
                    begin = int(begins[at])
                    word = data[begin : begin + int(sizes[at])].decode("utf-8", "surrogatepass")
                    found[at] = self._other(word, before + at)
            before += len(sizes)
            ids.append(found)
            starts.append(begins)
        return (ids[0], starts[0]) if len(ids) == 1 else (np.concatenate(ids), np.concatenate(starts))

    def _other(self, word: str, at: int) -> int:
        """The id of a word that is not known, number `at` of a text; -1 where it is dropped."""
        match self.options.unknown:
            case "unk":
                return int(self.options.padding)
            case "buckets":
                bucket = bucket_of(word.encode("utf-8", "surrogatepass"), self.options.buckets)
                return self.options.reserved + len(self.words) + bucket
            case "drop":
                return -1
            case "error":
                raise UnknownSymbolError(
                    f"{reprlib.repr(word)}, word {at + 1:,} of the text, is not among the {len(self.words):,} words of "
                    "the vocabulary: leave it out, or train with <unk> for rare words (--data.min-count 2, "
                    "--data.max-words, or unknown='unk')"
                )

    def _texts_of(self, ids: ArrayLike) -> list[str | None]:
        return list(map(self._text_of_id.__getitem__, checked_ids(ids, size=self.vocabulary_size).tolist()))

    @cached_property
    def _normalizer(self) -> Normalizer:
        return normalizer(self.normalizers)

    @cached_property
    def _names(self) -> Vocabulary:
        known = self._id_of
        specials = [PADDING] * self.options.padding + [UNKNOWN] * (self.options.unknown == "unk")
        buckets = [f"<bucket {number}>" for number in range(self.options.buckets)]
        return Vocabulary(
            ranked=(*self.words, *(unlike(name, known) for name in buckets)),
            specials=tuple(unlike(name, known) for name in specials),
        )

    @cached_property
    def _separators(self) -> Separators | None:
        separators = self.options.how.separators
        return None if separators is None else Separators(separators, self.normalizers)

    @cached_property
    def _table(self) -> WordTable:
        return WordTable([word.encode("utf-8", "surrogatepass") for word in self.words])

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(self.words, self.options.reserved)}

    @cached_property
    def _text_of_id(self) -> list[str | None]:
        """What each id is decoded to; None is nothing."""
        unknown = self.options.unknown_text
        reserved = [None] * self.options.padding + [unknown] * (self.options.unknown == "unk")
        return [*reserved, *self.words, *[unknown] * self.options.buckets]
