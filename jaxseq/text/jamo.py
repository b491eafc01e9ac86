"""The tokenizer of jamo, the letters that Hangul syllables are made of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from jaxseq.text import hangul
from jaxseq.text.characters import SymbolTokenizer, build_vocabulary, count_symbols
from jaxseq.text.codepoints import text_of
from jaxseq.text.streaming import HoldBackDecoder, StreamDecoder

# Those that form C makes syllables of; the archaic ones, of which it makes none, are symbols like others.
_CONJOINING_INITIALS = frozenset(map(chr, range(0x1100, 0x1113)))
_CONJOINING_VOWELS = frozenset(map(chr, range(0x1161, 0x1176)))
_CONJOINING_FINALS = frozenset(map(chr, range(0x11A8, 0x11C3)))


@dataclass(frozen=True)
class JamoTokenizer(SymbolTokenizer):
    """One id for each jamo of the text's Hangul, for the mark after each syllable, and for each other character.

    Raises:
        InputError: as for all character tokenizers; or `mark` is not one character, or is Hangul itself.

    >>> tokenizer = JamoTokenizer.train("나는 나")
    >>> tokenizer.vocabulary.symbols
    ('ㄴ', 'ᴥ', 'ㅏ', ' ', 'ㅡ')
    >>> tokenizer.encode("나는").tolist()
    [0, 2, 1, 0, 4, 0, 1]
    >>> tokenizer.decode([0, 2, 0, 1, 4])
    '난ㅡ'
    """

    mark: str = hangul.MARK

    kind: ClassVar[str] = "jamo"

    def __post_init__(self) -> None:
        super().__post_init__()
        hangul.mark_point(self.mark)

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        *,
        normalize: Sequence[str] = (),
        specials: Sequence[str] = (),
        unknown: bool = False,
        min_count: int = 1,
        mark: str = hangul.MARK,
    ) -> Self:
        """A tokenizer whose vocabulary is the jamo and other characters of `text`, the most frequent first.

        The arguments and errors are those of `CharTokenizer.train`; `mark` ends a syllable, see `jaxseq.text.hangul`.
        """
        counts: Counter[str] = Counter()
        for character, count in count_symbols(text, normalize).items():
            for symbol in hangul.decompose(character, mark):
                counts[symbol] += count
        vocabulary = build_vocabulary(counts, specials=specials, unknown=unknown, min_count=min_count)
        return cls(vocabulary, tuple(normalize), mark)

    @property
    def remark(self) -> str | None:
        """A line for whoever trained it on syllables that were taken apart before, as a Mac does in form D; else None.

        They are kept as they are, each conjoining jamo a symbol, for what is decoded is the text that was encoded.
        """
        symbols = set(self.vocabulary.ranked)
        if not (symbols & _CONJOINING_INITIALS and symbols & _CONJOINING_VOWELS):
            return None
        count = len(symbols & (_CONJOINING_INITIALS | _CONJOINING_VOWELS | _CONJOINING_FINALS))
        return (
            f"the text has Hangul in Unicode's form D: {count} conjoining jamo are symbols beside those of syllables; "
            "train with --data.normalize nfc to make syllables of them"
        )

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        return cls(**cls._arguments(tree, "mark"))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {**super().to_json(), "mark": self.mark}

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time; a syllable comes out when its mark has come in."""
        return HoldBackDecoder(units=self._symbols, held=hangul.open_code_points, text=self._composed)

    def _composed(self, codes: NDArray[np.uint32]) -> str:
        return hangul.compose(text_of(codes), self.mark)

    def _spread(self, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        return hangul.decompose_code_points(codes, mark=ord(self.mark))
