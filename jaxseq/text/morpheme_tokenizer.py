"""The tokenizer of Korean morphemes."""

import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.codepoints import grouped
from jaxseq.text.common import checked_ids, decode_whole, tokenizer_fields
from jaxseq.text.morpheme_joining import MorphemeDecoder, Piece
from jaxseq.text.morphemes import analyser_version, tag_texts
from jaxseq.text.normalize import Normalizer, losses, normalizer
from jaxseq.text.streaming import StreamDecoder
from jaxseq.text.tagged import read_token, tagged_token
from jaxseq.text.vocab import Vocabulary, fingerprint_of, json_texts
from jaxseq.text.word_counts import WordCounts
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer

NEWLINE = "\n"
"""The symbol of a line's end, which is no morpheme but as much to a language model."""

_TOGETHER = 1 << 16  # characters of texts that are analysed together

_ANALYSER = re.compile(r"kiwipiepy==[\w.+-]+ kiwipiepy_model==[\w.+-]+", re.ASCII)

DEFAULTS = WordOptions(splitter="whitespace")
"""Every morpheme, padding and one id for those that are unknown."""


@dataclass(frozen=True)
class MorphemeTokenizer:
    """One id for each morpheme with its tag, and for unknown ones what `options` say.

    Symbols are the tokens of a tagged line (`jaxseq.text.tagged`), so a `WordTokenizer` with the splitter "whitespace"
    reads the same of tagged lines as this one of the raw ones, but for line ends. They say nothing of spaces: between
    which morphemes one stands follows from the tags by the rules of Korean, while people often leave it out. The first
    2,000 reviews in NSMC have 3,978 symbols; if these told what has a space before it, it would be 4,653.

    What comes back is what the analyser's rules join, see `jaxseq.text.morpheme_joining`: of those reviews 24 in 100 to
    the letter, and 93 in 100 but for their spaces. The forms alone, without rules, make 23 in 100 but for their spaces.

    No text has the id of padding: "<pad>" and "영화/NNG" in a text are analysed as text.

    Args:
        morphemes: as tokens of a tagged line, and `NEWLINE`; the most frequent first.
        analyser: what `analyser_version` said when they were found. It is part of the fingerprint, and no text is
            encoded with another version, which gives some texts other ids.
        options: `splitter` is "whitespace".
        normalizers: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.

    Raises:
        InputError: a morpheme is none or occurs twice; a normaliser is unknown; the splitter or the analyser is none
            that this tokenizer has.

    >>> tokenizer = MorphemeTokenizer.train("영화를 봤다. 영화가 좋았다.")
    >>> tokenizer.vocabulary.symbols[:7]
    ('<pad>', '<unk>', '영화/NNG', '었/EP', '다/EF', './SF', '를/JKO')
    >>> tokenizer.encode("영화 봤다").tolist()
    [2, 7, 3, 4]
    >>> tokenizer.decode([2, 7, 3, 4])
    '영화 봤다'
    """

    morphemes: tuple[str, ...]
    analyser: str
    options: WordOptions = DEFAULTS
    normalizers: tuple[str, ...] = ()

    kind: ClassVar[str] = "morpheme"

    def __post_init__(self) -> None:
        normalizer(self.normalizers)
        if self.options.splitter != DEFAULTS.splitter:
            raise InputError(
                f"splitter of a morpheme tokenizer is {self.options.splitter!r}: it must be {DEFAULTS.splitter!r}, for "
                "morphemes are found by the analyser"
            )
        if not _ANALYSER.fullmatch(self.analyser):
            raise InputError(
                f"analyser of a morpheme tokenizer is {reprlib.repr(self.analyser)}: it must be two versions, as "
                "'kiwipiepy==0.24.1 kiwipiepy_model==0.24.0'"
            )
        Vocabulary(self.morphemes)  # refuses them where they are none
        for morpheme in self.morphemes:
            if morpheme != NEWLINE:
                read_token(morpheme)

    @classmethod
    def train(
        cls, text: str | Iterable[str], *, normalize: Sequence[str] = (), options: WordOptions = DEFAULTS
    ) -> Self:
        """A tokenizer whose morphemes are those of `text`, the most frequent first, else that which appears first.

        Args:
            text: one text, or several, which are read and normalised a few at a time.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.

        Raises:
            InputError: there is no morpheme, or none occurs `options.min_count` times, unless `options.max_words` is
                0; a normaliser is unknown; kiwipiepy is not installed.
        """
        counts: Counter[str] = Counter()
        number = 0
        for tokens in _split(map(normalizer(normalize), [text] if isinstance(text, str) else text)):
            counts.update(tokens)
            number += 1
        words = WordTokenizer.from_counts(WordCounts(counts, {}, number), options=options).words
        return cls(words, analyser_version(), options, tuple(normalize))

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: padding, the unknown morpheme, morphemes and buckets, as the options have them."""
        return self._words.vocabulary_size

    @property
    def silent_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text: that of padding, where it is kept."""
        return self._words.silent_ids

    @property
    def unknown_id(self) -> int | None:
        """The id of all morphemes that are not known; None where there is no such."""
        return self._words.unknown_id

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read."""
        return self._words.vocabulary

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a text does not come back, see `Tokenizer.loses`."""
        unknown = () if self.options.unknown == "error" else ("unknown symbols",)
        joined = ("Unicode form", "white space", "morphemes joined")
        return tuple(dict.fromkeys((*losses(self.normalizers), *joined, *unknown)))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def split(self, text: str) -> list[str]:
        """The symbols of `text`, normalised, known or not.

        Raises:
            InputError: kiwipiepy is not installed, or in another version than `analyser`.
        """
        return next(self._split_texts([text]))

    def normalize(self, text: str) -> str:
        """What comes back of `text` when all its morphemes are known: these, joined.

        Raises:
            InputError: as `split`.
        """
        symbols = self.split(text)
        decoder = MorphemeDecoder(lambda places: [_piece(symbols[place]) for place in np.asarray(places).tolist()])
        return decode_whole(decoder, np.arange(len(symbols)))

    def unknown_words(self, text: str) -> list[str]:
        """The morphemes of `text` that have no id of their own, each once, in the order of `text`.

        Raises:
            InputError: as `split`.
        """
        return [symbol for symbol in dict.fromkeys(self.split(text)) if symbol not in self._known]

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the morphemes and line ends of `text`, after normalisation.

        Raises:
            UnknownSymbolError: a morpheme is not known, and `options.unknown` is "error".
            InputError: as `split`.
        """
        return self.encode_texts([text])[0]

    def encode_texts(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each of `texts`, in less time where they are short and many: all cores analyse.

        Raises:
            UnknownSymbolError: as `encode`.
            InputError: as `split`.
        """
        if self.options.unknown != "error":
            return list(map(self._words.encode_words, self._split_texts(texts)))
        texts = list(texts)
        found = []
        for text, symbols in zip(texts, self._split_texts(texts), strict=True):
            if not self._known.issuperset(symbols):
                self._refuse(self._normalizer(text))
            found.append(self._words.encode_words(symbols))
        return found

    def decode(self, ids: ArrayLike) -> str:
        """The morphemes of `ids` [n], joined; nothing for padding.

        Raises:
            ValueError: an id has no morpheme, or there are more axes than one.
            InputError: kiwipiepy is not installed.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=self.vocabulary_size))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; a word comes out when the next one has begun."""
        return MorphemeDecoder(self._pieces_of)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {
            "kind": self.kind,
            "normalize": list(self.normalizers),
            "analyser": self.analyser,
            "options": self.options.to_json(),
            "morphemes": list(self.morphemes),
        }

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`, with any version of the analyser or none: one that differs is refused by `encode`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, normalizers = tokenizer_fields(tree, cls.kind, "analyser", "options", "morphemes")
        (analyser,) = json_texts([fields["analyser"]], where="the analyser of a morpheme tokenizer")
        morphemes = json_texts(fields["morphemes"], where="the morphemes of a morpheme tokenizer")
        return cls(morphemes, analyser, WordOptions.from_json(fields["options"]), normalizers)

    def _split_texts(self, texts: Iterable[str]) -> Iterator[list[str]]:
        found = analyser_version()
        if found != self.analyser:
            raise InputError(
                f"{found} gives some texts other morphemes than the version that the tokenizer was trained with: pip "
                f"install {self.analyser}"
            )
        return _split(map(self._normalizer, texts))

    def _refuse(self, text: str) -> NoReturn:
        """Names the first symbol of `text`, normalised, that is not known."""
        start = 0
        lines = text.split(NEWLINE)
        for line, morphemes in zip(lines, tag_texts(lines), strict=True):
            places = [(tagged_token(form, tag), start + begin) for form, tag, begin, _ in morphemes]
            start += len(line) + 1
            for symbol, place in [*places, (NEWLINE, start - 1)]:
                if symbol not in self._known:
                    raise UnknownSymbolError(
                        f"{symbol!r} at offset {place} of the text is not among the {len(self.morphemes):,} morphemes "
                        "of the vocabulary: leave it out, or train with <unk> for rare ones (--data.min-count 2, "
                        "--data.max-words, or unknown='unk')"
                    )
        raise AssertionError("no symbol of the text is unknown")

    def _pieces_of(self, ids: ArrayLike) -> list[Piece | None]:
        return list(map(self._piece_of_id.__getitem__, checked_ids(ids, size=self.vocabulary_size).tolist()))

    @cached_property
    def _normalizer(self) -> Normalizer:
        return normalizer(self.normalizers)

    @cached_property
    def _words(self) -> WordTokenizer:
        """The ids of words that are these."""
        return WordTokenizer(self.morphemes, self.options)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.morphemes)

    @cached_property
    def _piece_of_id(self) -> list[Piece | None]:
        """What each id is decoded to; None is nothing."""
        options, unknown = self.options, (self.options.unknown_text, "")
        reserved = [None] * options.padding + [unknown] * (options.unknown == "unk")
        return [*reserved, *map(_piece, self.morphemes), *[unknown] * options.buckets]


def _split(texts: Iterable[str]) -> Iterator[list[str]]:
    """The symbols of each text; the lines of many are analysed together."""
    for group in grouped(texts, _TOGETHER):
        lines = [text.split(NEWLINE) for text in group]
        found = tag_texts(chain.from_iterable(lines))
        for own in lines:
            symbols: list[str] = []
            for number, morphemes in enumerate(islice(found, len(own))):
                if number:
                    symbols.append(NEWLINE)
                symbols += [_symbol(form, tag) for form, tag, _, _ in morphemes]
            yield symbols


_symbol = lru_cache(maxsize=1 << 16)(tagged_token)


def _piece(symbol: str) -> Piece:
    """What a symbol is joined as."""
    return (NEWLINE, "") if symbol == NEWLINE else read_token(symbol)
