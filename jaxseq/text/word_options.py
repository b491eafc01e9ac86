"""How a `WordTokenizer` reads words and lays out its ids."""

import reprlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal, Self, get_args

from jaxseq.errors import InputError
from jaxseq.text.splitters import FILTERS, SPLITTERS, Splitter, filtering
from jaxseq.text.vocab import json_fields

_MOST_BUCKETS = 2**24
UnknownWords = Literal["unk", "buckets", "drop", "error"]


@dataclass(frozen=True)
class WordOptions:
    """All that decides which ids a text has, but for the words and the normalisers.

    The ids are, in this order: 0 for padding, where there is `padding`; one for all unknown words, where `unknown` is
    "unk"; one for each word; one for each bucket.

    Raises:
        InputError: a value is impossible, alone or beside the others.
    """

    splitter: str = "filters"
    """A name in `jaxseq.text.splitters.SPLITTERS`."""
    filters: str = FILTERS
    """Characters that `split` is put in place of (splitter "filters")."""
    split: str = " "
    """What words stand between (splitter "filters"): 1 character or more."""
    max_words: int | None = None
    """Keep at most this many words, the most frequent ones; None keeps all."""
    min_count: int = 1
    """Leave out words that occur fewer times in the training text."""
    padding: bool = True
    """Keep id 0 for whoever pads: no text has it."""
    unknown: UnknownWords = "unk"
    """What becomes of other words: one id for all, one of `buckets` ids by a hash, nothing, or an error."""
    buckets: int = 0
    """How many ids the words that are not known share (unknown "buckets")."""
    unknown_text: str = "\N{REPLACEMENT CHARACTER}"
    """What the id of an unknown word is decoded to."""

    def __post_init__(self) -> None:
        for field in fields(self):
            kinds = (int, type(None)) if field.name == "max_words" else (type(field.default),)
            if type(getattr(self, field.name)) not in kinds:
                raise self._refusal(field.name, f"it must be of the type {kinds[0].__name__}")
        if self.splitter not in SPLITTERS:
            raise self._refusal("splitter", f"choose among {', '.join(SPLITTERS)}")
        if self.unknown not in get_args(UnknownWords):
            raise self._refusal("unknown", f"choose among {', '.join(get_args(UnknownWords))}")
        if not self.split:
            raise self._refusal("split", "it must have 1 character or more")
        if self.min_count < 1:
            raise self._refusal("min_count", "it must be 1 or more")
        if self.max_words is not None and self.max_words < 0:
            raise self._refusal("max_words", "it must be 0 or more, or None for all")
        if self.buckets > _MOST_BUCKETS:
            raise self._refusal("buckets", f"it must be {_MOST_BUCKETS:,} or less")
        if (self.buckets > 0) != (self.unknown == "buckets") or self.buckets < 0:
            raise self._refusal("buckets", "it must be 1 or more with unknown 'buckets', and 0 otherwise")
        if self.unknown == "error" and (self.max_words is not None or self.min_count > 1):
            raise self._refusal("unknown", "words are left out (max_words, min_count), give them 'unk' or 'buckets'")

    def _refusal(self, name: str, remedy: str) -> InputError:
        return InputError(f"{name} of a word tokenizer is {reprlib.repr(getattr(self, name))}: {remedy}")

    @cached_property
    def how(self) -> Splitter:
        """The splitter that these options name."""
        return filtering(self.filters, self.split) if self.splitter == "filters" else SPLITTERS[self.splitter]

    @property
    def reserved(self) -> int:
        """The ids before that of the first word."""
        return int(self.padding) + (self.unknown == "unk")

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes equal options."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        names = [field.name for field in fields(cls)]
        return cls(**json_fields(tree, names, what="the options of a word tokenizer"))
