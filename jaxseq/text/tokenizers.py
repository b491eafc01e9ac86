"""What a tokenizer is, those there are by the names configurations use, and how one is read back from JSON.

A tokenizer is frozen and pure. `decode(encode(text)) == normalize(text)` whenever its vocabulary holds every symbol of
the text. A class that does what `Tokenizer` says joins the others by an entry in `TOKENIZERS`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text.characters import CharTokenizer
from jaxseq.text.jamo import JamoTokenizer
from jaxseq.text.streaming import StreamDecoder
from jaxseq.text.utf8 import ByteTokenizer
from jaxseq.text.vocab import Vocabulary


class Tokenizer(Protocol):
    """Text to ids and back."""

    kind: ClassVar[str]
    """The name in `TOKENIZERS`, in configurations and in JSON."""

    @classmethod
    def train(cls, text: str | Iterable[str], *, normalize: Sequence[str] = ()) -> Self:
        """A new tokenizer for texts like `text`: one text, or several that are read one at a time.

        Args:
            normalize: names of `jaxseq.text.normalize.NORMALIZERS`, applied in this order to all the tokenizer reads.
        """
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbol of each id, for people to read; its length is the size of a model's output."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for two tokenizers only when they give every text the same ids: what a checkpoint remembers."""
        ...

    def normalize(self, text: str) -> str:
        """`text` as `encode` reads it."""
        ...

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [n] of `text`, which it normalises first.

        Raises:
            UnknownSymbolError: there is no id for some part of it; the message names that and its offset.
        """
        ...

    def decode(self, ids: ArrayLike) -> str:
        """The text of any `ids` [n] of the vocabulary, also of sequences that no text has, as untrained models emit."""
        ...

    def stream(self) -> StreamDecoder:
        """A new decoder for ids that come a few at a time."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict whose "kind" is `kind`, and from which `from_json` makes an equal tokenizer."""
        ...

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        ...


TOKENIZERS: dict[str, type[Tokenizer]] = {"char": CharTokenizer, "jamo": JamoTokenizer, "byte": ByteTokenizer}
"""By kind."""


def tokenizer_from_json(tree: object) -> Tokenizer:
    """The tokenizer, of whatever kind, whose `to_json` is `tree`.

    Raises:
        InputError: `tree` is not what the `to_json` of one of `TOKENIZERS` writes.
    """
    kind = tree.get("kind") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise InputError(f"a tokenizer in JSON must have a 'kind' among {', '.join(TOKENIZERS)}, not {kind!r}")
    return TOKENIZERS[kind].from_json(tree)


def encode_all(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[NDArray[np.int32]]:
    """The ids [n] of each of `texts` in turn: reads one text at a time, for a corpus larger than memory.

    Raises:
        UnknownSymbolError: as `encode`; the message starts with the number of the text, from 0.
    """
    for number, text in enumerate(texts):
        try:
            ids = tokenizer.encode(text)
        except UnknownSymbolError as error:
            raise UnknownSymbolError(f"text {number}: {error}") from error
        yield ids
