"""Hangul syllables taken apart into compatibility jamo, and put together again, over whole texts at once.

A syllable becomes its initial, its vowel, its final if it has one, and a mark; a jamo that stands alone in the text, as
in "ㅋㅋㅋ", becomes itself and a mark; everything else stays as it is:

>>> decompose("값이 ㅋ!")
'ㄱㅏㅄᴥㅇㅣᴥ ㅋᴥ!'
>>> compose("ㄱㅏㅄᴥㅇㅣᴥ ㅋᴥ!")
'값이 ㅋ!'

So every mark belongs to the jamo right before it, and a mark with no jamo before it is one that the text itself holds.
That makes decomposition lossless for every text: `compose(decompose(text)) == text`.

The other way, `compose` puts together what ends in a mark and leaves the rest: jamo without their mark, marks without
jamo, vowels without an initial. It never raises.

`decompose(text)` equals `hgtk.text.decompose(text, latin_filter=False)` of the hgtk package for every text (its default
drops all that is neither Hangul nor Latin-1). `compose` equals `hgtk.text.compose` on decompositions of texts without
the mark. Elsewhere hgtk loses characters (marks of the text itself, and what is unfinished at the end), and it puts
jamo together that lack their mark. Archaic jamo and the conjoining ones of Unicode's form NFD are plain characters to
both; `jaxseq.text.normalize.nfc` makes syllables of the latter.
"""

import reprlib
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.text.codepoints import CHUNK, code_points, text_of

MARK = "ᴥ"
"""Ends the jamo of a syllable; the one hgtk uses."""

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

_JAMO = range(0x3131, 0x3164)
_SYLLABLES = range(0xAC00, 0xD7A4)
_ABSENT = 0xFFFFFFFF  # no code point: an empty place in a row of the table of expansions
_SHORT = 400  # characters up to which a dict is faster than some twenty calls of NumPy
_INITIAL, _VOWEL, _FINAL, _MARK = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)


def decompose(text: str, mark: str = MARK) -> str:
    """`text` with its syllables as compatibility jamo, each followed by `mark`.

    Raises:
        InputError: `mark` is not one character, or is Hangul itself.
    """
    point = mark_point(mark)
    if len(text) <= _SHORT:
        return text.translate(_expanded_texts(point))
    pieces = (code_points(text[start : start + CHUNK]) for start in range(0, len(text), CHUNK))
    return "".join(text_of(decompose_code_points(codes, mark=point)) for codes in pieces)


def compose(text: str, mark: str = MARK) -> str:
    """`text` with the jamo that end in `mark` put together; what cannot be composed stays as it is.

    Raises:
        InputError: `mark` is not one character, or is Hangul itself.
    """
    point = mark_point(mark)
    if len(text) <= _SHORT:
        return _compose_short(text, mark)
    pieces: list[str] = []
    start = 0
    while start < len(text):
        codes = code_points(text[start : start + CHUNK])
        if start + len(codes) < len(text):
            codes = codes[: len(codes) - open_code_points(codes)]
        pieces.append(text_of(compose_code_points(codes, mark=point)))
        start += len(codes)
    return "".join(pieces)


def mark_point(mark: str) -> int:
    """The code point of a syllable mark.

    Raises:
        InputError: `mark` is not one character, or is Hangul itself.
    """
    if not isinstance(mark, str) or len(mark) != 1 or ord(mark) in _JAMO or ord(mark) in _SYLLABLES:
        raise InputError(f"syllable mark {reprlib.repr(mark)} must be one character that is no Hangul: use {MARK!r}")
    return ord(mark)


def decompose_code_points(codes: NDArray[np.uint32], *, mark: int) -> NDArray[np.uint32]:
    """`decompose` on code points [n]; returns code points [m], m >= n."""
    table = _expansions(mark)
    rows = np.take(table, codes, axis=0, mode="clip")  # [n, 4]
    beyond = np.flatnonzero(codes >= len(table))
    rows[beyond] = _ABSENT
    rows[beyond, 0] = codes[beyond]
    return np.compress(rows.reshape(-1) != _ABSENT, rows)


def compose_code_points(codes: NDArray[np.uint32], *, mark: int) -> NDArray[np.uint32]:
    """`compose` on code points [n]; returns code points [m], m <= n."""
    n = len(codes)
    roles, shares = _compositions(mark)
    role = np.zeros(n + 3, np.uint8)  # three places without a role follow the last code point
    np.take(roles, codes, mode="clip", out=role[:n])
    initial, vowel, final, ends = ((role & bit) != 0 for bit in (_INITIAL, _VOWEL, _FINAL, _MARK))
    jamo = initial | vowel | final
    begins = initial[:n] & vowel[1 : n + 1] & (ends[2 : n + 2] | (final[2 : n + 2] & ends[3:]))
    dropped = np.zeros(n + 2, bool)
    dropped[1 : n + 1] = begins | (jamo[:n] & ends[1 : n + 1])
    dropped[2:] |= begins
    at = np.flatnonzero(begins)
    composed = codes.copy()
    composed[at] = sum(np.take(share, codes[at + place]) for place, share in enumerate(shares))
    return np.compress(~dropped[:n], composed)


def open_code_points(codes: NDArray[np.uint32]) -> int:
    """How many of the last code points, 0 to 3, a mark that came next would put together or be dropped for."""
    last = text_of(codes[-3:])
    units = (last[-length:] for length in (3, 2, 1))
    return next((len(unit) for unit in units if unit in _composed_units()), 0)


def _compose_short(text: str, mark: str) -> str:
    whole = _composed_units().get
    *ended, rest = text.split(mark)
    return "".join([*[whole(part) or _compose_end(part, mark) for part in ended], rest])


def _compose_end(part: str, mark: str) -> str:
    """`part`, after which `mark` stands, with its last jamo put together."""
    units = _composed_units()
    for length in (3, 2, 1):
        if part[-length:] in units:
            return part[:-length] + units[part[-length:]]
    return part + mark


@lru_cache(maxsize=4)
def _expansions(mark: int) -> NDArray[np.uint32]:
    """What each code point up to the last syllable becomes [55204, 4]; places it does not need are `_ABSENT`."""
    table = np.full((_SYLLABLES.stop, 4), _ABSENT, np.uint32)
    table[:, 0] = np.arange(len(table))
    table[_JAMO.start : _JAMO.stop, 1] = mark
    rest, final = np.divmod(np.arange(len(_SYLLABLES)), len(FINALS) + 1)
    initial, vowel = np.divmod(rest, len(VOWELS))
    syllables = table[_SYLLABLES.start :]
    syllables[:, 0] = code_points(INITIALS)[initial]
    syllables[:, 1] = code_points(VOWELS)[vowel]
    syllables[:, 2] = np.append(np.uint32(mark), code_points(FINALS))[final]
    syllables[final > 0, 3] = mark
    table.flags.writeable = False
    return table


@lru_cache(maxsize=4)
def _compositions(mark: int) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """The roles of each code point [v], as bits, and what it adds to a syllable's code point in each place [3, v].

    The sum is the Unicode standard's (section 3.12). The last of the v entries is for all code points beyond.
    """
    size = max(_JAMO.stop, mark + 1) + 1
    roles, shares = np.zeros(size, np.uint8), np.zeros((3, size), np.uint32)
    finals = len(FINALS) + 1
    places = (
        (INITIALS, _INITIAL, _SYLLABLES.start, len(VOWELS) * finals),
        (VOWELS, _VOWEL, 0, finals),
        (FINALS, _FINAL, 1, 1),
    )
    for share, (jamo, bit, first, step) in zip(shares, places, strict=True):
        codes = code_points(jamo)
        roles[codes] |= bit
        share[codes] = first + step * np.arange(len(jamo))
    roles[mark] = _MARK
    return roles, shares


@cache
def _composed_units() -> dict[str, str]:
    """Each syllable, and each jamo that stands alone, by its jamo without the mark."""
    characters = "".join(map(chr, (*_JAMO, *_SYLLABLES)))
    units = text_of(decompose_code_points(code_points(characters), mark=ord(MARK))).split(MARK)
    return dict(zip(units[:-1], characters, strict=True))


@lru_cache(maxsize=4)
def _expanded_texts(mark: int) -> dict[int, str]:
    return {ord(character): unit + chr(mark) for unit, character in _composed_units().items()}
