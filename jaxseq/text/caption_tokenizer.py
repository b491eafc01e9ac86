"""The tokenizer of captions in several languages: which language one is in stands before it, as a token of its own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.vocab import Vocabulary, fingerprint_of, json_fields, json_texts, unlike

MakeTokenizer = Callable[[Iterable[str]], Tokenizer]
"""A tokenizer for some texts."""


@dataclass(frozen=True)
class CaptionTokenizer:
    """Captions as ids of one vocabulary for all languages, each from the token that names its language to its end.

    The ids are those of `LineTokenizer`, and behind them one for each language that has a name. Captions of a language
    without a name, "", begin with the start of a line.

    Raises:
        InputError: there is no language, or one comes twice.

    >>> from jaxseq.text import WordTokenizer
    >>> captions = [("english", "a dog"), ("korean", "개")]
    >>> tokenizer = CaptionTokenizer.train(captions, ("english", "korean"), WordTokenizer.train)
    >>> [tokenizer.encode(language, text).tolist() for language, text in captions]
    [[7, 2, 3, 6], [8, 4, 6]]
    >>> tokenizer.decode([7, 2, 3, 6])
    'a dog'
    """

    lines: LineTokenizer
    languages: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise InputError(f"languages are {list(self.languages)}: name one or more, each once")

    @classmethod
    def train(cls, captions: Iterable[tuple[str, str]], languages: Sequence[str], make: MakeTokenizer) -> Self:
        """A tokenizer for captions like these.

        Args:
            captions: each with its language before it.
            languages: those that there are.
            make: makes the tokenizer of their texts.

        Raises:
            InputError: as `make`.
        """
        return cls(LineTokenizer(make([text for _, text in captions])), tuple(languages))

    @property
    def end(self) -> int:
        """The id of a caption's end."""
        return self.lines.end

    @property
    def vocabulary_size(self) -> int:
        """The number of ids."""
        return self.lines.vocabulary_size + len(self._named)

    @property
    def silent_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text, so that no caption has them behind its first: specials, the start of a line and
        the names of languages."""
        lines = self.lines
        languages = range(lines.vocabulary_size, self.vocabulary_size)
        return tuple(sorted({*range(len(lines.vocabulary.specials)), *lines.silent_ids, *languages}))

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read: "<english>" for the language, unless a word is written so."""
        lines = self.lines.vocabulary
        names = tuple(unlike(f"<{language}>", lines) for language in self._named)
        return Vocabulary(ranked=(*lines.ranked, *names), specials=lines.specials)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two share only when they give every caption the same ids."""
        return fingerprint_of(self.to_json())

    def begin(self, language: str) -> int:
        """The id that stands before captions of a language.

        Raises:
            InputError: there is no such language.
        """
        if language not in self.languages:
            known = ", ".join(self.languages) if self._named else "of no name, leave it out"
            raise InputError(f"the language is {language!r}, and captions were learned in {known}")
        return self._named[language] if language else self.lines.start

    def encode(self, language: str, text: str) -> NDArray[np.int32]:
        """The ids [t+1] of a caption, from the name of its language to its end.

        Raises:
            InputError: there is no such language.
            UnknownSymbolError: it has a symbol without id.
        """
        return np.concatenate([[self.begin(language)], self.lines.encode_line(text)[1:]]).astype(np.int32)

    def encode_each(self, captions: Sequence[tuple[str, str]]) -> list[NDArray[np.int32]]:
        """`encode` of each (language, text), in less time where they can be read together.

        Raises:
            InputError: as there.
            UnknownSymbolError: as there; the message names the caption, counted from 1.
        """
        try:
            found = self.lines.encode_lines([text for _, text in captions])
        except UnknownSymbolError as error:
            raise UnknownSymbolError(str(error).replace("line", "caption", 1)) from error
        for ids, (language, _) in zip(found, captions, strict=True):
            ids[0] = self.begin(language)
        return found

    def decode(self, ids: ArrayLike) -> str:
        """The text of ids [n] as far as the first end; the name of a language, which has no text, may stand before it.

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        array = np.asarray(ids)
        ends = np.flatnonzero(array == self.end)
        array = array[: ends[0]] if len(ends) else array
        is_language = (array >= self.lines.vocabulary_size) & (array < self.vocabulary_size)
        return self.lines.decode(array[~is_language])

    def words_of(self, ids: ArrayLike) -> list[int]:
        """Which word of its text, 0 for the first, each of ids [n] ends in: parts between spaces. The number of words
        for the end and what stands behind it.

        >>> from jaxseq.text import CharTokenizer
        >>> tokenizer = CaptionTokenizer.train([("", "a dog")], ("",), CharTokenizer.train)
        >>> tokenizer.words_of(tokenizer.encode("", "a dog")[1:])
        [0, 0, 1, 1, 1, 2]
        """
        array = np.asarray(ids)
        ends = np.flatnonzero(array == self.end)
        count = int(ends[0]) if len(ends) else len(array)
        words = [max(len(self.decode(array[: at + 1]).split()) - 1, 0) for at in range(count)]
        return words + [len(self.decode(array).split())] * (len(array) - count)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal one."""
        return {"lines": self.lines.to_json(), "languages": list(self.languages)}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields = json_fields(tree, ("lines", "languages"), what="the tokenizer of captions")
        languages = json_texts(fields["languages"], where="the languages of captions")
        return cls(LineTokenizer.from_json(fields["lines"]), languages)

    @cached_property
    def _named(self) -> dict[str, int]:
        """The ids of languages that have a name."""
        named = [language for language in self.languages if language]
        return {language: self.lines.vocabulary_size + at for at, language in enumerate(named)}
