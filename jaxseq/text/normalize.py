"""Normalisers: pure functions from text to text, named in a configuration and applied before a tokenizer reads."""

import reprlib
import unicodedata
from collections.abc import Callable, Sequence
from functools import reduce

from jaxseq.errors import InputError

Normalizer = Callable[[str], str]

_MOST = 16


def lowercase(text: str) -> str:
    """Lower case by the rules of Unicode, as `str.lower`."""
    return text.lower()


def nfc(text: str) -> str:
    """Unicode form C: letters and accents, and conjoining jamo, are joined where there is one character for them."""
    return unicodedata.normalize("NFC", text)


def nfkc(text: str) -> str:
    """Unicode form KC: like C, and compatibility forms (full width, ligatures) are made plain.

    It makes conjoining jamo of the compatibility jamo in Korean text, such as "ㅋㅋ": prefer `nfc` there.
    """
    return unicodedata.normalize("NFKC", text)


def unix_newlines(text: str) -> str:
    r"""Line ends as "\n": "\r\n" and "\r" are replaced."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def collapse_whitespace(text: str) -> str:
    r"""One space for each run of whitespace, line ends included, also at the ends of the text.

    >>> collapse_whitespace("to  be,\n or not ")
    'to be, or not '
    """
    words = " ".join(text.split())
    if not words:
        return " " if text else ""
    return " " * text[0].isspace() + words + " " * text[-1].isspace()


NORMALIZERS: dict[str, Normalizer] = {
    function.__name__: function for function in (lowercase, nfc, nfkc, unix_newlines, collapse_whitespace)
}
"""By the names that configurations use."""


def compose(*functions: Normalizer) -> Normalizer:
    """One normaliser that applies `functions` from the first to the last; of none, the identity.

    >>> compose(unix_newlines, lowercase)("Speak,\\r\\nSPEAK.")
    'speak,\\nspeak.'
    """
    return lambda text: reduce(lambda value, function: function(value), functions, text)


def normalizer(names: Sequence[str]) -> Normalizer:
    """The composition of the `NORMALIZERS` with these names.

    Raises:
        InputError: there is no normaliser of that name, or there are more than 16.
    """
    if len(names) > _MOST:
        raise InputError(f"there are {len(names)} normalisers: name {_MOST} at most, to be applied one after another")
    for name in names:
        if name not in NORMALIZERS:
            raise InputError(f"there is no normaliser {reprlib.repr(name)}: choose among {', '.join(NORMALIZERS)}")
    return compose(*(NORMALIZERS[name] for name in names))
