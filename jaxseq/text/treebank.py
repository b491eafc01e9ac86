"""English words and marks as in the Penn Treebank.

The conventions are those that the Treebank's `tokenizer.sed` (Robert MacIntyre, 1995) describes, line by line as there,
with NLTK's refinement that a comma or colon before a digit belongs to the number.
"""

import re
from functools import lru_cache

# A quotation mark opens at the start of a line and after a space or an opening bracket. Only the last period of a line
# ends a sentence: those before it may belong to an abbreviation.
_BREAK = re.compile(
    r"""
    (?P<opening> (?: ^ | (?<=[\ \t(\[{<]) ) " | (?<=[\ \t(\[{<]) '' | `` )
    | (?P<closing> " | '' )
    | (?P<mark> \.\.\. | -- | [;@\#$%&?!()\[\]{}<>] | [:,](?!\d) | (?<=[^.]) \. (?= [\])}>"']* \s* $ ) )
    | \s+
    """,
    re.VERBOSE,
)
_ENDINGS = (  # each at most once, from the end on
    re.compile(r"(?<=[^'])'$"),
    re.compile(r"(?<=[^'])'[sSmMdD]$"),
    re.compile(r"(?<=[^'])(?:'ll|'LL|'re|'RE|'ve|'VE|n't|N'T)$"),
)
_HALVES = {"cannot": 3, "d'ye": 1, "gimme": 3, "gonna": 3, "gotta": 3, "lemme": 3, "more'n": 4}
_TWO_IN_ONE = re.compile(rf"\b(?:{'|'.join(_HALVES)})\b|\bwanna$|^'t(?:is|was)\b", re.IGNORECASE)


def treebank_words(text: str) -> list[str]:
    """The words and marks of `text`, each of its lines taken as one sentence.

    Quotation marks become ``` `` ``` and `''`, contractions two words, and only the last period of a line is a mark.

    >>> treebank_words('"I can\\'t go to St. Ives," he said.')
    ['``', 'I', 'ca', "n't", 'go', 'to', 'St.', 'Ives', ',', "''", 'he', 'said', '.']
    """
    found: list[str] = []
    for line in text.split("\n"):
        end = 0
        for separator in _BREAK.finditer(line):
            if separator.start() > end:
                found += _parts(line[end : separator.start()])
            kind, end = separator.lastgroup, separator.end()
            if kind:
                found.append({"opening": "``", "closing": "''"}.get(kind, separator[0]))
        if end < len(line):
            found += _parts(line[end:])
    return found


@lru_cache(maxsize=1 << 16)
def _parts(word: str) -> tuple[str, ...]:
    """One word without marks, its contractions taken apart."""
    endings: list[str] = []
    for ending in _ENDINGS:
        if (match := ending.search(word)) is not None:
            endings.insert(0, match[0])
            word = word[: match.start()]
    parts: list[str] = []
    end = 0
    for match in _TWO_IN_ONE.finditer(word):
        pair = match[0]
        half = _HALVES.get(pair.lower(), 2 if pair.startswith("'") else 3)
        parts += [word[end : match.start()], pair[:half], pair[half:]]
        end = match.end()
    return tuple(part for part in (*parts, word[end:], *endings) if part)
