"""The symbols a model knows and their ids."""

import hashlib
import json
import reprlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from jaxseq.errors import InputError, UnknownSymbolError

UNKNOWN = "<unk>"
"""The special that stands for every symbol a vocabulary lacks."""


@dataclass(frozen=True)
class Vocabulary:
    """Symbols with the ids 0, 1, 2 ...: the specials in the order given, then `ranked`, the most frequent first.

    Raises:
        InputError: a symbol is no text, is empty, or occurs twice.
    """

    ranked: tuple[str, ...]
    specials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for index, symbol in enumerate(self.symbols):
            if not isinstance(symbol, str) or not symbol:
                raise InputError(
                    f"symbol {reprlib.repr(symbol)} at id {index} of a vocabulary must be a text of 1 character or more"
                )
            if symbol in seen:
                raise InputError(
                    f"symbol {reprlib.repr(symbol)} at id {index} of a vocabulary occurs before: keep one of the two"
                )
            seen.add(symbol)

    @classmethod
    def build(
        cls,
        counts_or_symbols: Mapping[str, int] | Iterable[str],
        *,
        specials: Sequence[str] = (),
        min_count: int = 1,
        max_size: int | None = None,
        ties: Literal["code point", "first"] = "code point",
    ) -> Self:
        """The vocabulary of a corpus, given as the count of each symbol or as the symbols themselves in any order.

        A symbol that is also a special keeps the special's id.

        Args:
            specials: symbols that have no count and take the first ids.
            min_count: leave out symbols that occur fewer times than this.
            max_size: keep at most this many symbols, specials included.
            ties: of symbols that are equally frequent, the one with the lower code points comes first, whatever the
                order of the corpus; or the one that comes first in what was given.
        """
        if max_size is not None and max_size < len(specials):
            raise ValueError(f"max_size {max_size} leaves no room for {len(specials)} specials")
        counts = counts_or_symbols if isinstance(counts_or_symbols, Mapping) else Counter(counts_or_symbols)
        frequent = [symbol for symbol, count in counts.items() if count >= min_count and symbol not in specials]
        if ties == "code point":
            frequent.sort()
        frequent.sort(key=counts.__getitem__, reverse=True)  # which leaves equals in their order
        room = None if max_size is None else max_size - len(specials)
        return cls(ranked=tuple(frequent[:room]), specials=tuple(specials))

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """All symbols; the position is the id."""
        return (*self.specials, *self.ranked)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    def id_of(self, symbol: str) -> int:
        """The id of `symbol`.

        Raises:
            UnknownSymbolError: the vocabulary lacks it.
        """
        if symbol not in self._ids:
            raise UnknownSymbolError(
                f"symbol {symbol!r} is not among the vocabulary's {len(self)} symbols: choose one of them"
            )
        return self._ids[symbol]

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two vocabularies share only when every id means the same in both."""
        return fingerprint_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal vocabulary."""
        return {"specials": list(self.specials), "symbols": list(self.ranked)}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields = json_fields(tree, ("specials", "symbols"), what="a vocabulary")
        return cls(
            ranked=json_texts(fields["symbols"], where="a vocabulary's symbols"),
            specials=json_texts(fields["specials"], where="a vocabulary's specials"),
        )


def unlike(name: str, symbols: Container[str]) -> str:
    """`name`, in as many brackets more as make it none of the symbols."""
    while name in symbols:
        name = f"<{name}>"
    return name


def fingerprint_of(tree: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a JSON tree, in whatever order its keys stand."""
    canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]


def json_fields(tree: object, names: Sequence[str], *, what: str) -> dict[str, Any]:
    """`tree`, which must be a dict with the fields `names` and no others.

    Raises:
        InputError: it is not; the message names the fields that are missing or strange.
    """
    if not isinstance(tree, dict):
        raise InputError(f"{what} in JSON must be an object with {', '.join(names)}, not {type(tree).__name__}")
    missing = [f"lacks {name!r}" for name in names if name not in tree]
    strange = [f"has a strange field {reprlib.repr(name)}" for name in tree if name not in names][:3]
    if missing or strange:
        raise InputError(f"{what} in JSON {', '.join(missing + strange)}: it must have {', '.join(names)}")
    return tree


def json_texts(value: object, *, where: str) -> tuple[str, ...]:
    """`value`, which must be a list of texts, as a tuple.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{where} in JSON must be a list of texts, not {reprlib.repr(value)}")
    return tuple(value)


def json_integers(value: object, *, where: str) -> tuple[int, ...]:
    """`value`, which must be a list of integers, as a tuple.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise InputError(f"{where} in JSON must be a list of integers, not {reprlib.repr(value)}")
    return tuple(value)
