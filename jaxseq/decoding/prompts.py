"""Texts that people give, as the tokenizer of a model can read them."""

import unicodedata
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.errors import UnknownSymbolError
from jaxseq.text.common import comes_back, unknown_symbols

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_MOST_NAMED = 5


class TextReader(Protocol):
    """What is asked of a tokenizer here."""

    @property
    def vocabulary(self) -> Any: ...

    def normalize(self, text: str) -> str: ...

    def encode(self, text: str) -> NDArray[np.int32]: ...

    def decode(self, ids: ArrayLike) -> str: ...


def readable(tokenizer: TextReader, text: str) -> str:
    """That of `text` and its Unicode forms C, D, KC and KD of which the vocabulary lacks the fewest symbols.

    The same letters come in several forms: a Mac gives "é" as "e" and an accent, "한" as three conjoining jamo. Of
    equally good forms the first is taken, so a text that can be read stays as it is.
    """
    if comes_back(tokenizer, text):
        return text
    forms = (text, *(unicodedata.normalize(form, text) for form in _FORMS))
    return min(forms, key=lambda form: len(unknown_symbols(tokenizer, form)))


def prompt_ids(tokenizer: TextReader, prompt: str) -> NDArray[np.int32]:
    """The ids [t] of a prompt, `readable`; of an empty one, that of a line's end, or else of the most frequent symbol.

    Raises:
        UnknownSymbolError: the prompt has a symbol that the vocabulary lacks, in every Unicode form.
    """
    text = readable(tokenizer, prompt)
    try:
        ids = tokenizer.encode(text)
    except UnknownSymbolError as error:
        parts = unicodedata.normalize("NFD", "".join(unknown_symbols(tokenizer, text)))
        apart = tokenizer.normalize("e\u0301") == "e\u0301" and any(map(_is_part, tokenizer.vocabulary.symbols))
        advice = "; or, as the training text has letters taken apart, train with --data.normalize nfc"
        helps = apart and any(map(_is_part, parts))
        raise UnknownSymbolError(f"the prompt cannot be read: {error}{advice if helps else ''}") from error
    return ids if len(ids) else _start_ids(tokenizer)


def prompt_remark(tokenizer: TextReader, prompt: str) -> str | None:
    """A line for a person where words of the prompt are read as unknown ones, or it is read in another Unicode form
    than it was given in; else None."""
    text = readable(tokenizer, prompt)
    if unknown := unknown_symbols(tokenizer, text):  # which there is an id for, or it could not be read
        more = f" and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
        return f"the vocabulary does not know {', '.join(map(_shown, unknown[:_MOST_NAMED]))}{more}: read as unknown"
    if text == prompt:
        return None
    form = next(form for form in _FORMS if unicodedata.normalize(form, prompt) == text)
    return (
        f"the prompt is read in Unicode's form {form}, as the vocabulary lacks symbols of the form it was given in: "
        "a model trained with --data.normalize nfc reads every form"
    )


def stop_remark(tokenizer: TextReader, stop: str) -> str | None:
    """A line for a person where a stop text can never match, as the vocabulary lacks a symbol of it; else None.

    Where the vocabulary has "<unk>", the U+FFFD that a sample shows for it can be matched, what it stands for cannot.
    """
    lacking = unknown_symbols(tokenizer, readable(tokenizer, stop))
    if not lacking:
        return None
    meant = [name for name in ("\\n", "\\t", "\\r") if name in stop]
    advice = f": if {meant[0]} was meant as one character, write --stop $'{meant[0]}'" if meant else ""
    return (
        f"--stop {_shown(stop)} can never match, as {_named(lacking[0])} is not among the "
        f"{len(tokenizer.vocabulary)} symbols of the vocabulary{advice}"
    )


def _is_part(symbol: str) -> bool:
    """Whether `symbol` is a mark or a conjoining jamo: what letters are taken apart into."""
    return len(symbol) == 1 and (unicodedata.combining(symbol) > 0 or "\u1100" <= symbol < "\u1200")


def _named(symbol: str) -> str:
    return f"{_shown(symbol)} (U+{ord(symbol):04X})" if len(symbol) == 1 else _shown(symbol)


def _shown(text: str) -> str:
    return f"'{text}'" if text.isprintable() else ascii(text)


def _start_ids(tokenizer: TextReader) -> NDArray[np.int32]:
    try:
        ids = tokenizer.encode("\n")
    except UnknownSymbolError:
        ids = np.zeros(0, np.int32)
    if len(ids) and tokenizer.decode(ids) == "\n":
        return ids
    return np.array([len(tokenizer.vocabulary.specials)], np.int32)
