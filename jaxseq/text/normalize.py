"""Normalisers: pure functions from text to text, named in a configuration and applied before a tokenizer reads."""

import re
import reprlib
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.text.codepoints import code_points, text_of

Normalizer = Callable[[str], str]

MOST_NORMALIZERS = 16
"""That can be named, to be applied one after another."""

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LONG = 1024  # characters from which arrays are faster
_PLANES_WITH_LETTERS = 0x40000


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


def breaks_to_spaces(text: str) -> str:
    """A space for each HTML tag that breaks a line, such as "<br />" in film reviews.

    >>> breaks_to_spaces("The end.<br /><br />Or not?")
    'The end.  Or not?'
    """
    return _BREAK.sub(" ", text) if "<" in text else text


def letters_only(text: str) -> str:
    """A space for each character but letters, as `str.isalpha` has them, and "'"; one for each "<br />".

    Marks are no letters: where accents or conjoining jamo stand apart, put `nfc` before it.

    >>> letters_only("It's 'Alien 3',<br />isn't it?")
    "It's 'Alien  '  isn't it "
    """
    text = breaks_to_spaces(text)
    if text.isascii() or len(text) < _LONG:
        return text.translate(_KEPT)
    codes = code_points(text).copy()
    codes[~np.take(_letters(), codes, mode="clip")] = ord(" ")
    return text_of(codes)


def spaced_punctuation(text: str) -> str:
    """Letters of ASCII, and "?", ".", "!", ",", "¿" with a space on both sides; a space for each other character.

    >>> spaced_punctuation("Hear me, speak!")
    'Hear me ,  speak ! '
    """
    return text.translate(_SPACED)


class _Spaced(dict[int, str]):
    """What `str.translate` puts for each code point in `spaced_punctuation`."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = character if character.isascii() and character.isalpha() else " "
        self[code] = f" {character} " if character in "?.!,¿" else kept
        return self[code]


_SPACED = _Spaced()


class _Kept(dict[int, str]):
    """What `str.translate` puts for each code point in `letters_only`."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = character if character.isalpha() or character == "'" else " "
        return self[code]


_KEPT = _Kept()


@cache
def _letters() -> NDArray[np.bool_]:
    """Whether each code point is kept; the last entry is for all beyond."""
    kept = [chr(code).isalpha() for code in range(_PLANES_WITH_LETTERS)]
    kept[ord("'")] = True
    return np.array([*kept, False])


NORMALIZERS: dict[str, Normalizer] = {
    function.__name__: function
    for function in (
        *(lowercase, nfc, nfkc, unix_newlines, collapse_whitespace, breaks_to_spaces),
        *(letters_only, spaced_punctuation),
    )
}
"""By the names that configurations use."""

_LOSSES: dict[str, tuple[str, ...]] = {
    "lowercase": ("case",),
    "nfc": ("Unicode form",),
    "nfkc": ("Unicode form", "compatibility forms"),
    "unix_newlines": ("line ends",),
    "collapse_whitespace": ("white space",),
    "breaks_to_spaces": ("line breaks of HTML",),
    "letters_only": ("line breaks of HTML", "punctuation", "digits", "marks", "white space"),
    "spaced_punctuation": ("punctuation", "digits", "marks", "letters beyond ASCII", "white space"),
}


def losses(names: Sequence[str]) -> tuple[str, ...]:
    """What texts lose by the `NORMALIZERS` with these names, see `jaxseq.text.tokenizers.Tokenizer.loses`.

    >>> losses(("lowercase", "unix_newlines"))
    ('case', 'line ends')
    """
    return tuple(dict.fromkeys(loss for name in names for loss in _LOSSES.get(name, ())))


def compose(*functions: Normalizer) -> Normalizer:
    """One normaliser that applies `functions` from the first to the last; of none, the identity.

    >>> compose(unix_newlines, lowercase)("Speak,\\r\\nSPEAK.")
    'speak,\\nspeak.'
    """
    if len(functions) == 1:
        return functions[0]
    return lambda text: reduce(lambda value, function: function(value), functions, text)


def normalizer(names: Sequence[str]) -> Normalizer:
    """The composition of the `NORMALIZERS` with these names.

    Raises:
        InputError: there is no normaliser of that name; there are more than 16; or "collapse_whitespace" comes after
            one that makes spaces, which it would join across the places where a long text is read in parts.
    """
    if len(names) > MOST_NORMALIZERS:
        raise InputError(
            f"there are {len(names)} normalisers: name {MOST_NORMALIZERS} at most, to be applied one after another"
        )
    for name in names:
        if name not in NORMALIZERS:
            raise InputError(f"there is no normaliser {reprlib.repr(name)}: choose among {', '.join(NORMALIZERS)}")
    for name in ("letters_only", "spaced_punctuation"):
        if name in names and "collapse_whitespace" in names[names.index(name) :]:
            raise InputError(f"normaliser collapse_whitespace comes after {name}: leave it out, or put it before")
    return compose(*(NORMALIZERS[name] for name in names))
