"""Files that word vectors are judged by: pairs of words with a figure, and analogies.

Pairs are "tiger cat 7.35" on a line, between tabs, commas, semicolons or spaces, as WordSim-353 and SimLex-999 have
them; the figure is the first number behind the words, a line of headings may stand above, and "#" begins a remark.
Analogies are "Athens Greece Oslo Norway" on a line below the name of their section, ": capitals", as Google's.
"""

import math
from pathlib import Path
from typing import NamedTuple

from jaxseq.data.formats import HEAD, format_of
from jaxseq.data.members import file_streams
from jaxseq.errors import InputError
from jaxseq.reading import shown

_LARGEST = 2**26
_SEPARATORS = ("\t", ",", ";")


class WordPairs(NamedTuple):
    """Pairs of words, each with how alike people find them."""

    pairs: list[tuple[str, str, float]]


class Analogies(NamedTuple):
    """Questions in sections: the fourth word is to the third as the second is to the first."""

    sections: list[tuple[str, list[tuple[str, str, str, str]]]]


def read_word_questions(path: Path) -> WordPairs | Analogies:
    """The pairs or analogies in a file, compressed or not; which of them is seen in it.

    Raises:
        InputError: it cannot be read, or is none of these; the line is named.
    """
    if path.is_dir():
        raise InputError(f"{shown(path)} is a folder: give a file of pairs of words, or of analogies")
    lines: list[tuple[str, str]] = []
    for place, text in _documents(path):
        numbered = ((f"{place}, line {number:,}", line.strip()) for number, line in enumerate(text.split("\n"), 1))
        lines += [(where, line) for where, line in numbered if line and not line.startswith("#")]
    if lines and lines[0][1].startswith(":"):
        return _analogies(lines)
    return _pairs(path, lines)


def _documents(path: Path) -> list[tuple[str, str]]:
    """The text of each document by its name."""
    documents = []
    for place, stream in file_streams(path):
        content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputError(f"{place} has more than {_LARGEST:,} bytes: it is no file of pairs or analogies")
        if other := format_of(content[:HEAD]):
            raise InputError(f"{place} is {other.name}, no file of pairs or analogies: {other.remedy}")
        try:
            documents.append((place, content.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{place}, line {line:,} is not valid UTF-8 (byte 0x{content[error.start]:02x}): give a file of pairs "
                "or analogies in UTF-8"
            ) from error
    return documents


def _analogies(lines: list[tuple[str, str]]) -> Analogies:
    sections: list[tuple[str, list[tuple[str, str, str, str]]]] = []
    for where, line in lines:
        if line.startswith(":"):
            sections.append((line.removeprefix(":").strip(), []))
            continue
        words = line.split()
        if len(words) != 4:
            raise InputError(f"{where}: an analogy is four words, {line[:60]!r} has {len(words)}: mend the line")
        sections[-1][1].append((words[0], words[1], words[2], words[3]))
    return Analogies(sections)


def _pairs(path: Path, lines: list[tuple[str, str]]) -> WordPairs:
    pairs = []
    for number, (where, line) in enumerate(lines):
        separator = next((mark for mark in _SEPARATORS if mark in line), None)
        cells = [cell.strip() for cell in line.split(separator)]
        figure = next((value for cell in cells[2:] if (value := _number(cell)) is not None), None)
        if figure is not None and cells[0] and cells[1] and _number(cells[1]) is None:  # as in a file of vectors
            pairs.append((cells[0], cells[1], figure))
        elif number > 0 or len(cells) < 3:  # the first may be headings
            raise InputError(
                f"{where}: {line[:60]!r} is no pair of words with a number behind it, and analogies begin with "
                "': SECTION': mend the line, or give another file"
            )
    if not pairs:
        raise InputError(f"{shown(path)} holds no pairs of words with a number, and no analogies: give another file")
    return WordPairs(pairs)


def _number(cell: str) -> float | None:
    """What a cell says, None where that is no finite number."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None
