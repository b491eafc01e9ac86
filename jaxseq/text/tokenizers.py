"""What a tokenizer is, those there are by the names configurations use, and how one is read back from JSON.

A tokenizer is frozen and pure. `decode(encode(text)) == normalize(text)` whenever its vocabulary holds every symbol of
the text, and `normalize(text)` is `text` but for what the tokenizer `loses`. A class that does what `Tokenizer` says
joins the others by an entry in `TOKENIZERS`.
"""

import json
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError
from jaxseq.text.byte_pairs import BytePairTokenizer
from jaxseq.text.characters import CharTokenizer
from jaxseq.text.jamo import JamoTokenizer
from jaxseq.text.morpheme_tokenizer import MorphemeTokenizer
from jaxseq.text.sentencepieces import SentencePieceTokenizer
from jaxseq.text.streaming import StreamDecoder
from jaxseq.text.unigrams import UnigramTokenizer
from jaxseq.text.utf8 import ByteTokenizer
from jaxseq.text.vocab import Vocabulary
from jaxseq.text.wordpieces import WordPieceTokenizer
from jaxseq.text.words import WordTokenizer


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
        """A name for each id, for people to read."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """The number of ids, from 0 on: the rows of a table of embeddings, the size of a model's output."""
        ...

    @property
    def loses(self) -> tuple[str, ...]:
        """What `decode(encode(text))` may lack of `text`; empty where it is `text` to the letter.

        Names are those of `jaxseq.text.normalize.losses`, "quotation marks", which become others, and for symbols that
        come back as the same sign all of them "unknown symbols" or "unknown words".
        "morphemes joined": words are made of their morphemes by rules, which may make others than were written.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for two tokenizers only when they give every text the same ids: what a checkpoint remembers."""
        ...

    def normalize(self, text: str) -> str:
        """`text` as `encode` reads it; where words are read, these alone, put together again."""
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


TOKENIZERS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "jamo": JamoTokenizer,
    "byte": ByteTokenizer,
    "word": WordTokenizer,
    "bpe": BytePairTokenizer,
    "wordpiece": WordPieceTokenizer,
    "unigram": UnigramTokenizer,
    "sentencepiece": SentencePieceTokenizer,
    "morpheme": MorphemeTokenizer,
}
"""By kind; that of lines, which holds one of these, enters itself (`jaxseq.text.lined`)."""


def encode_each(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterable[NDArray[np.int32]]:
    """The ids of each text, in less time where the tokenizer reads many together.

    Raises:
        UnknownSymbolError: as its `encode`.
    """
    together = getattr(tokenizer, "encode_texts", None)
    return map(tokenizer.encode, texts) if together is None else together(texts)


def tokenizer_from_json(tree: object) -> Tokenizer:
    """The tokenizer, of whatever kind, whose `to_json` is `tree`.

    Raises:
        InputError: `tree` is not what the `to_json` of one of `TOKENIZERS` writes.
    """
    kind = tree.get("kind") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise InputError(
            f"a tokenizer in JSON must have a 'kind' among {', '.join(TOKENIZERS)}, not {reprlib.repr(kind)}"
        )
    return TOKENIZERS[kind].from_json(tree)


def tokenizer_from_text(text: str | bytes) -> Tokenizer:
    """The tokenizer in a tokenizer.json, whoever wrote it.

    Raises:
        InputError: the file is no JSON in UTF-8, holds no tokenizer or one without symbols, or has a symbol that no
            text in UTF-8 has.
    """
    tree = _tree_of(text)
    tokenizer = tokenizer_from_json(tree)
    if len(tokenizer.vocabulary) == len(tokenizer.vocabulary.specials):
        raise InputError(f"the vocabulary of a {tokenizer.kind} tokenizer holds no symbol of a text")
    try:
        json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(f"{half!r} in a tokenizer is half of a surrogate pair, which no text in UTF-8 has") from error
    return tokenizer


def _tree_of(text: str | bytes) -> object:
    """JSON with each name once and nothing that is none; InputError where it is something else."""
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_name_twice)
    except RecursionError as error:
        raise InputError("a tokenizer in JSON is an object of a few lists, not one nested so deeply") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"a tokenizer in JSON is UTF-8, this is not at offset {error.start} ({error.reason})"
        ) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"this is no JSON ({error})") from error


def _no_constant(name: str) -> None:
    raise InputError(f"{name} is no JSON")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise InputError("a tokenizer in JSON has a field twice")
    return fields
