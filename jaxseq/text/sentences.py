"""From a text to its sentences, by their marks: a pure function without a model, for English, Korean and their like."""

import itertools
import re

# Not from inside a run of marks, and never back into one: the time taken grows with the text's length alone.
_END = re.compile(r"(?<![.!?…])(?P<mark>[.!?…]++)[\"'”’»)\]]*+(?!\S)")
_CLOSING = re.compile(r"\s+([\")\]”»])(?!\S)")
_WORD = re.compile(r"[^\W_]")
_NEXT = re.compile(r"[\s\"'“‘«(\[]*(.?)")
_OPENING = "\"'“‘«([-—–"
_DOTTED = re.compile(r"(\w\.)+\w")
_LONGEST = 16
"""Characters before a full stop that are looked at."""

_TITLES = frozenset(
    [
        *("mr", "mrs", "ms", "messrs", "dr", "prof", "st", "rev", "hon", "gov", "sen", "rep", "vs", "cf", "viz", "al"),
        *("gen", "col", "maj", "capt", "cpt", "lt", "sgt", "cpl", "cmdr", "adm"),
    ]
)
"""What stands before names and the like, and ends no sentence."""
_BEFORE_NUMBERS = frozenset(["no", "nos", "vol", "vols", "fig", "figs", "ch", "pp", "p", "op", "art", "sec"])


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, without white space around them; joined they are the text, white space aside.

    A sentence ends with a run of . ! ? … and what closes behind it, before white space and anything but a small letter;
    Korean has no small letters and ends with the same marks. A single full stop ends none behind a title (Dr.), a
    letter alone (H. americanus), letters with stops between them (U.S., e.g.), nor between "No." and the like and a
    number. Marks may stand apart from words, as in WikiText, where "0 @.@ 7" has none.

    >>> split_sentences('Dr. Kim arrived at 3.5 p.m. that day. "Why?" he asked. (No. 5 knew.) 정말 좋다! 최고...')
    ['Dr. Kim arrived at 3.5 p.m. that day.', '"Why?" he asked.', '(No. 5 knew.)', '정말 좋다!', '최고...']
    >>> split_sentences('He said , " It weighs 0 @.@ 7 kg . " H. americanus is larger . ')
    ['He said , " It weighs 0 @.@ 7 kg . "', 'H. americanus is larger .']
    """
    begin, bounds = 0, [0]
    for found in _END.finditer(text):
        end = found.end()
        if not _WORD.search(text, begin, found.start()):
            continue
        end = _closed(text, begin, end)
        following = _next_character(text, end)
        if following.islower():
            continue
        if found["mark"] == "." and found.end() == found.end("mark"):
            before = text[max(begin, found.start() - _LONGEST) : found.start()]
            if _abbreviates(before, following):
                continue
        bounds.append(end)
        begin = end
    # Marks alone are no sentence: those at the end belong to the last one.
    if len(bounds) > 1 and not _WORD.search(text, begin):
        bounds.pop()
    bounds.append(len(text))
    parts = (text[start:end].strip() for start, end in itertools.pairwise(bounds))
    return [sentence for sentence in parts if sentence]


def _closed(text: str, begin: int, end: int) -> int:
    """The end of the sentence that began at `begin`, with signs apart from its last mark that close what it opened."""
    while (found := _CLOSING.match(text, end)) is not None:
        if found[1] == '"' and text.count('"', begin, end) % 2 == 0:
            break  # which opens the next one
        end = found.end()
    return end


def _next_character(text: str, end: int) -> str:
    found = _NEXT.match(text, end)
    return "" if found is None else found[1]


def _abbreviates(before: str, following: str) -> bool:
    """Whether a full stop behind `before` belongs to its last word."""
    if not before or before[-1].isspace():
        return False
    word = before.split()[-1].lstrip(_OPENING).lower()
    if word in _BEFORE_NUMBERS:
        return following.isdigit()
    is_letter = len(word) == 1 and word.upper() != word
    return is_letter or word in _TITLES or _DOTTED.fullmatch(word) is not None
