"""Where a text may be cut so that its parts can be normalised one by one.

The law: `f(a) + f(b) == f(a + b)` for every cut of a text into `a` and `b` that is made here, for each f of
`jaxseq.text.normalize.NORMALIZERS` and for every composition that `normalizer` makes of them. So no cut separates

- two characters of white space, "\\r" and "\\n" among them;
- a character from one that Unicode's forms C and KC join to it or that changes places with it: combining marks,
  the conjoining jamo of a syllable, vowel signs, and what such forms make one of these of;
- the parts of a "<br />", which becomes a space, others within it included, nor white space from a "<";
- a capital sigma from the letters beside it, by which `str.lower` chooses between its two small ones, nor from
  characters that this choice looks past, as apostrophes.
"""

import unicodedata
from functools import cache, lru_cache

from jaxseq.text.normalize import MOST_NORMALIZERS


def last_cut(text: str) -> int:
    """The last place, from 1 to `len(text) - 1`, at which `text` may be cut; 0 where there is none.

    Before a line where there is one, else before a word, else anywhere.
    """
    for separator in ("\n", " "):
        at = text.rfind(separator, 0, -1)
        while at >= 0:
            if _begins_word(text[at + 1]) and not _may_be_in_break(text, at + 1):
                return at + 1
            at = text.rfind(separator, 0, at)
    within = range(len(text) - 1, 0, -1)
    return next((at for at in within if _may_cut(text[at - 1], text[at]) and not _may_be_in_break(text, at)), 0)


def all_cuts(text: str) -> list[int]:
    """Every place, from 1 to `len(text) - 1`, at which `text` may be cut."""
    breaks = "<" in unicodedata.normalize("NFKD", text)
    return [
        at
        for at in range(1, len(text))
        if _may_cut(text[at - 1], text[at]) and not (breaks and _may_be_in_break(text, at))
    ]


def _may_cut(left: str, right: str) -> bool:
    return (left.isspace() and _begins_word(right)) or (_stands_alone(left) and _stands_alone(right))


def _may_be_in_break(text: str, at: int) -> bool:
    """Whether `text` up to `at` ends with what a "<br />" begins with, in any form of its characters.

    That may have others within: "<br<br />>" is one when the one within has become a space.
    """
    end = _before_spaces(text, at - 1 if _plain(text[at - 1]) == "/" else at)
    return _plain(text[max(0, end - 3) : end]).endswith(("<", "<b", "<br"))


def _before_spaces(text: str, end: int, depth: int = 0) -> int:
    """Where the white space that ends at `end` begins, breaks included."""
    while end:
        start = end - 1 if text[end - 1].isspace() else _start_of_break(text, end, depth)
        if start < 0:
            break
        end = start
    return end


def _start_of_break(text: str, end: int, depth: int) -> int:
    """Where a "<br />" begins that ends at `end`, in any form of its characters; -1 where none does."""
    if depth > MOST_NORMALIZERS or _plain(text[end - 1]) != ">":
        return -1
    at = _before_spaces(text, end - 2 if end > 1 and _plain(text[end - 2]) == "/" else end - 1, depth + 1)
    return at - 3 if at >= 3 and _plain(text[at - 3 : at]) == "<br" else -1


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


@lru_cache(maxsize=1 << 16)
def _begins_word(character: str) -> bool:
    """Whether what white space goes before is the same after every normaliser, `character` and all that follows."""
    return all(map(_joins_nothing_before, _first_characters(character)))


@lru_cache(maxsize=1 << 16)
def _stands_alone(character: str) -> bool:
    """Whether every normaliser leaves `character` one that begins a word, and that a sigma beside it does not alter."""
    seen = [character]
    for each in seen:
        forms = _forms(each)
        if any(len(form) != 1 for form in forms) or not _begins_word(each) or not _settles_sigma(each):
            return False
        seen.extend(form for form in forms if form not in seen)
    return True


def _first_characters(character: str) -> list[str]:
    """Those that a text may begin with which began with `character`, after any normalisers."""
    seen = [character]
    for each in seen:
        seen.extend(form[0] for form in dict.fromkeys(_forms(each)) if form[0] not in seen)
    return seen


def _forms(character: str) -> tuple[str, str, str]:
    return character.lower(), unicodedata.normalize("NFC", character), unicodedata.normalize("NFKC", character)


def _joins_nothing_before(character: str) -> bool:
    first = unicodedata.normalize("NFD", character)[0]
    return not any(c in "<" or c.isspace() or unicodedata.combining(c) or c in _joined() for c in (character, first))


def _settles_sigma(character: str) -> bool:
    """Whether a search for letters beside a sigma ends at `character`, which is no sigma itself."""
    if character == "Σ":
        return False
    is_letter = ("aΣ" + character).lower()[1] == "σ"
    looked_past = ("aΣ" + character + "a").lower()[1] == "σ"
    return is_letter or not looked_past


@cache
def _joined() -> frozenset[str]:
    """Characters that form C joins to one before them: the second parts of canonical decompositions."""
    decompositions = (unicodedata.decomposition(chr(code)).split() for code in range(0xA0, 0x30000))
    seconds = {chr(int(parts[1], 16)) for parts in decompositions if len(parts) == 2 and parts[0][0] != "<"}
    vowels, finals = range(0x1161, 0x1176), range(0x11A8, 0x11C3)  # joined by arithmetic, not by a table
    return frozenset(seconds | set(map(chr, (*vowels, *finals))))
