"""The tokenizer of masked language models: any tokenizer, with ids for what begins, separates and hides."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import InputError
from jaxseq.text.common import checked_ids
from jaxseq.text.tokenizers import Tokenizer, encode_each, tokenizer_from_json
from jaxseq.text.vocab import Vocabulary, fingerprint_of, json_fields, unlike

START, SEPARATOR, MASK = "[CLS]", "[SEP]", "[MASK]"
_SPACE_IS_A_TOKEN = ("char", "jamo", "byte")
"""Kinds whose tokens are single signs. Others lose white space, or have it at the front of a token."""


@dataclass(frozen=True)
class MaskedTokenizer:
    """Texts as ids, and behind the ids of `base` one each for [CLS], [SEP] and [MASK], which no text has.

    Args:
        base: any tokenizer.
        unknown_text: what stands in texts where a word was taken out of them, as "<unk>" in WikiText: it is read as an
            unknown word. Empty where texts are whole.

    Raises:
        InputError: `unknown_text` holds "[MASK]", or has white space around it.

    >>> from jaxseq.text import WordTokenizer, WordOptions
    >>> words = WordTokenizer.train(["a dog barks"], options=WordOptions(padding=True))
    >>> tokenizer = MaskedTokenizer(words, unknown_text="<unk>")
    >>> tokenizer.decode(tokenizer.encode_hidden("a [MASK] barks at a <unk>"))
    'a [MASK] barks <unk> a <unk>'
    """

    base: Tokenizer
    unknown_text: str = ""

    def __post_init__(self) -> None:
        text = self.unknown_text
        if not isinstance(text, str) or MASK in text or text != text.strip():
            raise InputError(f"what stands for an unknown word is {text!r}: give a word, other than {MASK}")

    @property
    def start(self) -> int:
        """The id of [CLS]."""
        return self.base.vocabulary_size

    @property
    def separator(self) -> int:
        """The id of [SEP]."""
        return self.base.vocabulary_size + 1

    @property
    def mask(self) -> int:
        """The id of [MASK]."""
        return self.base.vocabulary_size + 2

    @property
    def unknown(self) -> int | None:
        """The id of all that is unknown: that of `base`, or where it knows every text one behind [MASK], as soon as
        `unknown_text` is given; None where nothing can be unknown."""
        if (known := self._unknown_of_base) is not None:
            return known
        return self.base.vocabulary_size + 3 if self.unknown_text else None

    @property
    def vocabulary_size(self) -> int:
        """The number of ids."""
        return self.base.vocabulary_size + 3 + self._has_own_unknown

    @property
    def specials(self) -> tuple[int, ...]:
        """Ids that are never hidden, never stand in for another and are never predicted: those that stand for no text,
        padding among them, the unknown word, and the three of this class; ascending."""
        named = range(len(self.base.vocabulary.specials))
        silent = getattr(self.base, "silent_ids", ())
        unknown = () if self.unknown is None else (self.unknown,)
        return tuple(sorted({*named, *silent, *unknown, self.start, self.separator, self.mask}))

    @property
    def vocabulary(self) -> Vocabulary:
        """A name for every id, for people to read."""
        base = self.base.vocabulary
        own = [START, SEPARATOR, MASK, *[self.unknown_text] * self._has_own_unknown]
        return Vocabulary(ranked=(*base.ranked, *(unlike(name, base) for name in own)), specials=base.specials)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that two share only when they give every text the same ids."""
        return fingerprint_of(self.to_json())

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids [t] of a text, in which "[MASK]" is text.

        Raises:
            UnknownSymbolError: as the `encode` of `base`.
        """
        return self.encode_each([text])[0]

    def encode_each(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each, in less time where `base` reads many together."""
        return self._encode(texts, self._unknown_mark)

    def encode_hidden(self, text: str) -> NDArray[np.int32]:
        """The ids [t] of a text, in which "[MASK]" is a hidden token; what stands around it is read by itself, without
        the space before it unless that is a token.

        Raises:
            UnknownSymbolError: as the `encode` of `base`.
        """
        return self._encode([text], {MASK: self.mask, **self._unknown_mark})[0]

    def decode(self, ids: ArrayLike) -> str:
        """The text of ids [n]: a hidden token is "[MASK]", an unknown one `unknown_text` where there is such, and [CLS]
        and [SEP] have none.

        Raises:
            ValueError: an id has no symbol, or there are more axes than one.
        """
        marks = {self.mask: MASK, **{token: text for text, token in self._unknown_mark.items()}}
        parts, held = [], []
        for token in checked_ids(ids, size=self.vocabulary_size).tolist():
            if token in marks:
                parts += [self.base.decode(np.array(held, np.int32)), marks[token]]
                held = []
            elif token not in (self.start, self.separator):
                held.append(token)
        parts.append(self.base.decode(np.array(held, np.int32)))
        if len(parts) == 1 or self._spaces_count:
            return "".join(parts)
        return " ".join(filter(None, map(str.strip, parts)))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal one."""
        more = {"unknown_text": self.unknown_text} if self.unknown_text else {}
        return {"base": self.base.to_json(), **more}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        more = ("unknown_text",) if isinstance(tree, dict) and "unknown_text" in tree else ()
        fields = json_fields(tree, ("base", *more), what="the tokenizer of a masked language model")
        return cls(tokenizer_from_json(fields["base"]), fields.get("unknown_text", ""))

    def _encode(self, texts: Iterable[str], marks: Mapping[str, int]) -> list[NDArray[np.int32]]:
        """The ids of each text, in which each of `marks` is one token."""
        if not marks:
            return list(encode_each(self.base, texts))
        pattern = re.compile(f"({'|'.join(map(re.escape, marks))})")
        cut = [pattern.split(text) for text in texts]  # texts and marks in turn
        parts = chain.from_iterable(map(self._parts, cut))
        encoded = iter(encode_each(self.base, parts))
        found = []
        for pieces in cut:
            ids = [next(encoded)]
            for mark in pieces[1::2]:
                ids += [np.array([marks[mark]], np.int32), next(encoded)]
            found.append(np.concatenate(ids).astype(np.int32))
        return found

    def _parts(self, pieces: list[str]) -> Iterable[str]:
        """What stands around marks. A space before a mark goes with it, as it goes with the word that stood there."""
        *before, last = pieces[::2]
        return [*(before if self._spaces_count else (text.removesuffix(" ") for text in before)), last]

    @property
    def _spaces_count(self) -> bool:
        return self.base.kind in _SPACE_IS_A_TOKEN

    @property
    def _unknown_mark(self) -> dict[str, int]:
        return {} if self.unknown is None or not self.unknown_text else {self.unknown_text: self.unknown}

    @property
    def _unknown_of_base(self) -> int | None:
        return getattr(self.base, "unknown_id", None)

    @property
    def _has_own_unknown(self) -> bool:
        return bool(self.unknown_text) and self._unknown_of_base is None
