"""The tokenizers of the two sides of pairs: what a model reads and what it writes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.vocab import fingerprint_of, json_fields

MakeTokenizer = Callable[[Iterable[str]], Tokenizer]
"""A tokenizer for some texts."""


@dataclass(frozen=True)
class PairTokenizers:
    """Source and target as ids: a source from its first token to its end, a target from its start to its end.

    Start and end are those of `LineTokenizer`, behind all other ids. A source has no start; with one tokenizer for both
    sides the two have the same ids.

    >>> from jaxseq.text import WordTokenizer
    >>> tokenizers = PairTokenizers.train(["ich bin"], ["i am"], WordTokenizer.train, WordTokenizer.train)
    >>> tokenizers.encode_source("ich bin").tolist(), tokenizers.encode_target("i am").tolist()
    ([2, 3, 5], [4, 2, 3, 5])
    >>> tokenizers.decode([2, 3, 5, 2])
    'i am'
    """

    source: LineTokenizer
    target: LineTokenizer
    reverse_source: bool = False
    """Sources are read from their last token to the first, and then their end."""

    @classmethod
    def train(
        cls,
        sources: Sequence[str],
        targets: Sequence[str],
        make_source: MakeTokenizer,
        make_target: MakeTokenizer | None,
        *,
        reverse_source: bool = False,
    ) -> Self:
        """Tokenizers for pairs like these.

        Args:
            make_target: None makes one tokenizer for both sides, of the sources and the targets.

        Raises:
            InputError: as those that make them.
        """
        if make_target is None:
            source = target = LineTokenizer(make_source([*sources, *targets]))
        else:
            source, target = LineTokenizer(make_source(sources)), LineTokenizer(make_target(targets))
        return cls(source, target, reverse_source)

    @property
    def joint(self) -> bool:
        """Whether both sides have the same ids, so that they can share embeddings."""
        return self.source is self.target

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two share only when they give every text of a side the same ids."""
        return fingerprint_of(self.to_json())

    def encode_source(self, text: str) -> NDArray[np.int32]:
        """The ids [s] of a source, its end included.

        Raises:
            UnknownSymbolError: it has a symbol without id.
        """
        return self._turned(self.source.encode_line(text))

    def encode_sources(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """`encode_source` of each text, in less time where they can be read together.

        Raises:
            UnknownSymbolError: as there; the message names the source, counted from 1.
        """
        return [self._turned(ids) for ids in _told("source", self.source, texts)]

    def encode_target(self, text: str) -> NDArray[np.int32]:
        """The ids [t+1] of a target, from its start to its end.

        Raises:
            UnknownSymbolError: it has a symbol without id.
        """
        return self.target.encode_line(text)

    def encode_targets(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """`encode_target` of each text, in less time where they can be read together.

        Raises:
            UnknownSymbolError: as there; the message names the target, counted from 1.
        """
        return _told("target", self.target, texts)

    def decode(self, ids: ArrayLike) -> str:
        """The text of target ids [n] as far as the first end; a start, which has no text, may stand before it.

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        array = np.asarray(ids)
        ends = np.flatnonzero(array == self.target.end)
        return self.target.decode(array[: ends[0]] if len(ends) else array)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes equal ones."""
        target = None if self.joint else self.target.to_json()
        return {"source": self.source.to_json(), "target": target, "reverse_source": self.reverse_source}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields = json_fields(tree, ("source", "target", "reverse_source"), what="the tokenizers of pairs")
        if not isinstance(fields["reverse_source"], bool):
            raise InputError("reverse_source of the tokenizers of pairs must be true or false")
        source = LineTokenizer.from_json(fields["source"])
        target = source if fields["target"] is None else LineTokenizer.from_json(fields["target"])
        return cls(source, target, fields["reverse_source"])

    def _turned(self, line: NDArray[np.int32]) -> NDArray[np.int32]:
        """The ids of a source from those of a line: without its start, and in the order that they are read in."""
        return np.append(line[-2:0:-1], line[-1]) if self.reverse_source else line[1:]


def _told(side: str, tokenizer: LineTokenizer, texts: Sequence[str]) -> list[NDArray[np.int32]]:
    try:
        return tokenizer.encode_lines(texts)
    except UnknownSymbolError as error:
        raise UnknownSymbolError(str(error).replace("line", side, 1)) from error
