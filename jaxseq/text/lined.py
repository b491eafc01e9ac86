"""The tokenizer of lines: any other tokenizer, with a symbol at the start and one at the end of each line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.common import checked_ids, decode_whole, unknown_symbols
from jaxseq.text.streaming import StreamDecoder
from jaxseq.text.tokenizers import TOKENIZERS, Tokenizer, tokenizer_from_json
from jaxseq.text.vocab import Vocabulary, fingerprint_of, json_fields, unlike
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer


@dataclass(frozen=True)
class LineTokenizer:
    """The ids of `inner`, and two behind them that no text has: `start` before each line, `end` in place of "\\n".

    The end of a text is no line's end unless "\\n" stands there, so a text can be gone on from in the middle of a line.

    >>> tokenizer = LineTokenizer(WordTokenizer.train("to be or not"))
    >>> tokenizer.encode("to be\\nor").tolist()
    [6, 2, 3, 7, 6, 4]
    >>> tokenizer.encode_line("or not").tolist()
    [6, 4, 5, 7]
    >>> tokenizer.decode([6, 2, 3, 7, 6, 4])
    'to be\\nor'
    """

    inner: Tokenizer

    kind: ClassVar[str] = "lines"

    @classmethod
    def train(cls, text: str | Iterable[str], *, normalize: Sequence[str] = ()) -> Self:
        """Lines of words, split at white space; for others give the constructor another tokenizer."""
        return cls(WordTokenizer.train(text, normalize=normalize, options=WordOptions(splitter="whitespace")))

    @property
    def start(self) -> int:
        """The id before a line."""
        return self.inner.vocabulary_size

    @property
    def end(self) -> int:
        """The id of a line's end."""
        return self.inner.vocabulary_size + 1

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: those of `inner`, start and end."""
        return self.inner.vocabulary_size + 2

    @property
    def silent_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text: those of `inner`, and the start of a line."""
        return (*getattr(self.inner, "silent_ids", ()), self.start)

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read."""
        return self._names

    @property
    def loses(self) -> tuple[str, ...]:
        """What of a line does not come back, see `Tokenizer.loses`; line ends do."""
        return self.inner.loses

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two tokenizers share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def normalize(self, text: str) -> str:
        """`text` with each of its lines as `inner` reads it."""
        return "\n".join(map(self.inner.normalize, text.split("\n")))

    def unknown_words(self, text: str) -> list[str]:
        """The words of `text`, or whatever else `inner` reads, that have no id of their own, each once."""
        return list(dict.fromkeys(word for line in text.split("\n") for word in unknown_symbols(self.inner, line)))

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of the lines of `text`, the last one without an end.

        Raises:
            UnknownSymbolError: as `inner`; the offset counts from the start of the line.
        """
        lines = [self.encode_line(line) for line in text.split("\n")]
        return np.concatenate(lines)[:-1]

    def encode_line(self, line: str) -> NDArray[np.int32]:
        """The ids [n] of one line from start to end.

        Raises:
            UnknownSymbolError: as `inner`.
        """
        return np.concatenate([[self.start], self.inner.encode(line), [self.end]]).astype(np.int32)

    def encode_lines(self, lines: Sequence[str]) -> list[NDArray[np.int32]]:
        """`encode_line` of each of `lines`, in less time where `inner` reads many texts together.

        Raises:
            UnknownSymbolError: as `encode_line`; the message names the line, counted from 1.
        """
        together = getattr(self.inner, "encode_texts", None)
        if together is not None:
            try:
                start, end = (np.array([id], np.int32) for id in (self.start, self.end))
                return [np.concatenate([start, ids, end]) for ids in together(lines)]
            except UnknownSymbolError:
                pass  # which line it is in is found one by one
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(self.encode_line(line))
            except UnknownSymbolError as error:
                raise UnknownSymbolError(f"line {number:,}: {error}") from error
        return found

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids` [n].

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        return decode_whole(self.stream(), checked_ids(ids, size=self.vocabulary_size))

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time."""
        return _LineDecoder(self.inner.stream(), start=self.start, end=self.end)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer."""
        return {"kind": self.kind, "inner": self.inner.to_json()}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields = json_fields(tree, ("kind", "inner"), what="a tokenizer of lines")
        inner = fields["inner"]
        if fields["kind"] != cls.kind or (isinstance(inner, dict) and inner.get("kind") == cls.kind):
            raise InputError(f"a tokenizer of lines in JSON has the kind {cls.kind!r}, and one of another kind in it")
        return cls(tokenizer_from_json(inner))

    @cached_property
    def _names(self) -> Vocabulary:
        inner = self.inner.vocabulary
        start, end = (unlike(name, inner) for name in ("<start>", "<end>"))
        return Vocabulary(ranked=(*inner.ranked, start, end), specials=inner.specials)


TOKENIZERS[LineTokenizer.kind] = LineTokenizer


class _LineDecoder:
    """The stream decoder of lines, by that of what stands in them."""

    def __init__(self, inner: StreamDecoder, *, start: int, end: int) -> None:
        self._inner, self._start, self._end = inner, start, end

    def push(self, ids: ArrayLike) -> str:
        """As `StreamDecoder.push`."""
        array = checked_ids(ids, size=self._end + 1)
        array = array[array != self._start]
        texts, begin = [], 0
        for at in np.flatnonzero(array == self._end):
            texts += [self._inner.push(array[begin:at]), self._inner.flush(), "\n"]
            begin = at + 1
        return "".join([*texts, self._inner.push(array[begin:])])

    def flush(self) -> str:
        """As `StreamDecoder.flush`."""
        return self._inner.flush()
